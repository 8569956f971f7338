"""A file of safetensors, or several with an index.

The format: https://github.com/huggingface/safetensors#format. Eight bytes with the length of the
header, little-endian; the header, JSON: by name `dtype`, `shape` and `data_offsets`; then the
tensors, which cover the rest of the file without a gap. There are no checksums.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np

from ckptcheck import kinds
from ckptcheck.checkpoints.checkpoint import Checkpoint, Entry, Piece
from ckptcheck.checkpoints.errors import DamagedError, NotReadableError
from ckptcheck.checkpoints.first_bytes import refusal
from ckptcheck.checkpoints.reader import Bytes, File
from ckptcheck.counts import counted
from ckptcheck.text_safety import clipped, shown

INDEX = ".safetensors.index.json"
_MOST_HEADER = 100_000_000  # bytes, the limit of the library
_MOST_INDEX = 1 << 28
_NOTES = "__metadata__"
_LONGEST_NAME = 255  # bytes
_SPLIT = 8
# NumPy's types by those of a header. Those of less than a byte are not supported.
_TYPES: dict[str, np.dtype[Any]] = {
    "BOOL": np.dtype(bool),
    **{
        f"{sign}{8 * size}": np.dtype(f"<{sign.lower()}{size}")
        for sign in "IUF"
        for size in (2, 4, 8)
    },
    "I8": np.dtype("i1"),
    "U8": np.dtype("u1"),
    "C64": np.dtype("<c8"),
    "BF16": np.dtype(ml_dtypes.bfloat16),
    "F8_E5M2": np.dtype(ml_dtypes.float8_e5m2),
    "F8_E4M3": np.dtype(ml_dtypes.float8_e4m3fn),
    "F8_E4M3FNUZ": np.dtype(ml_dtypes.float8_e4m3fnuz),
    "F8_E5M2FNUZ": np.dtype(ml_dtypes.float8_e5m2fnuz),
    "F8_E8M0": np.dtype(ml_dtypes.float8_e8m0fnu),
}


@dataclass(frozen=True)
class Safetensors(Checkpoint):
    """Tensors of one file, or of several."""

    def chunks(self, entry: Entry, piece: Piece, *, verify: bool = True) -> Iterator[Bytes]:
        """Yield a tensor's bytes. There is no checksum to verify."""
        assert piece.offset is not None
        yield from File(piece.file).chunks(piece.offset, piece.size, entry.key)

    def must_hold(self, entry: Entry) -> None:
        """Raise if a file is too short for a tensor."""
        for piece in entry.pieces:
            assert piece.offset is not None
            File(piece.file).must_hold(piece.offset, piece.size, entry.key)

    def texts(self, entry: Entry) -> list[bytes]:
        """Return the text of an entry: a file holds none."""
        raise NotReadableError("the file holds no text", self.path, tensor=entry.key)


def open_file(path: Path) -> Safetensors:
    """Open a file of safetensors.

    Raises:
        DamagedError: it is truncated or corrupt, or its tensors overlap or leave a gap.
    """
    entries = _entries(path)
    return Safetensors(path, "safetensors", (path,), dict(sorted(entries.items())))


def open_index(path: Path) -> Safetensors:
    """Open the files that an index names. A file that is missing has no tensors.

    Raises:
        DamagedError: the index is corrupt, or a file does not hold what the index says.
    """
    named = _weight_map(path)
    files = {name: path.with_name(name) for name in dict.fromkeys(named.values())}
    held = {name: _entries(file) for name, file in files.items() if file.exists()}
    entries: dict[str, Entry] = {}
    for key, name in named.items():
        if name not in held:
            entries[key] = _absent(key, files[name])
        elif key in held[name]:
            entries[key] = held[name][key]
        else:
            what = f"the index says that {name} holds the tensor, which it does not"
            raise DamagedError(what, path, tensor=key)
    surplus = next((key for each in held.values() for key in each if key not in named), None)
    if surplus is not None:
        what = "a file holds the tensor, which the index does not name"
        raise DamagedError(what, path, tensor=surplus)
    return Safetensors(
        path, "safetensors with an index", (path, *files.values()), dict(sorted(entries.items()))
    )


def _weight_map(path: Path) -> dict[str, str]:
    file = File(path)
    if file.size > _MOST_INDEX:
        raise DamagedError(f"the index has {file.size:,} bytes, too many", path)
    document = _json(file.read(0, file.size), path, 0)
    named = document.get("weight_map") if isinstance(document, dict) else None
    if not isinstance(named, dict) or not named:
        raise DamagedError("the index has no weight_map", path)
    for key, name in named.items():
        # A path would lead out of the folder.
        if not isinstance(name, str) or not _is_file_name(name):
            raise DamagedError("the index names no file of its folder", path, tensor=key)
    return named


def _is_file_name(name: str) -> bool:
    """Return whether a name may be that of a file in a folder: no path, and not too long."""
    plain = name.isprintable() and name not in ("", ".", "..") and Path(name).name == name
    return plain and len(name.encode()) <= _LONGEST_NAME


def _absent(key: str, file: Path) -> Entry:
    """Return a tensor of a file that is missing: nothing is known of it."""
    piece = Piece((0,), (0,), file, 0, 0)
    return Entry(key, key, kinds.Kind.OTHER, "unknown", np.dtype("u1"), (0,), (piece,))


def _entries(path: Path) -> dict[str, Entry]:
    file = File(path)
    header, start = _header(file)
    entries: dict[str, Entry] = {}
    places: list[tuple[int, int, str]] = []
    notes = header.get(_NOTES, {})
    if not isinstance(notes, dict) or not all(isinstance(each, str) for each in notes.values()):
        raise DamagedError(
            f"{_NOTES} holds more than text, which the library refuses", path, _SPLIT
        )
    for key, described in header.items():
        if key != _NOTES:
            begin, end, entry = _entry(path, key, described, start)
            entries[key] = entry
            places.append((begin, end, key))
    _must_cover(file, sorted(places), start)
    return entries


def _header(file: File) -> tuple[Mapping[str, Any], int]:
    """Return the header, and where the tensors begin."""
    length = int.from_bytes(file.read(0, min(_SPLIT, file.size)), "little")
    is_whole = file.size >= _SPLIT and length <= min(_MOST_HEADER, file.size - _SPLIT)
    content = file.read(_SPLIT, length) if is_whole else b""
    if content[:1] != b"{":
        what = "the header is cut off or corrupt: its length is said to be"
        raise refusal(file.path, "safetensors") or DamagedError(
            f"{what} {length:,} bytes", file.path, 0
        )
    document = _json(content, file.path, _SPLIT)
    if not isinstance(document, dict):
        raise DamagedError("the header is no JSON object", file.path, _SPLIT)
    return document, _SPLIT + length


def _json(content: bytes, path: Path, at: int) -> Any:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            raise ValueError("a name is there twice")
        return found

    try:
        return json.loads(content, object_pairs_hook=unique)
    except (ValueError, RecursionError) as error:
        raise DamagedError(f"the JSON is corrupt: {clipped(str(error), 200)}", path, at) from None


def _entry(path: Path, key: str, described: Any, start: int) -> tuple[int, int, Entry]:
    """Return where a tensor begins and ends behind the header, and the tensor."""
    parts = described if isinstance(described, dict) else {}
    sizes, offsets = _sizes(parts.get("shape")), _sizes(parts.get("data_offsets"))
    type_ = parts.get("dtype")
    if sizes is None or offsets is None or len(offsets) != 2:
        raise DamagedError("its shape or its place are no sizes", path, tensor=key)
    if not isinstance(type_, str):
        raise DamagedError("it has no type", path, tensor=key)
    begin, end = offsets
    dtype = _TYPES.get(type_)
    if dtype is None:
        raise NotReadableError(f"its type {shown(clipped(type_, 40))} is unknown", path, tensor=key)
    if end - begin != prod(sizes) * dtype.itemsize:
        what = f"{type_}{list(sizes)} takes {prod(sizes) * dtype.itemsize:,} bytes"
        raise DamagedError(f"{what}, but has a place of {end - begin:,}", path, tensor=key)
    kind = kinds.by_name(key.replace(".", "/"), dtype.kind, not sizes)
    piece = Piece((0,) * len(sizes), sizes, path, start + begin, end - begin)
    return begin, end, Entry(key, key, kind, dtype.name, dtype, sizes, (piece,))


def _sizes(value: Any) -> tuple[int, ...] | None:
    """Return a list of sizes; None: it is none."""
    is_list = isinstance(value, list) and all(
        type(each) is int and 0 <= each < 1 << 62 for each in value
    )
    return tuple(value) if is_list else None


def _must_cover(file: File, places: list[tuple[int, int, str]], start: int) -> None:
    """Raise unless the tensors lie one after another, without a gap, up to the end of the file."""
    at = 0
    for begin, end, key in places:
        if begin != at:
            what = (
                "overlaps the one before" if begin < at else f"leaves a gap of {begin - at:,} bytes"
            )
            raise DamagedError(f"its place {what}", file.path, start + begin, key)
        at = end
    if places:
        begin, end, key = places[-1]
        file.must_hold(start + begin, end - begin, key)
    surplus = file.size - start - at
    if surplus:
        what = f"{counted(surplus, 'byte')} after the last tensor, which the library refuses"
        raise DamagedError(what, file.path, start + at)
