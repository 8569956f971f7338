"""Tables, headings and numbers in the texts of `inspect`, `diff` and `fsck`.

Tables are aligned, and cells are never wrapped, so that output can be searched by line.
"""

import shutil
import sys
from collections.abc import Sequence

from ckptcheck.checkpoints import Checkpoint
from ckptcheck.counts import counted
from ckptcheck.kinds import Kind

GAP = "  "

PLURALS = {
    kind: {Kind.OTHER: "other tensors", Kind.RNG: "random states"}.get(kind, f"{kind.value}s")
    for kind in Kind
}


def width() -> int | None:
    """Return the width of the terminal; None: the output is not a terminal."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def heading(checkpoint: Checkpoint, letter: str = "") -> list[str]:
    """Return lines with a checkpoint's path, format, size, and why a folder resolved to it."""
    tensors = f"{counted(len(checkpoint.entries), 'tensor')}, {size(checkpoint.size)}"
    files = counted(len(checkpoint.files), "file")
    first = f"{letter}{checkpoint.path}: {checkpoint.format}, {tensors} in {files}"
    return [first, *([f"{' ' * len(letter)}({checkpoint.chosen})"] if checkpoint.chosen else [])]


def columns(
    headers: Sequence[str], rows: Sequence[Sequence[str]], left: int, wide: int | None
) -> list[str]:
    """Return a table as lines: `left` columns of text, aligned left, then columns of numbers.

    If a line would exceed `wide` characters, the numbers go on a separate line below the text.
    """
    widths = [max(map(len, column)) for column in zip(headers, *rows, strict=True)]
    if wide is None or sum(widths) + len(GAP) * (len(widths) - 1) <= wide:
        return [_line(cells, widths, left) for cells in (headers, *rows)]
    lines = []
    for cells in (headers, *rows):
        lines += [
            _line(cells[:left], [0] * left, left),
            "    " + _line(cells[left:], widths[left:], 0),
        ]
    return lines


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
