"""What the runs of a command printed, as `-v` shows it."""

import re
from collections.abc import Iterable
from pathlib import Path

from ckptcheck.text_safety import legible

MOST_LINES = 20
_MOST_BYTES = 2**16
# Colours and movements of the cursor. Progress bars go back and write over what they wrote.
_ESCAPES, _GOES_BACK = r"\x1b\[[0-9;?]*[A-Za-z]", r"[\r\x08]+"


def outputs_of(files: Iterable[Path]) -> str:
    """Return the last lines of each file of output, below its path."""
    return "\n".join(_part(file) for file in files)


def _part(file: Path) -> str:
    lines = last_lines(file)
    shown = "".join(f"  {line}\n" for line in lines)
    what = f"The last {MOST_LINES} lines of" if len(lines) == MOST_LINES else "All of"
    return f"{what} {file}:\n{shown}" if lines else f"Nothing is in {file}.\n"


def last_lines(file: Path) -> list[str]:
    """Return the last lines of an output, as a terminal would show them, without empty ones."""
    with file.open("rb") as opened:
        opened.seek(max(0, file.stat().st_size - _MOST_BYTES))
        text = opened.read().decode("utf-8", "replace")
    lines = [_as_shown(line) for line in text.split("\n")]
    return [line for line in lines if line][-MOST_LINES:]


def _as_shown(line: str) -> str:
    written = re.split(_GOES_BACK, re.sub(_ESCAPES, "", line))
    return legible(next((part for part in reversed(written) if part.strip()), "")).rstrip()
