"""Which checkpoint a path stands for: a prefix, any file of it, a file of Keras, or a folder, whose state file decides."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from ckptcheck.checkpoints import state_file
from ckptcheck.checkpoints.checkpoint import Checkpoint
from ckptcheck.checkpoints.errors import DamagedError
from ckptcheck.checkpoints.tensor_bundle.bundle import INDEX, open_bundle
from ckptcheck.checkpoints.tensor_bundle.table import is_table
from ckptcheck.errors import UsageError
from ckptcheck.text_safety import shown

DATA = re.compile(r"(?P<prefix>.+)\.data-(?P<shard>\d{5})-of-(?P<shards>\d{5})")
KERAS = (".keras", ".h5", ".hdf5")
META = ".meta"  # the graph, which a Saver writes beside a checkpoint
# How deep a folder without a checkpoint is searched for some to name: as deep as `verify` leaves them.
DEEP = 4
_SAVED_MODEL = Path("variables", "variables")


@dataclass(frozen=True)
class Found:
    """A checkpoint that was found: the prefix of a bundle, or a file of Keras; `chosen` says how, where that needs words."""

    path: Path
    chosen: str = ""
    is_keras: bool = False


def open_checkpoint(path: Path | str) -> Checkpoint:
    """Open the checkpoint that a path stands for.

    Raises:
        UsageError: the path stands for no checkpoint, or for several.
        DamagedError: its files are missing, torn, corrupt or forged.
    """
    return opened(find(Path(path)))


def opened(found: Found) -> Checkpoint:
    """Open a checkpoint that was found.

    Raises:
        DamagedError: its files are missing, torn, corrupt or forged.
    """
    if not found.is_keras:
        return open_bundle(found.path, found.chosen)
    from ckptcheck.checkpoints.keras import file as keras_file  # needed for them alone

    return (keras_file.open_archive if found.path.suffix == ".keras" else keras_file.open_weights)(found.path)


def find(path: Path) -> Found:
    """Return the checkpoint that a path stands for.

    Raises:
        UsageError: there is none, or more than one to choose from.
        DamagedError: a state file cannot be read.
    """
    if path.is_dir() and not has_index(path):
        return _in_folder(path)
    if path.is_file():
        if path.name == state_file.NAME:
            return _in_folder(path.parent)
        return _of_file(path)
    if has_index(path):
        return Found(path, f"there is a folder {path}, too" if path.is_dir() else "")
    if any(_data_files(path)):
        return Found(path)
    raise UsageError(f"There is no checkpoint at {path}: no such file or folder, and no {path.name}{INDEX}.{_near(path)}")


def has_index(prefix: Path) -> bool:
    """Return whether there is an index file of a prefix."""
    return Path(f"{prefix}{INDEX}").is_file()


def _of_file(path: Path) -> Found:
    if path.suffix == INDEX:
        return Found(path.with_suffix(""))
    data = DATA.fullmatch(path.name)
    if data:
        return Found(path.with_name(data["prefix"]))
    if path.name.endswith(KERAS):
        return Found(path, is_keras=True)
    if path.suffix == META and has_index(path.with_suffix("")):
        return Found(path.with_suffix(""))
    if has_index(path):
        return Found(path)
    if is_table(path):
        raise UsageError(
            f"{path} is a checkpoint of the first kind (V1), from before TensorFlow 0.12. Restore it with a Saver and save it "
            "anew: what is read here are those of the second kind."
        )
    if path.name.endswith(".weights.json"):
        raise UsageError(f"{path} is the list of a sharded file of Keras; give one of its .weights.h5 files.")
    kinds = f"*{INDEX}, *.data-00000-of-00001, {state_file.NAME}, *{', *'.join(KERAS)}"
    raise UsageError(f"{path} is no file of a checkpoint that is known here: {kinds}.")


def _data_files(prefix: Path) -> Iterator[Path]:
    if prefix.parent.is_dir():
        for each in prefix.parent.iterdir():
            found = DATA.fullmatch(each.name)
            if found and found["prefix"] == prefix.name:
                yield each


def checkpoints_in(folder: Path) -> list[Found]:
    """Return the checkpoints of a folder, not of those in it: prefixes that have an index, and files of Keras.

    Others than TensorFlow call a file an index, too: one without data that does not look like ours is none.
    """
    files = [each for each in folder.iterdir() if each.is_file()]
    data = {found["prefix"] for each in files if (found := DATA.fullmatch(each.name))}
    indexes = (each for each in files if each.suffix == INDEX)
    bundles = [Found(each.with_suffix("")) for each in indexes if each.stem in data or is_table(each)]
    keras = [Found(each, is_keras=True) for each in files if each.name.endswith(KERAS)]
    return sorted((*bundles, *keras), key=lambda each: by_number(each.path))


def files_of(found: Found) -> Iterator[Path]:
    """Yield those files of a checkpoint that are there: of a prefix its index and data, or the file of Keras."""
    if found.is_keras:
        yield found.path
        return
    if has_index(found.path):
        yield Path(f"{found.path}{INDEX}")
    yield from _data_files(found.path)


def by_number(path: Path | str) -> tuple[object, ...]:
    """Return a key that sorts names by the numbers in them."""
    # Texts and numbers take turns in it, so that like is compared with like; a longer number is a larger one.
    parts = enumerate(re.split(r"([0-9]+)", str(path)))
    return tuple((len(digits := part.lstrip("0")), digits) if at % 2 else part for at, part in parts)


def _in_folder(folder: Path) -> Found:
    state = state_file.read(folder)
    if state is not None:
        return _named(state)
    known = checkpoints_in(folder)
    if not known and has_index(folder / _SAVED_MODEL):
        return Found(folder / _SAVED_MODEL, f"{folder} is a SavedModel")
    if len(known) == 1:
        return replace(known[0], chosen=f"{folder} holds no other, and no state file")
    if not known:
        raise UsageError(f"{folder} holds no checkpoint.{_near(folder / '*', DEEP)}")
    names = ", ".join(each.path.name for each in known[:6]) + (f" and {len(known) - 6} more" if len(known) > 6 else "")
    raise UsageError(f"{folder} holds {len(known)} checkpoints and no state file that names one: {names}. Name it.")


def _named(state: state_file.State) -> Found:
    """Return the checkpoint that a state file names: nothing but a prefix will do."""
    path, name = state.resolve(state.newest), shown(state.newest)
    if not has_index(path) and not any(_data_files(path)):
        what = "is no checkpoint" if path.exists() else "does not exist"
        raise DamagedError(f"it names {name}, which {what}", state.file)
    elsewhere = "" if path.parent.resolve() == state.file.parent.resolve() else ", which is in another folder"
    return Found(path, f"{state.file} names {name}{elsewhere}")


def _near(path: Path, deep: int = 1) -> str:
    """Say which checkpoints there are where one was looked for, and in so many folders within one another there."""
    folder = path.parent
    if not folder.is_dir():
        return ""
    known = [each.path.name for each in checkpoints_in(folder)]
    patterns = ["*/" * depth + f"*{ending}" for depth in range(1, deep + 1) for ending in (INDEX, *KERAS)]
    inside = {str(each.parent.relative_to(folder)) for pattern in patterns for each in folder.glob(pattern)}
    known += [f"{each}/" for each in sorted(inside, key=by_number)]
    return f" There are: {', '.join(known[:6])}{', …' if len(known) > 6 else ''}." if known else ""
