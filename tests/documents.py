"""The pages that people read, README.md and docs/, and the code blocks in them."""

import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent

PATHS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
PAGES = {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in PATHS}
README = PAGES["README.md"]

# What CI does, and the chores it is the sum of.
CI = "".join((ROOT / name).read_text(encoding="utf-8") for name in (".ci/run", "noxfile.py"))

# Its output is that of the fixture `default_command`, with an installation before it or not.
FIRST = "python -m ckptcheck verify"

# The commands that CI runs, because they make or check what the tests run in.
RUN_BY_CI = {
    "pip install -e '.[tensorflow]'",
    "pip install -e '.[torch]'",
    "pip install -e '.[test]' && python -m pytest",
    "pip wheel --no-deps --wheel-dir vendor .",
    "ruff check . && ruff format --check . && mypy && lint-imports",
    "mkdocs build --strict",
    "python -m pytest -m cards",
    "python -m tests.commands",
    "python -m tests.commands.torch",
    "python -m tests.clean",
    "python -m tests.damage",
    "python -m tests.defects",
    "python -m pytest -m drills tests/drills",
}
# Those that make something in the checkout of whoever contributes.
RUN_BY_HAND = {"nox", "pre-commit install"}

# The same study, for a minute rather than a quarter of an hour.
SHORTENED = " --seeds 1 --epochs 1"


@dataclass(frozen=True)
class Block:
    """A code block: its page, its language, its text, and the name of the file that it is, if it is one."""

    page: str
    kind: str
    text: str
    file: str | None

    @property
    def lines(self) -> list[str]:
        """Its lines."""
        return self.text.splitlines()

    def asks_for(self, option: str) -> bool:
        """Whether a command of it has an option."""
        return any(option in line.split() for line in self.lines)


# A script stands under its name: "This is `fit.py`".
_BLOCK = re.compile(
    r"(?:This\s+is\s+`(?P<file>\w+\.py)`[^`]*)?^```(?P<kind>\w+)\n(?P<text>.*?)^```",
    re.MULTILINE | re.DOTALL,
)


def blocks_of(page: str, text: str) -> list[Block]:
    """Return the code blocks of a page."""
    return [Block(page, each["kind"], each["text"], each["file"]) for each in _BLOCK.finditer(text)]


BLOCKS = [block for page, text in PAGES.items() for block in blocks_of(page, text)]
SHELL = [block for block in BLOCKS if block.kind == "sh"]
SCRIPTS = [block for block in BLOCKS if block.file]
FILES = {block.file: block.text for block in SCRIPTS if block.file}
# The README's script with the line that it recommends, for commands that are to succeed.
FIX = "model.optimizer.build(model.trainable_variables)"
FIXED = FILES | {
    "train.py": FILES["train.py"].replace("    model.load_w", f"    {FIX}\n    model.load_w")
}
PYTHON = [block for block in BLOCKS if block.kind == "python" and not block.file]
WORKFLOWS = [block for block in BLOCKS if block.kind == "yaml" and "jobs:" in block.text]
HOOKS = [block for block in BLOCKS if block.kind == "yaml" and block not in WORKFLOWS]

# Run by drills/savers/test_page.py, which compares the table of the page.
OF_SAVERS = [block for block in SHELL if block.page == "docs/savers.md"]
# Run by jobs/test_recipes.py, by these very commands.
SUITES = [block for block in SHELL if block.asks_for("--suite") and block not in OF_SAVERS]
CLUSTERS = [block for block in SHELL if block.asks_for("--executor")]

# Run where PyTorch is installed, by commands/torch/test_page.py.
_PAGES_OF_TORCH = ("docs/pytorch.md", "docs/drill.md")
OF_TORCH = [
    block for block in SHELL if block.page in _PAGES_OF_TORCH and not set(block.lines) <= RUN_BY_CI
]

# Every other text of a shell block, once: pages repeat some.
COMMANDS = list(
    dict.fromkeys(
        block.text
        for block in SHELL
        if not set(block.lines) <= {*RUN_BY_CI, *RUN_BY_HAND, FIRST}
        and block not in [*SUITES, *OF_SAVERS, *CLUSTERS, *OF_TORCH]
    )
)
# Each text that ends with the first command.
FIRSTS = list(
    dict.fromkeys(each.text for each in SHELL if FIRST in each.text.strip().split(" && "))
)


def shown_by(commands: str) -> list[str]:
    """Return the outputs that pages show after these commands, up to the next commands on the page."""
    return [shown.text for owner, shown in outputs() if owner.text == commands]


def outputs() -> Iterator[tuple[Block, Block]]:
    """Yield every output that is shown, after the commands that print it."""
    for page in PAGES:
        owner = None
        for block in (each for each in BLOCKS if each.page == page):
            if block.kind == "sh":
                owner = block
            elif block.kind == "text":
                assert owner, f"{page}: no command prints {block.lines[0]!r}"
                yield owner, block


def run(command: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    """Run a command in a folder that has the scripts of the pages, fixed if it is to succeed."""
    for name, text in (FILES if "exit code 1" in command else FIXED).items():
        (folder / name).write_text(text)
    command = re.sub(r"(^|&& )python ", rf"\g<1>{sys.executable} ", command)
    return subprocess.run(
        command, shell=True, cwd=folder, capture_output=True, text=True, check=False
    )


def shortened(command: str) -> str:
    """Return a study that trains one epoch of one seed."""
    return re.sub(r" --(seeds|epochs) \d+", "", command) + SHORTENED


def printed_by(commands: str, folder: Path) -> list[str]:
    """Run the commands of a block one after the other; return what each prints."""
    printed = []
    for command in commands.splitlines():
        done = run(shortened(command) if " study " in command else command, folder)
        assert done.returncode == ("exit code 1" in command), done.stdout + done.stderr
        printed.append(done.stdout)
    return printed


def stretches(shown: str) -> list[str]:
    """Return the parts of an output that is shown: a line that is `…` stands for what is left out."""
    return re.split(r"^…\n", shown, flags=re.MULTILINE)


def masked(text: str) -> str:
    """Leave out what differs between processors: the numbers, and the spaces that align them."""
    return re.sub(r"\s+", " ", re.sub(r"\d[\d.e+-]*", "#", text)).strip()


def is_shown(shown: str, printed: list[str]) -> bool:
    """Return whether every part of what is shown was printed by one of the commands."""
    texts = [masked(text) for text in printed]
    return all(any(masked(part) in text for text in texts) for part in stretches(shown))
