"""Folders of Accelerate: whether `Accelerator.load_state` finds all that `save_state` saved.

`save_accelerator_state` (accelerate/checkpointing.py) writes the models, then the optimizers,
schedulers and samplers, and the random states last. With `automatic_checkpoint_naming`,
`load_state` takes the folder with the highest number.
"""

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

from ckptcheck.checkpoints.errors import DamagedError
from ckptcheck.checkpoints.torch_zip.format import TORCH_ZIP
from ckptcheck.checkpoints.training_folder import (
    ACCELERATE,
    is_of_accelerate,
    is_of_trainer,
    missing_of_accelerate,
)
from ckptcheck.filetools.fsck_findings import LOOK, WRONG, Finding
from ckptcheck.filetools.fsck_trainer import not_whole

_SCHEDULER = "scheduler.bin"
_NAME = re.compile(r"checkpoint_(\d+)")
_EFFECTS = {
    "model": (WRONG, "load_state raises"),
    "optimizer": (LOOK, "load_state raises, if the program has prepared an optimizer"),
    "random states": (
        LOOK,
        "load_state succeeds with different random numbers, counts its steps from 0, "
        "and only logs that",
    ),
}
_GO_BACK = "load an older folder that is whole, or copy the file again"


def check_newest(folder: Path) -> Iterator[Finding]:
    """Report if the folder that `load_state` takes by itself is not whole, and an older one is."""
    named = {each: _NAME.fullmatch(each.name) for each in folder.iterdir() if each.is_dir()}
    saved = {each: int(match[1]) for each, match in named.items() if match}
    order = sorted(saved, key=saved.__getitem__)
    whole = [each for each in order if _is_saved(each) and not missing_of_accelerate(each)]
    if whole and order[-1] is not whole[-1]:
        effect = "load_state() takes the newest: it raises, or silently loses state"
        remedy = f"name the folder: load_state({str(whole[-1])!r})"
        yield Finding(WRONG, not_whole(order[-1], whole[-1]), str(folder), effect, remedy)


def check_saved(folder: Path) -> Iterator[Finding]:
    """Report what `load_state` would not find in a folder that Accelerate has saved."""
    for part in missing_of_accelerate(folder) if _is_saved(folder) else ():
        grade, effect = _EFFECTS[part]
        what = (
            f"The {part} {'are' if part.endswith('s') else 'is'} missing: no {ACCELERATE[part][0]}"
        )
        yield Finding(grade, what, str(folder), effect, _GO_BACK)
    if _is_saved(folder) and _lost_schedule(folder):
        what = f"{_SCHEDULER} is missing, but the optimizer had a schedule"
        effect = "load_state raises, if the program has prepared that schedule"
        yield Finding(LOOK, what, str(folder), effect, _GO_BACK)


def _lost_schedule(folder: Path) -> bool:
    """Return whether the optimizer has the rate that a schedule notes, without the schedule."""
    optimizer = folder / ACCELERATE["optimizer"][0]
    if (folder / _SCHEDULER).exists() or not optimizer.is_file():
        return False
    with contextlib.suppress(DamagedError):
        return any(key.endswith("/initial_lr") for key in TORCH_ZIP.open(optimizer).entries)
    return False


def _is_saved(folder: Path) -> bool:
    return is_of_accelerate(folder) and not is_of_trainer(folder)
