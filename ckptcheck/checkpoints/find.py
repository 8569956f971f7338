"""Which checkpoint a path stands for: each format is asked for its files, its prefixes, and what it has in a folder."""

import re
from collections.abc import Iterable
from dataclasses import replace
from itertools import chain
from pathlib import Path

from ckptcheck.checkpoints import formats
from ckptcheck.checkpoints.checkpoint import Checkpoint
from ckptcheck.checkpoints.format import Location
from ckptcheck.errors import UsageError

# How deep a folder without a checkpoint is searched for some to name: as deep as `verify` leaves them.
DEEP = 4
_MOST_NAMED = 6


def open_checkpoint(path: Path | str) -> Checkpoint:
    """Open the checkpoint that a path stands for, see `find`; DamagedError: its files are missing, torn, corrupt or forged."""
    return find(Path(path)).open()


def find(path: Path) -> Location:
    """Return the checkpoint that a path stands for; UsageError: there is none, or more than one to choose from."""
    if is_state_file(path):
        return _in_folder(path.parent)
    of_file = (each.of_file(path) for each in formats.FORMATS if path.is_file())
    location = _first(chain(of_file, (each.at(path) for each in formats.FORMATS)))
    if location is not None or path.is_dir():
        return location or _in_folder(path)
    raise UsageError(_refusal(path) if path.is_file() else _absence(path))


def is_state_file(path: Path) -> bool:
    """Return whether a path is a file that names the newest checkpoint of its folder, and stands for that."""
    return any(path.name == each.state_file for each in formats.FORMATS) and path.is_file()


def _first(answers: Iterable[Location | None]) -> Location | None:
    return next(filter(None, answers), None)


def _refusal(file: Path) -> str:
    known = ", ".join(pattern for each in formats.FORMATS for pattern in each.patterns)
    refusals = filter(None, (each.refusal(file) for each in formats.FORMATS))
    return next(refusals, f"{file} is no file of a checkpoint that is known here: {known}.")


def _absence(path: Path) -> str:
    missing = [
        f"{path.name}{ending}"
        for each in formats.FORMATS
        if each.is_prefix
        for ending in each.endings
    ]
    return f"There is no checkpoint at {path}: no such file or folder, and no {' or '.join(missing)}.{_near(path)}"


def checkpoints_in(folder: Path) -> list[Location]:
    """Return the checkpoints of a folder, not of those in it."""
    locations = [
        Location(path, each) for each in formats.FORMATS for path in each.in_folder(folder)
    ]
    return sorted(locations, key=lambda location: by_number(location.path))


def by_number(path: Path | str) -> tuple[object, ...]:
    """Return a key that sorts names by the numbers in them."""
    # Texts and numbers take turns in it, so that like is compared with like; a longer number is a larger one.
    parts = enumerate(re.split(r"([0-9]+)", str(path)))
    return tuple(
        (len(digits := part.lstrip("0")), digits) if at % 2 else part for at, part in parts
    )


def _in_folder(folder: Path) -> Location:
    named = _first(each.named_in(folder) for each in formats.FORMATS)
    if named is not None:
        return named
    known = checkpoints_in(folder)
    if len(known) == 1:
        return replace(known[0], chosen=f"{folder} holds no other, and no state file")
    if known:
        more = f" and {len(known) - _MOST_NAMED} more" if len(known) > _MOST_NAMED else ""
        names = ", ".join(location.path.name for location in known[:_MOST_NAMED]) + more
        raise UsageError(
            f"{folder} holds {len(known)} checkpoints and no state file that names one: {names}. Name it."
        )
    exported = _first(each.exported_in(folder) for each in formats.FORMATS)
    if exported is None:
        raise UsageError(f"{folder} holds no checkpoint.{_near(folder / '*', DEEP)}")
    return exported


def _near(path: Path, deep: int = 1) -> str:
    """Say which checkpoints there are where one was looked for, and in so many folders within one another there."""
    folder = path.parent
    if not folder.is_dir():
        return ""
    known = [location.path.name for location in checkpoints_in(folder)]
    endings = [ending for each in formats.FORMATS for ending in each.endings]
    patterns = ["*/" * depth + f"*{ending}" for depth in range(1, deep + 1) for ending in endings]
    inside = {
        str(file.parent.relative_to(folder))
        for pattern in patterns
        for file in folder.glob(pattern)
    }
    known += [f"{name}/" for name in sorted(inside, key=by_number)]
    return (
        f" There are: {', '.join(known[:_MOST_NAMED])}{', …' if len(known) > _MOST_NAMED else ''}."
        if known
        else ""
    )
