"""Keras 3 files: `.weights.h5`, which is HDF5, and `.keras`, a zip archive that contains one.

A layer's HDF5 group has a subgroup `vars` that holds its variables in the order of creation.
Configs are parsed as data, never executed. HDF5 files from before Keras 3 are supported, too.
"""

import json
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from math import prod
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np

from ckptcheck.checkpoints.checkpoint import Checkpoint, Entry, Piece
from ckptcheck.checkpoints.errors import DamagedError, NotReadableError
from ckptcheck.checkpoints.first_bytes import HDF5, KERAS_MEMBER, ZIP, refusal
from ckptcheck.checkpoints.keras import classify as keras_kinds
from ckptcheck.checkpoints.keras.hdf5 import Hdf5, Where
from ckptcheck.checkpoints.keras.slot_names import slot_names
from ckptcheck.checkpoints.reader import CHUNK, Bytes, File
from ckptcheck.checkpoints.zip_members import must_be_plain, opened, start_of
from ckptcheck.kinds import Kind
from ckptcheck.text_safety import clipped, shown

_ARCHIVE, _WEIGHTS = "Keras 3, model.save", "Keras 3, model.save_weights"
# The group and the attributes of the older format, in which Keras 3 saves models, too.
_OLD, _OLD_ATTRIBUTES = "model_weights/", ("model_config", "layer_names", "keras_version")
_CONFIG = "config.json"
_LARGEST_CONFIG = 1 << 24
_LONGEST_LIST = 200  # characters


@dataclass(frozen=True)
class KerasFile(Checkpoint):
    """A Keras file. HDF5 has no checksums; those of a zip archive are verified on opening."""

    _hdf5: Hdf5 = field(kw_only=True, compare=False)

    def chunks(self, entry: Entry, piece: Piece, *, verify: bool = True) -> Iterator[Bytes]:
        """Yield a tensor's bytes."""
        assert entry.dtype is not None
        self.must_hold(entry)  # HDF5 fills data that was never written, at any size
        for where in _slabs(entry.shape, max(1, CHUNK // entry.dtype.itemsize)):
            yield np.frombuffer(self._hdf5.read(entry.key, where), np.uint8)

    def must_hold(self, entry: Entry) -> None:
        """Raise if a tensor is larger than the file: nothing is compressed."""
        File(self.path).must_hold(0, entry.bytes, entry.key)

    def texts(self, entry: Entry) -> list[bytes]:
        """Return the elements of a text tensor."""
        texts, content, at = [], self._hdf5.read(entry.key, None), 0
        while at < len(content):
            first = at + 8
            at = first + int.from_bytes(content[at:first], "little")
            texts.append(content[first:at])
        return texts


def open_archive(path: Path) -> KerasFile:
    """Open a `.keras` file, and verify all its checksums."""
    file = File(path)
    try:
        with opened(file) as archive:
            members: dict[str, zipfile.ZipInfo] = {}
            for member in archive.infolist():
                must_be_plain(file, member, members, "Keras")
                members[member.filename] = member
            broken = archive.testzip()
            if broken is not None:
                raise DamagedError(f"the checksum of {broken} in the archive does not match", path)
            if KERAS_MEMBER not in members:
                held = clipped(", ".join(shown(name) for name in members), _LONGEST_LIST)
                raise refusal(path, f"a Keras archive: it holds {held or 'nothing'}") or (
                    DamagedError(f"the zip archive has no {KERAS_MEMBER}", path)
                )
            config = _json(archive, members[_CONFIG], path) if _CONFIG in members else None
            weights = members[KERAS_MEMBER]
    except (
        zipfile.BadZipFile,
        NotImplementedError,
        RuntimeError,
        EOFError,
        zlib.error,
        OSError,
        ValueError,
    ) as error:
        raise _not_an_archive(path, error) from None
    return _opened(path, _ARCHIVE, Hdf5(path, start_of(file, weights), weights.file_size), config)


def _not_an_archive(path: Path, error: Exception) -> DamagedError:
    """Build the error for a file that `zipfile` cannot read, by its first bytes."""
    with path.open("rb") as file:
        is_zip = file.read(4) == ZIP
    if is_zip:
        return DamagedError(f"the zip archive is truncated or corrupt: {error}", path)
    what = "the file is not a zip archive, as .keras files are"
    return refusal(path, "a Keras archive") or DamagedError(what, path)


def _not_hdf5(path: Path, error: DamagedError) -> DamagedError:
    """Build the error for a file that HDF5 cannot read, by its first bytes."""
    with path.open("rb") as file:
        is_hdf5 = file.read(8) == HDF5
    return error if is_hdf5 else refusal(path, "HDF5") or error


def open_weights(path: Path) -> KerasFile:
    """Open a `.weights.h5` file."""
    file = File(path)
    try:
        hdf5 = Hdf5(path, 0, file.size)
    except DamagedError as error:
        raise _not_hdf5(path, error) from None
    return _opened(path, _format(hdf5), hdf5, None)


def _format(hdf5: Hdf5) -> str:
    """Return the name of the format, by what is in the file: its name says nothing."""
    is_model = any(key.startswith(_OLD) for key in hdf5.data) or "model_config" in hdf5.attributes
    if is_model or any(name in hdf5.attributes for name in _OLD_ATTRIBUTES):
        major = hdf5.attributes.get("keras_version", "").partition(".")[0]
        version = f" {major}" if major.isdecimal() else ""
        return f"Keras{version}, HDF5 of {'model.save' if is_model else 'model.save_weights'}"
    return _WEIGHTS if hdf5.names else "HDF5 of an unknown program"


def _json(archive: zipfile.ZipFile, config: zipfile.ZipInfo, path: Path) -> Any:
    if config.file_size > _LARGEST_CONFIG:
        raise DamagedError(
            f"{_CONFIG} in the archive has {config.file_size:,} bytes, too many for a config", path
        )
    try:
        return json.loads(archive.read(config))
    except (ValueError, RecursionError) as error:
        raise DamagedError(f"{_CONFIG} in the archive is not JSON: {error}", path) from None


def _opened(path: Path, format_: str, hdf5: Hdf5, config: Any) -> KerasFile:
    raw = {key: _entry(path, key, described) for key, described in hdf5.data.items()}
    kinds = keras_kinds.kinds(raw, hdf5.names, config)
    entries = {key: replace(described, kind=kinds[key]) for key, described in sorted(raw.items())}
    for key, name in slot_names(entries, hdf5.names, config).items():
        entries[key] = replace(entries[key], name=name)
    return KerasFile(path, format_, (path,), entries, _hdf5=hdf5)


def _entry(path: Path, key: str, described: Mapping[str, Any]) -> Entry:
    if "refused" in described:
        raise NotReadableError(described["refused"], path, tensor=key)
    shape = tuple(described["shape"])
    start = (0,) * len(shape)
    if described["dtype"] == "string":
        return Entry(
            key, key, Kind.OTHER, "string", None, shape, (Piece(start, shape, path, None, 0),)
        )
    dtype = np.dtype(ml_dtypes.bfloat16 if described["dtype"] == "bfloat16" else described["dtype"])
    piece = Piece(start, shape, path, None, prod(shape) * dtype.itemsize)
    return Entry(key, key, Kind.OTHER, dtype.name, dtype, shape, (piece,))


def _slabs(shape: tuple[int, ...], elements: int) -> Iterator[Where]:
    """Yield the places of an array's parts, of at most `elements` elements, in element order."""
    if prod(shape) <= elements:
        if prod(shape):
            yield ()
        return
    row = prod(shape[1:])
    if row <= elements:
        step = elements // row
        yield from (((at, min(at + step, shape[0])),) for at in range(0, shape[0], step))
    else:
        yield from (
            (at, *inside) for at in range(shape[0]) for inside in _slabs(shape[1:], elements)
        )
