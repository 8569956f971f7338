"""Files of Keras 3: `.weights.h5`, which is HDF5, and `.keras`, a zip file with one of these in it. Configs are read as data.

Keras gives each layer a group with a group `vars`, whose data sets are the layer's variables in the order of their creation.
"""

import io
import json
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any

import h5py
import ml_dtypes
import numpy as np

from ckptcheck.bundle.checkpoint import Array, Checkpoint, Entry, Piece
from ckptcheck.bundle.errors import DamagedError, NotReadableError
from ckptcheck.bundle.reading import CHUNK, Bytes, File
from ckptcheck.job import Kind

ARCHIVE, WEIGHTS = "Keras 3, model.save", "Keras 3, model.save_weights"
_MEMBER, _CONFIG = "model.weights.h5", "config.json"
_LARGEST_CONFIG = 1 << 28
_BATCH_NORM = "BatchNormalization"


@dataclass(frozen=True)
class KerasFile(Checkpoint):
    """A file of Keras 3. HDF5 has no checksum of values; those of a zip file have been verified when it was opened."""

    _data: dict[str, Any] = field(default_factory=dict, compare=False)

    def chunks(self, entry: Entry, piece: Piece, *, verify: bool = True) -> Iterator[Bytes]:
        """Yield a tensor's bytes, see `Checkpoint.chunks`."""
        data = self._data[entry.key]
        for where in _slabs(data.shape, max(1, CHUNK // max(1, data.dtype.itemsize))):
            try:
                part: Array = np.ascontiguousarray(data[where])
            except (OSError, RuntimeError, ValueError, MemoryError) as error:
                raise DamagedError(f"it cannot be read: {_told(error)}", self.path, tensor=entry.key) from None
            yield part.reshape(-1).view(np.uint8)

    def texts(self, entry: Entry) -> list[bytes]:
        """Return the elements of a tensor of text."""
        try:
            found = np.asarray(self._data[entry.key][()]).reshape(-1).tolist()
        except (OSError, RuntimeError, ValueError, MemoryError) as error:
            raise DamagedError(f"it cannot be read: {_told(error)}", self.path, tensor=entry.key) from None
        return [each if isinstance(each, bytes) else str(each).encode() for each in found]


def open_archive(path: Path) -> KerasFile:
    """Open a `.keras` file, verifying the checksum of all it holds.

    Raises:
        DamagedError: it is torn or corrupt, or holds no weights.
    """
    file = File(path)
    try:
        with zipfile.ZipFile(path) as archive:
            members = {each.filename: each for each in archive.infolist()}
            broken = archive.testzip()
            if broken is not None:
                raise DamagedError(f"{broken} in it does not have its checksum: it is corrupt", path)
            if _MEMBER not in members:
                raise NotReadableError(f"it holds no {_MEMBER}, only {', '.join(members) or 'nothing'}", path)
            config = members.get(_CONFIG)
            classes = {} if config is None else _classes(_json(archive, config, path))
            weights = members[_MEMBER]
            if weights.compress_type == zipfile.ZIP_STORED:
                start = _start_of(file, weights)
                source: Any = _Window(file, start, weights.file_size)
            else:  # Keras does not compress; whoever did can have it read into memory
                source = io.BytesIO(archive.read(weights))
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, zlib.error, OSError) as error:
        raise DamagedError(f"it is no whole zip file: {_told(error)}", path) from None
    return _opened(path, ARCHIVE, source, classes)


def open_weights(path: Path) -> KerasFile:
    """Open a `.weights.h5` file.

    Raises:
        DamagedError: it is torn or corrupt.
    """
    file = File(path)
    return _opened(path, WEIGHTS, _Window(file, 0, file.size), {})


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
    return member.header_offset + 30 + lengths


class _Window(io.RawIOBase):
    """A part of a file, as a file of its own."""

    def __init__(self, file: File, start: int, size: int) -> None:
        file.must_hold(start, size)
        self._file, self._start, self._size, self._at = file, start, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: Any) -> int:
        size = max(0, min(len(buffer), self._size - self._at))
        buffer[:size] = self._file.read(self._start + self._at, size)
        self._at += size
        return size


def _opened(path: Path, format_: str, source: Any, classes: Mapping[str, Mapping[str, Any]]) -> KerasFile:
    data: dict[str, Any] = {}
    names: dict[str, str] = {}

    def take(key: str, each: Any) -> None:
        if isinstance(each, h5py.Dataset):
            data[key] = each
        elif key.rpartition("/")[2] == "vars" and "name" in each.attrs:
            names[key] = str(each.attrs["name"])

    try:
        h5py.File(source, "r").visititems(take)
        entries = {key: _entry(path, key, each, _layer(key, names, classes, data)) for key, each in data.items()}
    except (OSError, RuntimeError, ValueError, KeyError, TypeError, UnicodeError) as error:
        raise DamagedError(f"it is no whole HDF5 file: {_told(error)}", path) from None
    return KerasFile(path, format_, (path,), entries, _data=data)


def _entry(path: Path, key: str, data: Any, kind: Kind) -> Entry:
    if data.external or data.is_virtual:
        raise NotReadableError("its values are in other files, which no file of Keras asks for", path, tensor=key)
    if data.shape is None:
        raise NotReadableError("it has no shape", path, tensor=key)
    dtype = np.dtype(ml_dtypes.bfloat16) if data.attrs.get("dtype") == "bfloat16" else data.dtype
    if h5py.check_string_dtype(data.dtype) is not None or data.dtype.kind == "O":
        return Entry(key, key, Kind.OTHER, "string", None, data.shape, (Piece((0,) * data.ndim, data.shape, path, None, 0),))
    size = prod(data.shape) * dtype.itemsize
    piece = Piece((0,) * data.ndim, data.shape, path, None, size)
    scalar = {Kind.SLOT: _of_scalar(dtype)}.get(kind, kind) if not data.shape else kind
    return Entry(key, key, scalar, dtype.name, dtype, data.shape, (piece,))


def _of_scalar(dtype: np.dtype[Any]) -> Kind:
    """Return the kind of a single number of an optimizer: how many updates it has made, or its learning rate."""
    return Kind.COUNTER if dtype.kind in "iu" else Kind.HYPERPARAMETER


def _layer(key: str, names: Mapping[str, str], classes: Mapping[str, Mapping[str, Any]], data: Mapping[str, Any]) -> Kind:
    """Return the kind of a variable by the layer that it is of, as far as the file tells."""
    group, _, which = key.rpartition("/")
    layer = group.removesuffix("/vars").rpartition("/")[2]
    if key.startswith("optimizer/"):
        return Kind.SLOT
    if "seed_generator" in key:
        return Kind.RNG
    if "metrics" in key.split("/")[0]:
        return Kind.METRIC
    config = classes.get(names.get(group, ""))
    of_batch_norm = config["class_name"] == _BATCH_NORM if config else layer.startswith("batch_normalization")
    if not of_batch_norm and not config:
        # A layer that is an attribute has the attribute's name here, and in its attributes its own.
        of_batch_norm = names.get(group, "").startswith("batch_normalization")
    if not of_batch_norm or not which.isdecimal():
        return Kind.WEIGHT
    count = sum(each.rpartition("/")[0] == group for each in data)
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


def _slabs(shape: tuple[int, ...], elements: int) -> Iterator[tuple[Any, ...]]:
    """Yield index expressions that cut an array into parts of at most so many elements, in the order of its elements."""
    if prod(shape) <= elements:
        if prod(shape):
            yield ()
        return
    row = prod(shape[1:])
    if row <= elements:
        step = elements // row
        yield from ((slice(at, min(at + step, shape[0])),) for at in range(0, shape[0], step))
    else:
        yield from ((at, *inside) for at in range(shape[0]) for inside in _slabs(shape[1:], elements))


def _told(error: BaseException) -> str:
    text = str(error).strip().splitlines()
    return text[0].rstrip(".") if text else type(error).__name__
