"""Folders of the Trainer of Transformers: whether a resume finds all that it saved.

`Trainer._save_checkpoint` writes the model, then `optimizer.pt`, `scheduler.pt`, `rng_state.pth`,
and `trainer_state.json` last. `get_last_checkpoint` takes the folder with the highest number.
"""

import json
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from ckptcheck.checkpoints.format import name_of
from ckptcheck.checkpoints.training_folder import ACCELERATE, TRAINER_STATE
from ckptcheck.filetools.fsck_findings import LOOK, WRONG, Finding

_NAME = re.compile(r"checkpoint-(\d+)")
_MODELS = (
    *("model.safetensors", "model.safetensors.index.json", "pytorch_model.bin"),
    *("adapter_model.safetensors", "pytorch_model.bin.index.json"),
)
_CONFIGS = ("config.json", "adapter_config.json")
_OPTIMIZER, _SCHEDULER = "optimizer.pt", "scheduler.pt"
_DEEPSPEED = "global_step"  # how the folder begins in which it saves both
_OF_ACCELERATE = ACCELERATE["random states"][0]
_RANDOM = "rng_state*.pth"
_GO_BACK = "resume from an older folder that is whole, or copy the file again"


def check_newest(folder: Path) -> Iterator[Finding]:
    """Report if the folder that a resume from the newest takes is not whole, and another is."""
    named = sorted((each for each in folder.iterdir() if _number(each) >= 0), key=_number)
    saved = [each for each in named if each.is_dir() and not (each / _OF_ACCELERATE).exists()]
    whole = [each for each in saved if _is_saved(each) and _step(each) is not None]
    if whole and saved[-1] is not whole[-1]:
        effect = "resume_from_checkpoint=True takes the newest, and raises"
        remedy = f"name the folder: resume_from_checkpoint={str(whole[-1])!r}"
        yield Finding(WRONG, not_whole(saved[-1], whole[-1]), str(folder), effect, remedy)


def not_whole(newest: Path, whole: Path) -> str:
    """Return what is wrong where the newest folder is not whole, and an older one is."""
    return f"The newest folder, {newest.name}, is not whole; {whole.name} is"


def check_saved(folder: Path) -> Iterator[Finding]:
    """Report what a resume from a folder would lose, if a Trainer has saved it."""
    if not _is_saved(folder):
        return
    step, place = _step(folder), str(folder)
    if step is None:
        there = (folder / TRAINER_STATE).is_file()
        state = "is damaged" if there else "is missing"
        what = f"{TRAINER_STATE}, which a Trainer writes last, {state}"
        effect = "a resume raises: the save was interrupted, or the copy is not whole"
        yield Finding(WRONG, what, place, effect, _GO_BACK)
    elif step != _number(folder):
        what = f"The name says step {_number(folder):,}, but {TRAINER_STATE} says {step:,}"
        remedy = "check whether the folder was renamed, or files of two saves were mixed"
        yield Finding(LOOK, what, place, f"a resume continues at step {step:,}", remedy)
    if not _has_model(folder):
        what = f"The model is missing: none of {', '.join(_MODELS[:3])} is there"
        yield Finding(WRONG, what, place, "a resume raises", _GO_BACK)
    for name in filter(partial(_is_damaged, folder), _CONFIGS):
        yield Finding(WRONG, f"{name} is damaged", place, "from_pretrained raises", _GO_BACK)
    yield from _silently_lost(folder, place)


def _is_damaged(folder: Path, name: str) -> bool:
    if not (folder / name).is_file():
        return (folder / name).exists()
    try:
        json.loads((folder / name).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return True
    return False


def _is_saved(folder: Path) -> bool:
    """Return whether a folder is one that a Trainer saved, whole or not."""
    is_named = bool(_NAME.fullmatch(name_of(folder))) and not (folder / _OF_ACCELERATE).exists()
    return is_named and any((folder / name).is_file() for name in (*_MODELS, TRAINER_STATE))


def _has_model(folder: Path) -> bool:
    """Return whether a folder has a model, or may have: FSDP, DeepSpeed and PEFT use subfolders."""
    return any(
        "model" in each.name or (each.is_dir() and any(each.iterdir())) for each in folder.iterdir()
    )


def _number(folder: Path) -> int:
    named = _NAME.fullmatch(name_of(folder))
    return int(named[1]) if named else -1


def _step(folder: Path) -> int | None:
    """Return the step in the state of a Trainer; None: it cannot be read."""
    if not (folder / TRAINER_STATE).is_file():  # a pipe would wait for its writer
        return None
    try:
        step = json.loads((folder / TRAINER_STATE).read_text(encoding="utf-8"))["global_step"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    return step if type(step) is int else None


def _silently_lost(folder: Path, place: str) -> Iterator[Finding]:
    """Report files without which a resume begins anew, and says nothing."""
    inside = {each.name for each in folder.iterdir()}
    has = [
        any(name.startswith(("optimizer", _DEEPSPEED)) for name in inside),
        any(name == _SCHEDULER or name.startswith(_DEEPSPEED) for name in inside),
    ]
    has_random = any(folder.glob(_RANDOM))
    remedy = _GO_BACK if any((*has, has_random)) else "save without save_only_model=True"
    if not all(has):
        missing = " and ".join(
            name
            for name, is_there in zip((_OPTIMIZER, _SCHEDULER), has, strict=True)
            if not is_there
        )
        effect = "a resume silently starts with a new optimizer and a new schedule"
        yield Finding(LOOK, f"Missing: {missing}", place, effect, remedy)
    if not has_random:
        effect = "a resume draws different random numbers, and only logs that"
        yield Finding(LOOK, "Missing: rng_state.pth", place, effect, remedy)
