"""Check that the state file of a folder names the checkpoint that a restore should take."""

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from ckptcheck.checkpoints import DamagedError, Location, formats, state_file
from ckptcheck.counts import counted
from ckptcheck.filetools.fsck_findings import LOOK, WRONG, Finding

_NOTHING_FOUND = (
    "tf.train.latest_checkpoint returns None, and most jobs then start over without an error"
)
# A name with a number, such as model.ckpt-1000: the step, or a count of saves.
_NUMBERED = re.compile(r"(?P<name>.*?)-(?P<number>\d+)(-\?{5}-of-\d{5})?")


def number(name: str) -> int | None:
    """Return the number at the end of a checkpoint's name, if it has one."""
    numbered = _NUMBERED.fullmatch(name)
    return int(numbered["number"]) if numbered else None


def check_state(folder: Path, whole: Sequence[Location]) -> Iterator[Finding]:
    """Check the state files of a folder; `whole` are its checkpoints that can be restored."""
    files = state_file.in_folder(folder)
    for file in files:
        try:
            state = state_file.read(file)
        except DamagedError as error:
            what = f"The state file cannot be read: {error.what}"
            remedy = f"replace its content: {_newest_line(whole)}"
            yield Finding(WRONG, what, str(error.file), _NOTHING_FOUND, remedy)
            continue
        yield from _target(state, whole)
        yield from _kept(state)
    if not files and whole and folder.name != "variables":  # a SavedModel needs no state file
        what = f"There is no state file for {counted(len(whole), 'checkpoint')}"
        remedy = f"create it: {_newest_line(whole)}"
        yield Finding(LOOK, what, str(folder / state_file.NAME), _NOTHING_FOUND, remedy)


def _exists(path: Path) -> bool:
    return any(each.exists(path) for each in formats.FORMATS)


def _target(state: state_file.State, whole: Sequence[Location]) -> Iterator[Finding]:
    target, folder = state.resolve(state.newest), state.file.parent
    elsewhere = target.parent.resolve() != folder.resolve()
    if not _exists(target):
        yield _nowhere(state, target, elsewhere, whole)
    elif elsewhere:
        what = f"The state file names a checkpoint in a different folder: {state.newest}"
        effect = (
            "a restore loads that checkpoint, not one from this folder: "
            "the state file was not updated when the folder was copied or moved"
        )
        remedy = f"name a checkpoint of this folder: {_newest_line(whole, target.name)}"
        yield Finding(WRONG, what, str(state.file), effect, remedy)
    elif state.file.name == state_file.NAME:  # others may name the best, not the newest
        yield from _newer(state, target, whole)


def _nowhere(
    state: state_file.State, target: Path, elsewhere: bool, whole: Sequence[Location]
) -> Finding:
    here = elsewhere and _exists(state.file.parent / target.name)
    also = "; this folder has one of that name" if here else ""
    # TensorFlow takes any existing path for a V1 checkpoint.
    effect = (
        "tf.train.latest_checkpoint returns it, and a restore raises"
        if target.exists()
        else _NOTHING_FOUND
    )
    what = f"The state file names a checkpoint that does not exist: {state.newest}{also}"
    remedy = f"name an existing checkpoint: {_newest_line(whole, target.name)}"
    return Finding(WRONG, what, str(state.file), effect, remedy)


def _newer(state: state_file.State, target: Path, whole: Sequence[Location]) -> Iterator[Finding]:
    """Look for a higher number: a later save, or one from before training went back or anew."""
    family = [each for each in whole if _family(each.path.name) == _family(target.name)]
    own = next((each for each in family if each.path.name == target.name), None)
    latest = max(family, key=_order, default=None)
    if latest is None or (number(latest.path.name) or 0) <= (number(target.name) or 0):
        return
    newest = latest.path
    if own is not None and _written(latest) < _written(own):
        what = (
            f"The state file names {target.name}, the last one written; "
            f"{newest.name} is older, but has a higher number"
        )
        effect = (
            f"a restore takes {target.name}: correct only if training was meant to go back "
            "or to start over"
        )
        remedy = (
            f"to continue from {newest.name}, {_put(newest.name)}; "
            f"else move {_files(latest)} to a different folder, before a save reuses its name"
        )
        yield Finding(LOOK, what, str(state.file), effect, remedy)
        return
    what = f"The state file names {target.name}, but {newest.name} is newer and whole"
    effect = f"a restore takes {target.name}: the state file is older than the last save"
    remedy = f"name the newest checkpoint: {_newest_line(whole, target.name)}"
    yield Finding(WRONG, what, str(state.file), effect, remedy)


def _kept(state: state_file.State) -> Iterator[Finding]:
    effect = "none, unless you restore it by name; CheckpointManager still counts it"
    for name in dict.fromkeys(state.kept):
        if name != state.newest and not _exists(state.resolve(name)):
            what = f"The state file lists {name}, which does not exist"
            remedy = f"delete the line all_model_checkpoint_paths: {json.dumps(name)}"
            yield Finding(LOOK, what, str(state.file), effect, remedy)


def _family(name: str) -> str:
    numbered = _NUMBERED.fullmatch(name)
    return numbered["name"] if numbered else name


def _order(location: Location) -> int:
    return number(location.path.name) or 0


def _written(location: Location) -> int:
    """Return when a checkpoint was written: its first file is the one that makes it exist."""
    return next(iter(location.format.files(location.path))).stat().st_mtime_ns


def _newest_line(whole: Sequence[Location], like: str = "") -> str:
    """Return the line of a state file that names the newest checkpoint: one named `like`, if any.

    If checkpoints have different names, any may be the right one: all their newest are named.
    """
    if not whole:
        return "(no checkpoint here is whole)"
    families = {_family(location.path.name) for location in whole}
    newest = [
        max((each for each in whole if _family(each.path.name) == family), key=_order)
        for family in ({_family(like)} if _family(like) in families else families)
    ]
    newest.sort(key=_written, reverse=True)
    return f"model_checkpoint_path: {' or '.join(json.dumps(each.path.name) for each in newest)}"


def _files(location: Location) -> str:
    """Return a checkpoint's files, as a shell pattern."""
    return f"{location.path.name}{'.*' * location.format.is_prefix}"


def _put(name: str) -> str:
    return f"put it back: model_checkpoint_path: {json.dumps(name)}"
