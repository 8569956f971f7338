"""Record the outputs that README.md, docs/ and notebooks/ show again.

    python -m tests.refresh_docs [PAGE …]

Each output stands after the commands that print it. They are run, and the most similar part of
what they print takes its place: whole paragraphs, or as many lines as before where a line `…`
stands for what is left out. Look at the result with `git diff`. What has no similar part is
reported and left as it is; the exit code is then 1.
"""

import sys
import tempfile
from collections.abc import Sequence
from difflib import SequenceMatcher
from pathlib import Path

from tests import notebooks
from tests.documents import (
    FIRST,
    FIRSTS,
    PAGES,
    ROOT,
    Block,
    masked,
    outputs,
    printed_by,
    stretches,
)
from tests.notebooks import NOTEBOOKS

# Below this similarity, a part of an output is a different one.
SIMILAR = 0.4


def main(names: list[str]) -> int:
    """Refresh the pages and notebooks of these names; without any: all of them."""
    pages = [page for page in PAGES if not names or Path(page).name in map(_last, names)]
    for path in NOTEBOOKS:
        if not names or path.name in map(_last, names):
            print(path.name, file=sys.stderr)
            notebooks.refresh(path)
    return refresh_pages(pages)


def _last(name: str) -> str:
    return Path(name).name


def refresh_pages(pages: Sequence[str]) -> int:
    """Run the commands that print something shown, each once; return 1 if something was not found."""
    by_command: dict[str, list[Block]] = {}
    for owner, shown in outputs():
        if shown.page in pages:
            commands = FIRST if owner.text in FIRSTS else owner.text
            by_command.setdefault(commands, []).append(shown)
    missing = 0
    for commands, blocks in by_command.items():
        print(commands.strip(), file=sys.stderr)
        with tempfile.TemporaryDirectory() as folder:
            printed = printed_by(commands, Path(folder))
        missing += sum(not refresh(block, printed) for block in blocks)
    return 1 if missing else 0


def refresh(block: Block, printed: list[str]) -> bool:
    """Put what was printed in the place of what a page shows; return whether all of it was found."""
    parts = stretches(block.text)
    found = [most_similar(part, printed, is_cut=len(parts) > 1) for part in parts]
    for part, new in zip(parts, found, strict=True):
        if new is None:
            print(f"{block.page}: nothing printed is like this:\n{part}", file=sys.stderr)
    text = "…\n".join(new or part for part, new in zip(parts, found, strict=True))
    path = ROOT / block.page
    page = path.read_text(encoding="utf-8")
    path.write_text(page.replace(f"```text\n{block.text}```", f"```text\n{text}```"), "utf-8")
    return None not in found


def most_similar(part: str, printed: list[str], is_cut: bool) -> str | None:
    """Return the part of what was printed that is most like a part that is shown."""
    if not part.strip():
        return part
    candidates = [each for text in printed for each in _candidates(part, text, is_cut)]
    scored = [(_likeness(part, text), -abs(len(text) - len(part)), text) for text in candidates]
    likeness, _, best = max(scored, default=(0.0, 0, ""))
    return best if likeness >= SIMILAR else None


def _candidates(part: str, printed: str, is_cut: bool) -> list[str]:
    """Return whole paragraphs; of a part that was cut, as many lines that begin or end one."""
    lines, size = printed.splitlines(keepends=True), len(part.splitlines())
    filled = [bool(line.strip()) for line in [*lines, ""]]
    starts = [at for at in range(len(lines)) if filled[at] and not filled[at - 1]]
    ends = [at + 1 for at in range(len(lines)) if filled[at] and not filled[at + 1]]
    if is_cut:
        places = [(at, at + size) for at in starts] + [(at - size, at) for at in ends if at >= size]
    else:
        places = [(start, end) for start in starts for end in ends if start < end]
    return ["".join(lines[start:end]) for start, end in places]


def _likeness(one: str, other: str) -> float:
    return SequenceMatcher(None, masked(one).split(), masked(other).split(), autojunk=False).ratio()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
