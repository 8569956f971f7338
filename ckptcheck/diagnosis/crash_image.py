"""What a crash image holds, read with our own readers where a restore does not say what it read.

A restore of the user's own often reports no keys. The checkpoint itself then shows whether the lost
values were saved.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ckptcheck.arrays import Array, is_telling
from ckptcheck.comparison.comparison import BOUNDARY, Comparison, TensorComparison
from ckptcheck.comparison.value_origin import OLDER, OWN
from ckptcheck.errors import CkptcheckError
from ckptcheck.kinds import Kind
from ckptcheck.run.digests import digest
from ckptcheck.run.run import Run

# A larger image is not read: the report must not take longer than the runs.
MOST_BYTES = 1 << 30


@dataclass(frozen=True)
class Saved:
    """An array in the image.

    Attributes:
        number: Its value, if it is a single number.
        is_plain: Whether it was saved as a number of Python's, not as an array.
    """

    name: str
    kind: Kind
    elements: int
    dtype: np.dtype[Any]
    digest: str
    number: float | None
    is_plain: bool


@dataclass(frozen=True)
class CrashImage:
    """The folder of a crash image; its files are read when they are needed."""

    folder: Path

    @cached_property
    def files(self) -> tuple[Path, ...]:
        """Every file in the image."""
        return tuple(sorted(path for path in self.folder.rglob("*") if path.is_file()))

    @cached_property
    def is_of_own_files(self) -> bool:
        """Whether it holds files, but none whose name is that of a framework's checkpoint."""
        # Imported here: most verifications read no file.
        from ckptcheck.checkpoints.formats import FORMATS

        known = any(each.recognises(file.name) for file in self.files for each in FORMATS)
        return bool(self.files) and not known

    @cached_property
    def arrays(self) -> tuple[Saved, ...] | None:
        """Every array in the image; None if it is too large, or if a file cannot be read."""
        if sum(file.stat().st_size for file in self.files) > MOST_BYTES:
            return None
        # Imported here: most verifications read no file.
        from ckptcheck.checkpoints.contents import of_folder

        try:
            return tuple(
                _saved(each.name, each.kind, each.value, each.is_number)
                for each in of_folder(self.files)
            )
        except (CkptcheckError, OSError, ValueError):
            return None


def _saved(name: str, kind: Kind, value: Array, is_plain: bool) -> Saved:
    number = float(value.item()) if value.size == 1 and value.dtype.kind in "biuf" else None
    return Saved(name, kind, value.size, value.dtype, digest(value), number, is_plain)


def settled(comparison: Comparison, control: Run, image: CrashImage | None) -> Comparison:
    """Return a comparison with the stage of each lost tensor that the crash image decides.

    Only tensors of which the restore reported nothing are looked up.
    """
    open_rows = [row for row in comparison.tensors if _is_unknown(row)]
    arrays = image.arrays if image is not None and open_rows else None
    if arrays is None:
        return comparison
    held = {row.name: _is_held(row, control, arrays) for row in open_rows}
    rows = (
        _with_stage(row, held.get(row.name)) if _is_unknown(row) else row
        for row in comparison.tensors
    )
    return replace(comparison, tensors=tuple(rows))


def _is_unknown(row: TensorComparison) -> bool:
    """Return whether a tensor was lost at an unknown stage: kept its own, or got an older value."""
    reported = (row.asked, row.held, row.saved_so) != (None, None, None)
    return (
        row.point == BOUNDARY and not (row.equal or reported) and row.origin.what in (*OWN, OLDER)
    )


def _with_stage(row: TensorComparison, held: bool | None) -> TensorComparison:
    """Return a row that did not get the saved value, although the image holds it.

    No initialiser ran after the restore: it would rarely draw the very value of the build again. A
    tensor that the first step created may have got the saved value before that step changed it.
    """
    if held is None:
        return row
    if held and row.late:
        return replace(row, held=True)
    return replace(row, held=held, asked=False, saved_so=False if held else None)


def _is_held(row: TensorComparison, control: Run, arrays: tuple[Saved, ...]) -> bool | None:
    """Return whether the image holds the control's value of a tensor; None: it may."""
    tensor = control.boundary.get(row.name)
    if tensor is None:  # created in the first step: no name or value at the boundary to look for
        return None
    wanted = digest(tensor.value)
    equal = [each for each in arrays if each.digest == wanted]
    if not equal and tensor.value.size == 1 and tensor.value.dtype.kind in "biuf":
        number = float(tensor.value.item())
        equal = [each for each in arrays if each.number == number]
    if equal:
        if is_telling(tensor.value) or any(_are_namesakes(row, each) for each in equal):
            return True
        counters = [each for each in equal if each.kind is row.kind is Kind.COUNTER]
        return _is_that_count(row, counters, arrays) if counters else None
    # The same value in a different dtype is not looked for.
    others = [each for each in arrays if each.elements == row.elements]
    cast = any(each.dtype != tensor.value.dtype for each in others) and row.elements > 1
    named = any(_are_namesakes(row, each) for each in others)
    return None if cast or named else False


def _is_that_count(
    row: TensorComparison, equal: Sequence[Saved], arrays: Sequence[Saved]
) -> bool | None:
    """Return whether a lost counter is one of those with its value; None: it may be.

    The count of an object, such as the epoch of a scheduler, is saved within that object: where
    objects are saved by their names, a bare number of Python's is the program's own. A bare array
    may be the count itself, under a name that the program chose.
    """
    holder, _, name = row.name.rpartition("/")
    if not holder or any(_is_nested(each) or _words(each.name) == _words(name) for each in equal):
        return True
    return False if all(each.is_plain for each in equal) and any(map(_is_nested, arrays)) else None


def _is_nested(saved: Saved) -> bool:
    return re.search(r"[./]", saved.name) is not None


def _are_namesakes(row: TensorComparison, saved: Saved) -> bool:
    """Return whether the names of a tensor and of an array end in the same words."""
    return _words(row.name)[-2:] == _words(saved.name)[-2:]


def _words(name: str) -> list[str]:
    """Return the words of a name, in the singular: `optimizer.iterations` is named `iteration`."""
    return [word.removesuffix("s") for word in re.findall(r"[a-z]+|\d+", name.lower())]
