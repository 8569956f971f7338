"""The format of folders that the Trainer of Transformers and Accelerate save: several files.

Each file is a checkpoint by itself. Together they are what a resume needs.
"""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from ckptcheck.checkpoints.checkpoint import Checkpoint
from ckptcheck.checkpoints.dcp.format import DCP
from ckptcheck.checkpoints.errors import DamagedError
from ckptcheck.checkpoints.format import Format, Location
from ckptcheck.checkpoints.safetensors.format import SAFETENSORS
from ckptcheck.checkpoints.torch_zip.format import TORCH_ZIP

TRAINER_STATE = "trainer_state.json"  # what a Trainer writes last
# What Accelerate saves, in this order: the first model and optimizer, and the random states.
ACCELERATE = {
    "model": (
        *("model.safetensors", "model.safetensors.index.json"),
        *("pytorch_model.bin", "pytorch_model.bin.index.json", "pytorch_model_fsdp_0"),
    ),
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
        if not any((folder / name).exists() for name in names)
    ]


def _is_saved(folder: Path) -> bool:
    return folder.is_dir() and (is_of_trainer(folder) or is_of_accelerate(folder))


def _number(folder: Path) -> int:
    """Return the number in the name of a folder of a run; -1: there is none."""
    numbered = _NUMBERED.fullmatch(folder.name)
    return int(numbered[1]) if numbered else -1


def _parts(folder: Path) -> list[Location]:
    """Return the checkpoints in a folder, and the distributed ones in its subfolders."""
    inside = [
        Location(path, each)
        for each in (TORCH_ZIP, SAFETENSORS)
        for path in each.in_folder(folder)
        if path.name != _ARGUMENTS
    ]
    below = (DCP.at(each) for each in folder.iterdir() if each.is_dir())
    return sorted([*inside, *filter(None, below)], key=lambda each: each.path.name)


def _named_parts(folder: Path) -> dict[str, Location]:
    """Return the parts by their names without endings, or with, where two would have one name."""
    parts = _parts(folder)
    stems = Counter(map(_stem, parts))
    return {each.path.name if stems[_stem(each)] > 1 else _stem(each): each for each in parts}


def _stem(part: Location) -> str:
    name = part.path.name
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
        if _is_saved(path):
            return Location(path, self)
        newest = max(filter(_is_saved, path.iterdir()), key=_number, default=None)
        if newest is None or _number(newest) < 0 or any(_parts(path)):
            return None
        return Location(newest, self, f"the newest whole folder in {path}")

    def in_folder(self, folder: Path) -> Iterator[Path]:
        return iter(())  # the parts are found by their formats

    def files(self, checkpoint: Path) -> Iterator[Path]:
        for each in sorted(checkpoint.iterdir()):
            if each.is_file() and not each.name.startswith("."):
                yield each
            elif each.is_dir() and DCP.at(each):
                yield from DCP.files(each)


TRAINING_FOLDER = _TrainingFolder("training folder", (), _open, is_folder=True)
