"""Whether the state file of a folder leads a restore to the checkpoint that it should take."""

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from ckptcheck.checkpoints import DamagedError, state_file
from ckptcheck.checkpoints.tensor_bundle.bundle import INDEX
from ckptcheck.checkpoints.tensor_bundle.format import has_index
from ckptcheck.filetools.fsck_findings import LOOK, WRONG, Finding
from ckptcheck.filetools.tables import counted

_NOTHING_FOUND = "tf.train.latest_checkpoint finds nothing: a job that restores where it can begins anew, without an error"
# The number behind a name, such as model.ckpt-1000: the step, or how often was saved.
_NUMBERED = re.compile(r"(?P<name>.*?)-(?P<number>\d+)")


def number(name: str) -> int | None:
    """Return the number behind the name of a checkpoint, if it has one."""
    numbered = _NUMBERED.fullmatch(name)
    return int(numbered["number"]) if numbered else None


def check_state(folder: Path, whole: Sequence[Path]) -> Iterator[Finding]:
    """Check the state file of a folder; `whole` are the prefixes in it that can be restored."""
    try:
        state = state_file.read(folder)
    except DamagedError as error:
        what, remedy = (
            f"The state file cannot be read: {error.what}",
            f"write it anew: {_newest_line(whole)}",
        )
        yield Finding(WRONG, what, str(error.file), _NOTHING_FOUND, remedy)
        return
    if state is not None:
        yield from _target(state, whole)
        yield from _kept(state)
    elif whole and folder.name != "variables":  # that of a SavedModel has none
        what = f"There is no state file beside {counted(len(whole), 'checkpoint')}"
        yield Finding(
            LOOK,
            what,
            str(folder / state_file.NAME),
            _NOTHING_FOUND,
            f"write one: {_newest_line(whole)}",
        )


def _target(state: state_file.State, whole: Sequence[Path]) -> Iterator[Finding]:
    target, folder = state.resolve(state.newest), state.file.parent
    elsewhere = target.parent.resolve() != folder.resolve()
    if not has_index(target):
        yield _nowhere(state, target, elsewhere, whole)
    elif elsewhere:
        what, moved = (
            f"It names a checkpoint in another folder: {state.newest}",
            "the folder was copied or moved",
        )
        effect = f"a restore takes that one, not any of this folder: {moved}, its state file was not adapted"
        remedy = f"name one of this folder: {_newest_line(whole, target.name)}"
        yield Finding(WRONG, what, str(state.file), effect, remedy)
    else:
        yield from _newer(state, target, whole)


def _nowhere(
    state: state_file.State, target: Path, elsewhere: bool, whole: Sequence[Path]
) -> Finding:
    here = elsewhere and has_index(state.file.parent / target.name)
    also = ", though there is one of that name here" if here else ""
    # TensorFlow takes whatever is called so for a checkpoint of the first kind.
    effect = (
        "tf.train.latest_checkpoint returns it, and a restore of it raises"
        if target.exists()
        else _NOTHING_FOUND
    )
    remedy = f"name one that is there: {_newest_line(whole, target.name)}"
    return Finding(
        WRONG,
        f"It names a checkpoint that does not exist: {state.newest}{also}",
        str(state.file),
        effect,
        remedy,
    )


def _newer(state: state_file.State, target: Path, whole: Sequence[Path]) -> Iterator[Finding]:
    """Look for a checkpoint of the same name and a higher number: saved later, or left from before training went back."""
    newest = _newest(whole, target.name)
    if (
        newest is None
        or _family(newest.name) != _family(target.name)
        or _order(newest) <= _order(target)
    ):
        return
    if _written(newest) < _written(target):
        what = f"It names {target.name}, which was written last; {newest.name} is older, and has a higher number"
        effect = f"a restore takes {target.name}: right where training went back to an earlier step"
        yield Finding(
            LOOK,
            what,
            str(state.file),
            effect,
            f"delete {newest.name}.*, which the next saves come by",
        )
        return
    what = f"It names {target.name}, and {newest.name} is there and whole"
    effect = f"a restore takes {target.name}, an older one: the state file is not of the last save"
    yield Finding(
        WRONG, what, str(state.file), effect, f"name the newest: {_newest_line(whole, target.name)}"
    )


def _kept(state: state_file.State) -> Iterator[Finding]:
    effect = "none, as long as nobody asks for it; CheckpointManager counts it among those it keeps"
    for name in dict.fromkeys(state.kept):
        if name != state.newest and not has_index(state.resolve(name)):
            remedy = f"take the line out: all_model_checkpoint_paths: {json.dumps(name)}"
            yield Finding(
                LOOK, f"It lists {name}, which is not there", str(state.file), effect, remedy
            )


def _family(name: str) -> str:
    numbered = _NUMBERED.fullmatch(name)
    return numbered["name"] if numbered else name


def _order(prefix: Path) -> int:
    return number(prefix.name) or 0


def _written(prefix: Path) -> int:
    return Path(f"{prefix}{INDEX}").stat().st_mtime_ns


def _newest(whole: Sequence[Path], like: str) -> Path | None:
    """Return the newest of the checkpoints of a name; where there is none, of those that were written last."""
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
        "there is none that is whole"
        if newest is None
        else f"model_checkpoint_path: {json.dumps(newest.name)}"
    )
