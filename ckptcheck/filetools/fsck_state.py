"""Check that the state file of a folder names the checkpoint that a restore should take."""

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from ckptcheck.checkpoints import DamagedError, state_file
from ckptcheck.checkpoints.tensor_bundle.bundle import INDEX
from ckptcheck.checkpoints.tensor_bundle.format import has_index
from ckptcheck.counts import counted
from ckptcheck.filetools.fsck_findings import LOOK, WRONG, Finding

_NOTHING_FOUND = (
    "tf.train.latest_checkpoint returns None, and most jobs then start over without an error"
)
# A name with a number, such as model.ckpt-1000: the step, or a count of saves.
_NUMBERED = re.compile(r"(?P<name>.*?)-(?P<number>\d+)")


def number(name: str) -> int | None:
    """Return the number at the end of a checkpoint's name, if it has one."""
    numbered = _NUMBERED.fullmatch(name)
    return int(numbered["number"]) if numbered else None


def check_state(folder: Path, whole: Sequence[Path]) -> Iterator[Finding]:
    """Check the state file of a folder; `whole` are its prefixes that can be restored."""
    try:
        state = state_file.read(folder)
    except DamagedError as error:
        what = f"The state file cannot be read: {error.what}"
        remedy = f"replace its content: {_newest_line(whole)}"
        yield Finding(WRONG, what, str(error.file), _NOTHING_FOUND, remedy)
        return
    if state is not None:
        yield from _target(state, whole)
        yield from _kept(state)
    elif whole and folder.name != "variables":  # a SavedModel needs no state file
        what = f"There is no state file for {counted(len(whole), 'checkpoint')}"
        remedy = f"create it: {_newest_line(whole)}"
        yield Finding(LOOK, what, str(folder / state_file.NAME), _NOTHING_FOUND, remedy)


def _target(state: state_file.State, whole: Sequence[Path]) -> Iterator[Finding]:
    target, folder = state.resolve(state.newest), state.file.parent
    elsewhere = target.parent.resolve() != folder.resolve()
    if not has_index(target):
        yield _nowhere(state, target, elsewhere, whole)
    elif elsewhere:
        what = f"The state file names a checkpoint in a different folder: {state.newest}"
        effect = (
            "a restore loads that checkpoint, not one from this folder: "
            "the state file was not updated when the folder was copied or moved"
        )
        remedy = f"name a checkpoint of this folder: {_newest_line(whole, target.name)}"
        yield Finding(WRONG, what, str(state.file), effect, remedy)
    else:
        yield from _newer(state, target, whole)


def _nowhere(
    state: state_file.State, target: Path, elsewhere: bool, whole: Sequence[Path]
) -> Finding:
    here = elsewhere and has_index(state.file.parent / target.name)
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


def _newer(state: state_file.State, target: Path, whole: Sequence[Path]) -> Iterator[Finding]:
    """Look for a higher number: a later save, or one from before training went back."""
    newest = _newest(whole, target.name)
    if (
        newest is None
        or _family(newest.name) != _family(target.name)
        or _order(newest) <= _order(target)
    ):
        return
    if _written(newest) < _written(target):
        what = (
            f"The state file names {target.name}, the last one written; "
            f"{newest.name} is older, but has a higher number"
        )
        effect = f"a restore takes {target.name}: right if training went back to an earlier step"
        remedy = f"if training went back, move {newest.name}.* away before a save reuses the name"
        yield Finding(LOOK, what, str(state.file), effect, remedy)
        return
    what = f"The state file names {target.name}, but {newest.name} is newer and whole"
    effect = f"a restore takes {target.name}: the state file is older than the last save"
    remedy = f"name the newest checkpoint: {_newest_line(whole, target.name)}"
    yield Finding(WRONG, what, str(state.file), effect, remedy)


def _kept(state: state_file.State) -> Iterator[Finding]:
    effect = "none, unless you restore it by name; CheckpointManager still counts it"
    for name in dict.fromkeys(state.kept):
        if name != state.newest and not has_index(state.resolve(name)):
            what = f"The state file lists {name}, which does not exist"
            remedy = f"delete the line all_model_checkpoint_paths: {json.dumps(name)}"
            yield Finding(LOOK, what, str(state.file), effect, remedy)


def _family(name: str) -> str:
    numbered = _NUMBERED.fullmatch(name)
    return numbered["name"] if numbered else name


def _order(prefix: Path) -> int:
    return number(prefix.name) or 0


def _written(prefix: Path) -> int:
    return Path(f"{prefix}{INDEX}").stat().st_mtime_ns


def _newest(whole: Sequence[Path], like: str) -> Path | None:
    """Return the newest checkpoint named `like`, or if there is none, of the name written last."""
    family = (
        _family(like) if any(_family(prefix.name) == _family(like) for prefix in whole) else None
    )
    if family is None and whole:
        family = _family(max(whole, key=_written).name)
    return max(
        (prefix for prefix in whole if _family(prefix.name) == family), key=_order, default=None
    )


def _newest_line(whole: Sequence[Path], like: str = "") -> str:
    newest = _newest(whole, like)
    return (
        "(no checkpoint here is whole)"
        if newest is None
        else f"model_checkpoint_path: {json.dumps(newest.name)}"
    )
