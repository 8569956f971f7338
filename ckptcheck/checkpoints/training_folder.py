"""The format of folders that the Trainer of Transformers and Accelerate save: several files.

Each file is a checkpoint by itself. Together they are what a resume needs.
"""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from ckptcheck.checkpoints.checkpoint import Checkpoint
from ckptcheck.checkpoints.dcp.format import DCP
from ckptcheck.checkpoints.dcp.layout import own_files
from ckptcheck.checkpoints.errors import DamagedError
from ckptcheck.checkpoints.format import Format, Location, name_of
from ckptcheck.checkpoints.safetensors.format import SAFETENSORS
from ckptcheck.checkpoints.torch_zip.format import TORCH_ZIP

TRAINER_STATE = "trainer_state.json"  # what a Trainer writes last
# What Accelerate saves, in this order: the first model and optimizer, and the random states.
ACCELERATE = {
    "model": ("model.safetensors", "*model*", "*/*model*"),
    "optimizer": ("optimizer.bin", "optimizer_0"),
    "random states": ("random_states_0.pkl",),
}
_ARGUMENTS = "training_args.bin"  # no resume reads it
# What else a resume reads, or what decides what the weights mean.
_DOCUMENTS = (TRAINER_STATE, "config.json", "adapter_config.json")
_NUMBERED = re.compile(r"checkpoint[-_](\d{1,18})")
_ENDINGS = (".safetensors.index.json", ".safetensors", ".bin", ".pt", ".pth", ".pkl")


def is_of_trainer(folder: Path) -> bool:
    """Return whether a folder is one that a Trainer has saved whole."""
    return (folder / TRAINER_STATE).is_file() and any(_parts(folder))


def is_of_accelerate(folder: Path) -> bool:
    """Return whether a folder is one that `Accelerator.save_state` has saved, but for one part."""
    return len(missing_of_accelerate(folder)) < 2


def missing_of_accelerate(folder: Path) -> list[str]:
    """Return the parts that `Accelerator.save_state` saves, and that a folder has not."""
    return [
        part
        for part, names in ACCELERATE.items()
        if not any(any(folder.glob(name)) for name in names)
    ]


def _is_saved(folder: Path) -> bool:
    return folder.is_dir() and (is_of_trainer(folder) or is_of_accelerate(folder))


def _number(folder: Path) -> int:
    """Return the number in the name of a folder of a run; -1: there is none."""
    numbered = _NUMBERED.fullmatch(name_of(folder))
    return int(numbered[1]) if numbered else -1


def _parts(folder: Path) -> list[Location]:
    """Return the checkpoints in a folder and its subfolders, as of several adapters."""
    parts = [
        Location(path, each)
        for each in (TORCH_ZIP, SAFETENSORS, DCP)
        for place in _folders(folder)
        for path in each.in_folder(place)
        if path.name != _ARGUMENTS
    ]
    return sorted(parts, key=lambda each: each.path)


def _folders(folder: Path) -> list[Path]:
    """Return a folder and its subfolders, but none that is of a different save."""
    inside = [each for each in sorted(folder.iterdir()) if each.is_dir() and _number(each) < 0]
    return [folder, *(below for each in inside for below in _folders(each))]


def _named_parts(folder: Path) -> dict[str, Location]:
    """Return the parts by their names without endings, or with, where two would have one name."""
    names = {part: part.path.relative_to(folder).as_posix() for part in _parts(folder)}
    stems = Counter(map(_stem, names.values()))
    return {name if stems[_stem(name)] > 1 else _stem(name): part for part, name in names.items()}


def _stem(name: str) -> str:
    ending = next((each for each in _ENDINGS if name.endswith(each)), "")
    return name[: len(name) - len(ending)]


def _open(folder: Path) -> Checkpoint:
    from ckptcheck.checkpoints.json_document import open_document  # imports that take time
    from ckptcheck.checkpoints.parts import together

    saver = "Transformers, Trainer" if is_of_trainer(folder) else "Accelerate"
    parts = {name: part.open() for name, part in _named_parts(folder).items()}
    if not parts:
        raise DamagedError("the folder has no part that can be read", folder)
    documents = {
        name.removesuffix(".json"): open_document(folder / name)
        for name in _DOCUMENTS
        if (folder / name).is_file()
    }
    return together(folder, f"{saver}, folder", {**parts, **documents})


class _TrainingFolder(Format):
    @property
    def patterns(self) -> tuple[str, ...]:
        return ("folders of the Trainer and of Accelerate",)

    def recognises(self, name: str) -> bool:
        return False

    def of_file(self, file: Path) -> Location | None:
        return None

    def at(self, path: Path) -> Location | None:
        if not path.is_dir():
            return None
        if self.holds(path):
            return Location(path, self)
        saved = sorted(filter(_is_saved, path.iterdir()), key=_number)
        whole = [each for each in saved if is_of_trainer(each) or not missing_of_accelerate(each)]
        newest = (whole or saved)[-1:]
        if not newest or _number(newest[0]) < 0 or any(_parts(path)):
            return None
        return Location(newest[0], self, f"the newest complete folder in {path}")

    def holds(self, folder: Path) -> bool:
        return _is_saved(folder)

    def in_folder(self, folder: Path) -> Iterator[Path]:
        return iter(())  # the parts are found by their formats

    def files(self, checkpoint: Path) -> Iterator[Path]:
        for folder in _folders(checkpoint):
            yield from own_files(folder)


TRAINING_FOLDER = _TrainingFolder("training folder", (), _open, is_folder=True)
