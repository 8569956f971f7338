"""The blocks of the README: what each one is, and which command prints what is shown."""

import re
from dataclasses import dataclass

from tests.conftest import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
CI = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
# The README's first command, without the installation before it.
FIRST = "python -m ckptcheck verify"
# The commands that .ci/run runs, because they make or check what the tests run in.
RUN_BY_CI = {
    f"pip install -e . && {FIRST}",
    "pip install -e '.[test]' && python -m pytest",
    "ruff check . && ruff format --check . && mypy && lint-imports",
    "python -m tests.defects",
    "python -m tests.damage",
}


@dataclass(frozen=True)
class Block:
    """A code block: its language, its lines, and the name of the file that it is, if it is one."""

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
    r"(?:This is `(?P<file>\w+\.py)`[^`]*)?^```(?P<kind>\w+)\n(?P<text>.*?)^```",
    re.MULTILINE | re.DOTALL,
)

BLOCKS = [Block(each["kind"], each["text"], each["file"]) for each in _BLOCK.finditer(README)]
SHELL = [block for block in BLOCKS if block.kind == "sh"]
FILES = {block.file: block.text for block in BLOCKS if block.file}
PYTHON = [block for block in BLOCKS if block.kind == "python" and not block.file]
WORKFLOWS = [block for block in BLOCKS if block.kind == "yaml"]

SUITES = [
    block for block in SHELL if block.asks_for("--suite")
]  # run by jobs/test_recipes.py, by these very commands
CLUSTERS = [block for block in SHELL if block.asks_for("--executor")]
COMMANDS = [
    block
    for block in SHELL
    if not set(block.lines) <= RUN_BY_CI and block not in [*SUITES, *CLUSTERS]
]


def shown_by(command: Block) -> list[str]:
    """Return the outputs that are shown after a command: up to the next one that is run for its output."""
    owner, shown = None, []
    for block in BLOCKS:
        if block in COMMANDS or FIRST in block.text:
            owner = block
        elif block.kind == "text" and owner == command:
            shown.append(block.text)
    return shown


def masked(text: str) -> str:
    """Leave out what differs from one processor to another: the numbers, and the spaces that align them."""
    return re.sub(r"\s+", " ", re.sub(r"\d[\d.e+-]*", "#", text)).strip()
