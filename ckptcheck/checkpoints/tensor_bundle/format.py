"""The format of tensor bundles: its files, and which of them TensorFlow would restore."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from ckptcheck.checkpoints import state_file
from ckptcheck.checkpoints.checkpoint import Checkpoint
from ckptcheck.checkpoints.errors import DamagedError
from ckptcheck.checkpoints.format import Format, Location
from ckptcheck.checkpoints.tensor_bundle.bundle import INDEX, is_index, open_bundle
from ckptcheck.checkpoints.tensor_bundle.table import check_unread, is_table

DATA = re.compile(r"(?P<prefix>.+)\.data-\d{5}-of-\d{5}")
META = ".meta"  # the graph, which a Saver writes beside a checkpoint
_SAVED_MODEL, _PROGRAM = Path("variables", "variables"), "saved_model.pb"
# Temporary names during a save. tensor_bundle.cc adds the process and a random number; file_io.py
# (tensorflow/python/lib/io) writes checkpoint.tmp and a UUID; sharded savers write into a folder.
_FILE = re.compile(r".+\.tempstate\d+|checkpoint\.tmp[0-9a-f]{32}")
_FOLDER = re.compile(r".+_temp(_[0-9a-f]{32})?")


def has_index(prefix: Path) -> bool:
    """Return whether a prefix has an index file."""
    return Path(f"{prefix}{INDEX}").is_file()


def _prefix(name: str) -> str | None:
    data = DATA.fullmatch(name)
    return data["prefix"] if data else None


def _data_files(prefix: Path) -> Iterator[Path]:
    if prefix.parent.is_dir():
        yield from (file for file in prefix.parent.iterdir() if _prefix(file.name) == prefix.name)


class _TensorBundles(Format):
    @property
    def patterns(self) -> tuple[str, ...]:
        return (*super().patterns, "*.data-00000-of-00001", self.state_file)

    def recognises(self, name: str) -> bool:
        return name.endswith(INDEX) or name == self.state_file or _prefix(name) is not None

    def of_file(self, file: Path) -> Location | None:
        if prefix := _prefix(file.name):
            return Location(file.with_name(prefix), self)
        if file.name == _PROGRAM:
            return self.exported_in(file.parent)
        is_part = file.suffix == INDEX or (file.suffix == META and has_index(file.with_suffix("")))
        return Location(file.with_suffix(""), self) if is_part else None

    def at(self, path: Path) -> Location | None:
        if has_index(path):
            return Location(path, self, "not the folder of that name" if path.is_dir() else "")
        is_taken = path.is_file() or path.is_dir()
        return Location(path, self) if not is_taken and any(_data_files(path)) else None

    def refusal(self, file: Path) -> str:
        if not is_table(file) or not is_index(file):
            return ""
        return f"{file} is the index of a V2 checkpoint: rename it to {file.name}{INDEX}."

    def exists(self, path: Path) -> bool:
        return has_index(path)

    def in_folder(self, folder: Path) -> Iterator[Path]:
        """Yield the prefixes; an `.index` file without data may be some other program's."""
        files = [file for file in folder.iterdir() if self.recognises(file.name) and file.is_file()]
        with_data = {_prefix(file.name) for file in files}
        indexes = (file for file in files if file.suffix == INDEX)
        return (
            file.with_suffix("") for file in indexes if file.stem in with_data or is_table(file)
        )

    def exported_in(self, folder: Path) -> Location | None:
        path = folder / _SAVED_MODEL
        return Location(path, self, "the variables of a SavedModel") if has_index(path) else None

    def files(self, checkpoint: Path) -> Iterator[Path]:
        if has_index(checkpoint):
            yield Path(f"{checkpoint}{INDEX}")
        yield from _data_files(checkpoint)

    def open_to_check(self, checkpoint: Path) -> tuple[Checkpoint, DamagedError | None]:
        of_graph = None
        try:
            bundle = open_bundle(checkpoint)
        except DamagedError as error:
            bundle, of_graph = open_bundle(checkpoint, named=False), error
        check_unread(bundle.files[0])
        return bundle, of_graph

    def is_temporary(self, path: Path) -> bool:
        if path.is_dir():
            # An unrelated folder may have such a name.
            return bool(_FOLDER.fullmatch(path.name)) and all(
                part.name.startswith("part-") for part in path.iterdir()
            )
        return bool(_FILE.fullmatch(path.name))

    def orphans(self, names: Sequence[str]) -> Mapping[str, Sequence[str]]:
        indexed = {name.removesuffix(INDEX) for name in names if name.endswith(INDEX)}
        parts: dict[str, list[str]] = {}
        for name in names:
            if (prefix := _prefix(name)) and prefix not in indexed:
                parts.setdefault(prefix, []).append(name)
        return parts


TENSOR_BUNDLE = _TensorBundles(
    "tensor bundle", (INDEX,), open_bundle, is_prefix=True, state_file=state_file.NAME
)
