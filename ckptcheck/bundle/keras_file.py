"""Files of Keras 3: `.weights.h5`, which is HDF5, and `.keras`, a zip file with one of these in it. Configs are read as data.

Keras gives each layer a group with a group `vars`, whose data sets are the layer's variables in the order of their creation.
"""

import json
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np

from ckptcheck.bundle.checkpoint import Checkpoint, Entry, Piece
from ckptcheck.bundle.errors import DamagedError, NotReadableError, shown
from ckptcheck.bundle.hdf5 import Hdf5, Where
from ckptcheck.bundle.reading import CHUNK, Bytes, File
from ckptcheck.job import Kind

ARCHIVE, WEIGHTS = "Keras 3, model.save", "Keras 3, model.save_weights"
_MEMBER, _CONFIG = "model.weights.h5", "config.json"
_LARGEST_CONFIG = 1 << 26
_BATCH_NORM = "BatchNormalization"


@dataclass(frozen=True)
class KerasFile(Checkpoint):
    """A file of Keras 3. HDF5 has no checksum of values; those of a zip file have been verified when it was opened."""

    _hdf5: Hdf5 | None = field(default=None, compare=False)

    def chunks(self, entry: Entry, piece: Piece, *, verify: bool = True) -> Iterator[Bytes]:
        """Yield a tensor's bytes, see `Checkpoint.chunks`."""
        assert entry.dtype is not None
        for where in _slabs(entry.shape, max(1, CHUNK // entry.dtype.itemsize)):
            yield np.frombuffer(self._read(entry.key, where), np.uint8)

    def must_hold(self, entry: Entry) -> None:
        """Refuse a tensor that is larger than the file, see `Checkpoint.must_hold`: nothing is compressed."""
        File(self.path).must_hold(0, entry.bytes, entry.key)

    def texts(self, entry: Entry) -> list[bytes]:
        """Return the elements of a tensor of text."""
        found, content = [], self._read(entry.key, None)
        while content:
            end = 8 + int.from_bytes(content[:8], "little")
            found.append(content[8:end])
            content = content[end:]
        return found

    def _read(self, key: str, where: Where | None) -> bytes:
        assert self._hdf5 is not None
        return self._hdf5.read(key, where)


def open_archive(path: Path) -> KerasFile:
    """Open a `.keras` file, verifying the checksum of all it holds.

    Raises:
        DamagedError: it is torn or corrupt, or holds no weights.
    """
    file = File(path)
    try:
        with zipfile.ZipFile(path) as archive:
            members = {each.filename: each for each in archive.infolist()}
            for each in members.values():  # zipfile believes these sizes, and makes room for them
                file.must_hold(each.header_offset, each.compress_size)
            broken = archive.testzip()
            if broken is not None:
                raise DamagedError(f"{broken} in it does not have its checksum: it is corrupt", path)
            if _MEMBER not in members:
                held = ", ".join(shown(each) for each in members)
                raise DamagedError(f"it holds no {_MEMBER}, only {held or 'nothing'}", path)
            config = members.get(_CONFIG)
            classes = {} if config is None else _classes(_json(archive, config, path))
            weights = members[_MEMBER]
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, zlib.error, OSError, ValueError) as error:
        raise DamagedError(f"it is no whole zip file: {error}", path) from None
    if weights.compress_type != zipfile.ZIP_STORED:
        raise NotReadableError(f"its {_MEMBER} is compressed, as Keras never does: zip it anew without", path)
    return _opened(path, ARCHIVE, Hdf5(path, _start_of(file, weights), weights.file_size), classes)


def open_weights(path: Path) -> KerasFile:
    """Open a `.weights.h5` file.

    Raises:
        DamagedError: it is torn or corrupt.
    """
    return _opened(path, WEIGHTS, Hdf5(path, 0, File(path).size), {})


def _json(archive: zipfile.ZipFile, config: zipfile.ZipInfo, path: Path) -> Any:
    if config.file_size > _LARGEST_CONFIG:
        raise DamagedError(f"its {_CONFIG} has {config.file_size:,} bytes, too many for a config", path)
    try:
        return json.loads(archive.read(config))
    except (ValueError, RecursionError) as error:
        raise DamagedError(f"its {_CONFIG} is no JSON: {error}", path) from None


def _start_of(file: File, member: zipfile.ZipInfo) -> int:
    """Return where the bytes of a member begin: behind its own header, whose last fields tell how long names are."""
    head = file.read(member.header_offset, 30)
    lengths = int.from_bytes(head[26:28], "little") + int.from_bytes(head[28:30], "little")
    start = member.header_offset + 30 + lengths
    file.must_hold(start, member.file_size)
    return start


def _opened(path: Path, format_: str, hdf5: Hdf5, classes: Mapping[str, Mapping[str, Any]]) -> KerasFile:
    entries = {key: _entry(path, key, each, _layer(key, hdf5, classes)) for key, each in hdf5.data.items()}
    return KerasFile(path, format_, (path,), entries, _hdf5=hdf5)


def _entry(path: Path, key: str, found: Mapping[str, Any], kind: Kind) -> Entry:
    if "refused" in found:
        raise NotReadableError(found["refused"], path, tensor=key)
    shape = tuple(found["shape"])
    start = (0,) * len(shape)
    if found["dtype"] == "string":
        return Entry(key, key, Kind.OTHER, "string", None, shape, (Piece(start, shape, path, None, 0),))
    dtype = np.dtype(ml_dtypes.bfloat16 if found["dtype"] == "bfloat16" else found["dtype"])
    piece = Piece(start, shape, path, None, prod(shape) * dtype.itemsize)
    if kind is Kind.SLOT and not shape:
        kind = _of_scalar(dtype)
    return Entry(key, key, kind, dtype.name, dtype, shape, (piece,))


def _of_scalar(dtype: np.dtype[Any]) -> Kind:
    """Return the kind of a single number of an optimizer: how many updates it has made, or its learning rate."""
    return Kind.COUNTER if dtype.kind in "iu" else Kind.HYPERPARAMETER


def _layer(key: str, hdf5: Hdf5, classes: Mapping[str, Mapping[str, Any]]) -> Kind:
    """Return the kind of a variable by the layer that it is of, as far as the file tells."""
    group, _, which = key.rpartition("/")
    layer = group.removesuffix("/vars").rpartition("/")[2]
    if key.startswith("optimizer/"):
        return Kind.SLOT
    if "seed_generator" in key:
        return Kind.RNG
    if "metrics" in key.split("/")[0]:
        return Kind.METRIC
    name = hdf5.names.get(group, "")
    config = classes.get(name)
    of_batch_norm = config["class_name"] == _BATCH_NORM if config else layer.startswith("batch_normalization")
    if not of_batch_norm and not config:
        # A layer that is an attribute has the attribute's name here, and in its attributes its own.
        of_batch_norm = name.startswith("batch_normalization")
    if not of_batch_norm or not which.isdecimal():
        return Kind.WEIGHT
    count = sum(each.rpartition("/")[0] == group for each in hdf5.data)
    # gamma and beta, each where it is asked for, then the moving mean and variance.
    return Kind.MOVING_STATISTIC if int(which) >= count - 2 else Kind.WEIGHT


def _classes(config: Any) -> dict[str, Mapping[str, Any]]:
    """Return what a config tells of each layer, by the layer's name."""
    found: dict[str, Mapping[str, Any]] = {}
    waiting = [config]
    while waiting:
        each = waiting.pop()
        if isinstance(each, dict):
            inside = each.get("config")
            if isinstance(each.get("class_name"), str) and isinstance(inside, dict) and isinstance(inside.get("name"), str):
                found[inside["name"]] = each
            waiting += each.values()
        elif isinstance(each, list):
            waiting += each
    return found


def _slabs(shape: tuple[int, ...], elements: int) -> Iterator[Where]:
    """Yield places that cut an array into parts of at most so many elements, in the order of its elements."""
    if prod(shape) <= elements:
        if prod(shape):
            yield ()
        return
    row = prod(shape[1:])
    if row <= elements:
        step = elements // row
        yield from (((at, min(at + step, shape[0])),) for at in range(0, shape[0], step))
    else:
        yield from ((at, *inside) for at in range(shape[0]) for inside in _slabs(shape[1:], elements))
