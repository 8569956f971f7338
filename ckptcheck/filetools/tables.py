"""Tables, headings and numbers in the texts of `inspect`, `diff` and `fsck`.

Tables are aligned, and cells are never wrapped, so that output can be searched by line.
"""

import shutil
import sys
import textwrap
from collections.abc import Sequence

from ckptcheck.checkpoints import Checkpoint
from ckptcheck.counts import counted
from ckptcheck.kinds import Kind
from ckptcheck.text_safety import shown

GAP = "  "

PLURALS = {
    kind: {Kind.OTHER: "other tensors", Kind.RNG: "random states"}.get(kind, f"{kind.value}s")
    for kind in Kind
}


def width() -> int | None:
    """Return the width of the terminal; None: the output is not a terminal."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def wrapped(line: str, wide: int | None, indent: int = 0) -> list[str]:
    """Return a line, broken between words into lines of `wide` characters; None: never broken.

    The second and later lines are indented further, by `indent` spaces in all.
    """
    if wide is None or len(line) <= wide:
        return [line]
    return textwrap.wrap(
        shown(line),
        max(wide, indent + 20),
        subsequent_indent=" " * indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def heading(checkpoint: Checkpoint, wide: int | None, letter: str = "") -> list[str]:
    """Return lines with a checkpoint's path, format, size, and why a folder resolved to it."""
    tensors = sum(map(checkpoint.is_tensor, checkpoint.entries.values()))
    others = len(checkpoint.entries) - tensors
    further = f" and {counted(others, 'other value')}" if others else ""
    held = f"{counted(tensors, 'tensor')}{further}, {size(checkpoint.size)}"
    files = counted(len(checkpoint.files), "file")
    first = f"{letter}{checkpoint.path}: {checkpoint.format}, {held} in {files}"
    lines = [first]
    if checkpoint.chosen:
        lines.append(f"{' ' * len(letter)}({checkpoint.chosen})")
    return [part for line in lines for part in wrapped(line, wide, len(letter) + 4)]


def columns(
    headers: Sequence[str], rows: Sequence[Sequence[str]], left: int, wide: int | None
) -> list[str]:
    """Return a table as lines: `left` columns of text, aligned left, then columns of numbers.

    If a line would exceed `wide` characters, the numbers go on a separate line below the text, and
    if the texts alone would, each goes on its own.
    """
    widths = [max(map(len, column)) for column in zip(headers, *rows, strict=True)]
    if wide is None or sum(widths) + len(GAP) * (len(widths) - 1) <= wide:
        return [_line(cells, widths, left) for cells in (headers, *rows)]
    return [line for cells in (headers, *rows) for line in _below(cells, widths, left, wide)]


def _below(cells: Sequence[str], widths: Sequence[int], left: int, wide: int) -> list[str]:
    """Return a row with its numbers below the text, and each text on its own line if needed."""
    text = _line(cells[:left], [0] * left, left)
    lines = [text] if len(text) <= wide else [cells[0], *(f"    {cell}" for cell in cells[1:left])]
    return [*lines, "    " + _line(cells[left:], widths[left:], 0)] if cells[left:] else lines


def _line(cells: Sequence[str], widths: Sequence[int], left: int) -> str:
    sized = enumerate(zip(cells, widths, strict=True))
    return GAP.join(
        cell.ljust(width) if at < left else cell.rjust(width) for at, (cell, width) in sized
    ).rstrip()


def size(count: int) -> str:
    """Return a number of bytes for readers, in units of 1,000."""
    value = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 999.5 or unit == "GB":
            return f"{value:,.0f} {unit}" if value >= 9.95 or unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    raise AssertionError


def shaped(type_: str, shape: Sequence[int]) -> str:
    """Return an element type and a shape, such as float32[3,3,16]; a scalar has no brackets."""
    return f"{type_}[{','.join(map(str, shape))}]" if shape else type_


def number(value: float | None) -> str:
    """Return a number for a table: integers of up to nine digits in full, others to three."""
    if value is None:
        return ""
    return str(value) if isinstance(value, int) and abs(value) < 10**9 else f"{value:.3g}"
