"""Resolve a path to a checkpoint: every format looks for its files, prefixes and folders."""

import re
from collections.abc import Iterable
from dataclasses import replace
from itertools import chain
from pathlib import Path

from ckptcheck.checkpoints import first_bytes, formats, state_file
from ckptcheck.checkpoints.checkpoint import Checkpoint
from ckptcheck.checkpoints.errors import DamagedError
from ckptcheck.checkpoints.format import Location
from ckptcheck.errors import UsageError
from ckptcheck.text_safety import shown

# Depth to which an error looks for checkpoints to suggest: as deep as `verify` stores them.
DEEP = 4
_MOST_NAMED = 6


def open_checkpoint(path: Path | str) -> Checkpoint:
    """Open the checkpoint at a path: a file, a prefix, or a folder.

    `checkpoint["model/0.weight"]` is the value of a tensor, by the name that `inspect` shows; types
    that NumPy lacks, such as bfloat16, are those of `ml_dtypes`. `entries` describes all tensors.

    Raises DamagedError if its files are missing, truncated, corrupt or forged.
    """
    return find(Path(path)).open()


def find(path: Path) -> Location:
    """Return the checkpoint at a path; raise UsageError if there is none, or more than one."""
    if state_file.is_state_file(path):
        return _named_by(path)
    of_file = (each.of_file(path) for each in formats.FORMATS if path.is_file())
    location = _first(chain(of_file, (each.at(path) for each in formats.FORMATS)))
    if location is not None or path.is_dir():
        return location or _in_folder(path)
    if path.exists() and not path.is_file():
        raise UsageError(f"{path} is neither a file nor a folder.")
    raise UsageError(_refusal(path) if path.is_file() else _absence(path))


def _first(answers: Iterable[Location | None]) -> Location | None:
    return next(filter(None, answers), None)


def _refusal(file: Path) -> str:
    known = ", ".join(pattern for each in formats.FORMATS for pattern in each.patterns)
    try:
        refusals = [each.refusal(file) for each in formats.FORMATS]
        content = first_bytes.content(file)
    except OSError as error:
        return f"{file} cannot be read: {error.strerror}."
    by_content = f"{file} is {content.what}: {content.remedy}." if content else ""
    unknown = f"{file} is not a checkpoint file of a supported format: {known}."
    return next(filter(None, (*refusals, by_content)), unknown)


def _absence(path: Path) -> str:
    missing = [
        f"{path.name}{ending}"
        for each in formats.FORMATS
        if each.is_prefix
        for ending in each.endings
    ]
    return (
        f"There is no checkpoint at {path}: no file or folder of that name exists, "
        f"and no {' or '.join(missing)}.{_near(path)}"
    )


def checkpoints_in(folder: Path) -> list[Location]:
    """Return the checkpoints in a folder, without those in its subfolders."""
    locations: dict[Path, Location] = {}
    for each in formats.FORMATS:  # the first that knows a file's content or name
        for path in each.in_folder(folder):
            locations.setdefault(path, Location(path, each))
    return sorted(locations.values(), key=lambda location: by_number(location.path))


def whole_folder(folder: Path) -> Location | None:
    """Return the checkpoint that the files of a folder are together; None: they are none."""
    return _first(Location(folder, each) for each in formats.FORMATS if each.holds(folder))


def by_number(path: Path | str) -> tuple[object, ...]:
    """Return a key that sorts names by the numbers in them."""
    # Text and numbers alternate, so that each is compared with its like. A longer number is larger.
    parts = enumerate(re.split(r"([0-9]+)", str(path)))
    return tuple(
        (len(digits := part.lstrip("0")), digits) if at % 2 else part for at, part in parts
    )


def _in_folder(folder: Path) -> Location:
    state_files = state_file.in_folder(folder)
    if len(state_files) == 1 or any(file.name == state_file.NAME for file in state_files):
        return _named_by(state_files[0])
    if state_files:
        names = ", ".join(file.name for file in state_files)
        raise UsageError(
            f"{folder} has {len(state_files)} state files, none of the usual name "
            f"{state_file.NAME}: {names}. Name one, such as {state_files[0]}."
        )
    known = checkpoints_in(folder)
    if len(known) == 1:
        return replace(known[0], chosen=f"the only checkpoint in {folder}; there is no state file")
    if known:
        more = f" and {len(known) - _MOST_NAMED} more" if len(known) > _MOST_NAMED else ""
        names = ", ".join(location.path.name for location in known[:_MOST_NAMED]) + more
        raise UsageError(
            f"{folder} holds {len(known)} checkpoints, and no state file to choose one: {names}. "
            f"Name one, such as {known[-1].path}."
        )
    exported = _first(each.exported_in(folder) for each in formats.FORMATS)
    if exported is None:
        near = _near(folder / "*", DEEP) or under_other_names(folder)
        raise UsageError(f"The folder {folder} has no checkpoint.{near}")
    return exported


def _named_by(file: Path) -> Location:
    """Return the checkpoint that a state file names; raise DamagedError: none there."""
    state = state_file.read(file)
    path, name = state.resolve(state.newest), shown(state.newest)
    named = _first(each.at(path) for each in formats.FORMATS if each.state_file)
    if named is None:
        what = "is not a checkpoint prefix" if path.exists() else "does not exist"
        raise DamagedError(f"the state file names {name}, which {what}", state.file)
    is_here = path.parent.resolve() == file.parent.resolve()
    elsewhere = "" if is_here else ", which is in a different folder"
    return replace(named, chosen=f"named by {state.file}: {name}{elsewhere}")


def under_other_names(folder: Path) -> str:
    """Return sentences about a folder's files whose names hide a checkpoint.

    Such as an HDF5 file without an ending.
    """
    found = [
        f" {file.name} is {content.what}: {content.remedy}."
        for file, content in first_bytes.of_checkpoints(sorted(folder.iterdir()))
    ]
    return "".join(found[:_MOST_NAMED])


def _near(path: Path, deep: int = 1) -> str:
    """Return a sentence that lists the checkpoints near a path, down to a depth of subfolders."""
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
    more = ", …" if len(known) > _MOST_NAMED else ""
    return f" Nearby checkpoints: {', '.join(known[:_MOST_NAMED])}{more}." if known else ""
