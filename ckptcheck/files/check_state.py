"""Whether the state file of a folder leads a restore to the checkpoint that it should take."""

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from ckptcheck.bundle import DamagedError, state_file
from ckptcheck.bundle.find import KERAS, by_number
from ckptcheck.bundle.tensor_bundle import INDEX
from ckptcheck.files.columns import counted
from ckptcheck.files.findings import LOOK, WRONG, Finding

_NOTHING_FOUND = "tf.train.latest_checkpoint finds nothing: a job that restores where it can begins anew, without an error"
# The number behind a name, such as model.ckpt-1000: the step, or how often was saved.
_NUMBERED = re.compile(r"(?P<name>.*?)-(?P<number>\d+)")


def number(name: str) -> int | None:
    """Return the number behind the name of a checkpoint, if it has one."""
    found = _NUMBERED.fullmatch(name)
    return int(found["number"]) if found else None


def check_state(folder: Path, whole: Sequence[Path]) -> Iterator[Finding]:
    """Check the state file of a folder; `whole` are the checkpoints in it that can be restored."""
    bundles = [each for each in whole if not each.name.endswith(KERAS)]
    try:
        state = state_file.read(folder)
    except DamagedError as error:
        what, remedy = f"The state file cannot be read: {error.what}", f"write it anew: {_newest_line(bundles)}"
        yield Finding(WRONG, what, str(error.file), _NOTHING_FOUND, remedy)
        return
    if state is not None:
        yield from _target(state, bundles)
        yield from _kept(state)
    elif bundles and folder.name != "variables":  # that of a SavedModel has none
        what, remedy = (
            f"There is no state file beside {counted(len(bundles), 'checkpoint')}",
            f"write one: {_newest_line(bundles)}",
        )
        yield Finding(LOOK, what, str(folder / state_file.NAME), _NOTHING_FOUND, remedy)


def _target(state: state_file.State, bundles: Sequence[Path]) -> Iterator[Finding]:
    """Check which checkpoint a state file leads to."""
    target, folder = state.resolve(state.newest), state.file.parent
    exists = Path(f"{target}{INDEX}").is_file()
    elsewhere = target.parent.resolve() != folder.resolve()
    newest = max(bundles, key=by_number, default=None)
    if elsewhere and exists:
        yield Finding(
            WRONG,
            f"It names a checkpoint in another folder: {state.newest}",
            str(state.file),
            "a restore takes that one, not any of this folder: the folder was copied or moved, its state file was not adapted",
            f"name one of this folder: {_newest_line(bundles)}",
        )
    elif not exists:
        copied = elsewhere and Path(f"{folder / target.name}{INDEX}").is_file()
        also = ", though there is one of that name here" if copied else ""
        what, remedy = (
            f"It names a checkpoint that does not exist: {state.newest}{also}",
            f"name one that is there: {_newest_line(bundles)}",
        )
        yield Finding(WRONG, what, str(state.file), _NOTHING_FOUND, remedy)
    elif newest is not None and _is_newer(newest, target):
        yield Finding(
            WRONG,
            f"It names {target.name}, and {newest.name} is there and whole",
            str(state.file),
            f"a restore takes {target.name}, an older one: the state file is not of the last save",
            f"name the newest: {_newest_line(bundles)}",
        )


def _kept(state: state_file.State) -> Iterator[Finding]:
    """Look for checkpoints that a state file lists, and that are gone."""
    gone = [
        each
        for each in dict.fromkeys(state.kept)
        if each != state.newest and not Path(f"{state.resolve(each)}{INDEX}").is_file()
    ]
    for each in gone:
        yield Finding(
            LOOK,
            f"It lists {each}, which is not there",
            str(state.file),
            "none, as long as nobody asks for it; CheckpointManager counts it among those it keeps",
            f"take the line out: all_model_checkpoint_paths: {json.dumps(each)}",
        )


def _is_newer(one: Path, other: Path) -> bool:
    """Return whether a checkpoint of the same name has a higher number."""
    mine, its = _NUMBERED.fullmatch(one.name), _NUMBERED.fullmatch(other.name)
    return bool(mine and its and mine["name"] == its["name"] and int(mine["number"]) > int(its["number"]))


def _newest_line(bundles: Sequence[Path]) -> str:
    if not bundles:
        return "there is none that is whole"
    return f"model_checkpoint_path: {json.dumps(max(bundles, key=by_number).name)}"
