"""What the texts of `inspect`, `diff` and `fsck` share: tables, headings, and how numbers are written.

A table has a line for a row, as many as there are tensors: aligned, never folded, so that it can be searched by line.
"""

import shutil
import sys
from collections.abc import Sequence

from ckptcheck.checkpoints import Checkpoint
from ckptcheck.kinds import Kind

GAP = "  "

PLURALS = {
    kind: {Kind.OTHER: "others", Kind.RNG: "random generators", Kind.PYTHON: "attributes"}.get(
        kind, f"{kind.value}s"
    )
    for kind in Kind
}


def width() -> int | None:
    """Return how wide a line may be: that of the terminal; None where nobody looks at one."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def heading(checkpoint: Checkpoint, letter: str = "") -> list[str]:
    """Say which checkpoint is meant, what it is, and how it was found."""
    files, tensors = (
        counted(len(checkpoint.files), "file"),
        counted(len(checkpoint.entries), "tensor"),
    )
    first = f"{letter}{checkpoint.path}: {checkpoint.format}, {tensors}, {size(checkpoint.size)} in {files}"
    return [first, *([f"{' ' * len(letter)}({checkpoint.chosen})"] if checkpoint.chosen else [])]


def columns(
    headers: Sequence[str], rows: Sequence[Sequence[str]], left: int, wide: int | None
) -> list[str]:
    """Return a table as lines: first so many columns of text, aligned to the `left`, then columns of numbers.

    Where a line would be longer than `wide`, the numbers stand on a line of their own below the text; None: lines have no end.
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
    """Return a number of bytes as people read it: of 1,000 bytes is a kB."""
    value = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 999.5 or unit == "GB":
            return f"{value:,.0f} {unit}" if value >= 9.95 or unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    raise AssertionError


def counted(count: int, what: str) -> str:
    """Return a number of things in words: 1 tensor, 2 tensors."""
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"


def shaped(type_: str, shape: Sequence[int]) -> str:
    """Return an element type and a shape in one word, as float32[3,3,16]; a scalar has no brackets."""
    return f"{type_}[{','.join(map(str, shape))}]" if shape else type_


def number(value: float | None) -> str:
    """Return a number as it stands in a table: whole ones of up to nine digits as they are, others to three."""
    if value is None:
        return ""
    return str(value) if isinstance(value, int) and abs(value) < 10**9 else f"{value:.3g}"
