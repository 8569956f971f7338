"""Bundles written without TensorFlow, intact or forged; test_against_tensorflow.py shows that TensorFlow reads them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import ml_dtypes
import numpy as np

from ckptcheck.arrays import Array
from ckptcheck.checkpoints.checksums import checksum, joined, masked
from ckptcheck.checkpoints.tensor_bundle.messages import Extent, slice_key

# Type numbers of types.proto, by NumPy name.
NUMBERS = {
    "float32": 1,
    "float64": 2,
    "int32": 3,
    "uint8": 4,
    "int16": 5,
    "int8": 6,
    "complex64": 8,
    "int64": 9,
    "bool": 10,
    "bfloat16": 14,
    "uint16": 17,
    "complex128": 18,
    "float16": 19,
    "uint32": 22,
    "uint64": 23,
    "float8_e5m2": 24,
    "float8_e4m3fn": 25,
    "int4": 29,
    "uint4": 30,
}
STRING = 7
MAGIC = 0xDB4775248B80FB57

Value = Array | list[bytes]


@dataclass(frozen=True)
class Row:
    """An index entry; every field can be forged."""

    dtype: int
    shape: Sequence[int]
    shard: int = 0
    offset: int = 0
    size: int = 0
    checksum: int = 0
    slices: Sequence[Sequence[tuple[int, int]]] = ()

    def message(self) -> bytes:
        """Return the BundleEntryProto."""
        dimensions = b"".join(field(2, field(1, size)) for size in self.shape)
        slices = b"".join(
            field(7, b"".join(field(1, field(1, a) + field(2, b)) for a, b in each))
            for each in self.slices
        )
        numbers = field(3, self.shard) + field(4, self.offset) + field(5, self.size)
        return (
            field(1, self.dtype)
            + field(2, dimensions)
            + numbers
            + b"\x35"
            + self.checksum.to_bytes(4, "little")
            + slices
        )


def varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    found = b""
    while value >= 0x80:
        found += bytes([value & 0x7F | 0x80])
        value >>= 7
    return found + bytes([value])


def field(number: int, value: int | bytes) -> bytes:
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def block(rows: Sequence[tuple[bytes, bytes]]) -> bytes:
    """Return a block without its trailer; keys share no prefixes."""
    body = b"".join(
        varint(0) + varint(len(key)) + varint(len(value)) + key + value for key, value in rows
    )
    return body + bytes(4) + (1).to_bytes(4, "little")


def sealed(content: bytes, compression: int = 0) -> bytes:
    kind = bytes([compression])
    return content + kind + masked(checksum(content + kind)).to_bytes(4, "little")


def compressed(content: bytes) -> bytes:
    """Compress with Snappy: copies of up to 64 bytes from any distance, literals between them."""
    found, literal, at = varint(len(content)), b"", 0
    seen: dict[bytes, int] = {}
    while at < len(content):
        start = seen.get(content[at : at + 4])
        seen[content[at : at + 4]] = at
        if start is None or len(content) - at < 4:
            literal, at = literal + content[at : at + 1], at + 1
            continue
        length = next(
            (
                n
                for n in range(4, 64)
                if content[start + n : start + n + 1] != content[at + n : at + n + 1]
            ),
            64,
        )
        length = min(length, len(content) - at)
        found, literal = found + _literal(literal), b""
        found += bytes([length - 1 << 2 | 2]) + (at - start).to_bytes(2, "little")
        at += length
    return found + _literal(literal)


def _literal(content: bytes) -> bytes:
    if not content:
        return b""
    length = len(content) - 1
    if length < 60:
        return bytes([length << 2]) + content
    return bytes([61 << 2]) + length.to_bytes(2, "little") + content


def table(rows: Sequence[tuple[bytes, bytes]], at_once: int = 10, snappy: bool = False) -> bytes:
    """Return a table with blocks of `at_once` rows."""

    def stored(content: bytes) -> tuple[int, bytes]:
        content = compressed(content) if snappy else content
        return len(content), sealed(content, int(snappy))

    found, places = b"", []
    for first in range(0, len(rows), at_once):
        part = rows[first : first + at_once]
        size, content = stored(block(part))
        places.append((part[-1][0], place(len(found), size)))
        found += content
    handles = []
    for size, content in map(stored, (block([]), block(places))):
        handles.append(place(len(found), size))
        found += content
    return found + footer(*handles)


def place(offset: int, size: int) -> bytes:
    return varint(offset) + varint(size)


def footer(meta: bytes, blocks: bytes) -> bytes:
    return (meta + blocks).ljust(40, b"\0") + MAGIC.to_bytes(8, "little")


# An index file with a single block, compressed by an unknown method.
COMPRESSED = sealed(block([]), 9) + footer(place(0, 8), place(0, 8))


def header(shards: int = 1, big_endian: bool = False) -> bytes:
    return field(1, shards) + (field(2, 1) if big_endian else b"")


def index(
    entries: Mapping[str, Row | bytes] | Mapping[bytes, Row | bytes], head: bytes | None = None
) -> bytes:
    """Return an index file."""
    rows = [
        (
            key.encode() if isinstance(key, str) else key,
            each if isinstance(each, bytes) else each.message(),
        )
        for key, each in entries.items()
    ]
    return table([(b"", header() if head is None else head), *sorted(rows)])


def text_value(texts: Sequence[bytes]) -> tuple[bytes, int]:
    """Return a text tensor as stored in a data file, and its checksum."""
    summed = checksum(b"".join(len(each).to_bytes(4, "little") for each in texts))
    sum_bytes = masked(summed).to_bytes(4, "little")
    return b"".join(varint(len(each)) for each in texts) + sum_bytes + b"".join(texts), checksum(
        sum_bytes + b"".join(texts), summed
    )


def rows_and_data(tensors: Mapping[str, Value]) -> tuple[dict[str, Row], bytes]:
    """Lay tensors out one after the other."""
    rows, data = {}, b""
    for name in sorted(tensors, key=str.encode):
        value = tensors[name]
        if isinstance(value, list):
            content, sum_ = text_value(value)
            rows[name] = Row(STRING, [len(value)], 0, len(data), len(content), masked(sum_))
        else:
            content = np.ascontiguousarray(value).tobytes()
            rows[name] = Row(
                NUMBERS[value.dtype.name],
                value.shape,
                0,
                len(data),
                len(content),
                masked(checksum(content)),
            )
        data += content
    return rows, data


def write(prefix: Path, tensors: Mapping[str, Value], **forged: Row | bytes) -> Path:
    """Write a bundle with one data file; `forged` entries replace the right ones."""
    rows, data = rows_and_data(tensors)
    entries: dict[str, Row | bytes] = {**rows, **forged}
    prefix.parent.mkdir(parents=True, exist_ok=True)
    Path(f"{prefix}.data-00000-of-00001").write_bytes(data)
    Path(f"{prefix}.index").write_bytes(index(entries))
    return prefix


def write_state(folder: Path, newest: str, *kept: str) -> None:
    lines = [
        f'model_checkpoint_path: "{newest}"',
        *(f'all_model_checkpoint_paths: "{each}"' for each in kept or [newest]),
    ]
    (folder / "checkpoint").write_text("\n".join(lines) + "\n")


def sliced(
    name: str, value: Array, cuts: Sequence[tuple[tuple[int, int], ...]]
) -> tuple[dict[bytes, Row], bytes]:
    """Lay out a partitioned variable: its entry, one for each slice (start and length by dimension), and the data."""
    number, data = NUMBERS[value.dtype.name], b""
    rows = {name.encode(): Row(number, value.shape, slices=cuts)}
    for cut in cuts:
        content = np.ascontiguousarray(
            value[tuple(slice(start, start + length) for start, length in cut)]
        )
        key = slice_key(name.encode(), tuple(Extent(*each) for each in cut))
        rows[key] = Row(
            number, content.shape, 0, len(data), content.nbytes, masked(checksum(content.tobytes()))
        )
        data += content.tobytes()
    return rows, data


def write_sliced(
    prefix: Path, name: str, value: Array, cuts: Sequence[tuple[tuple[int, int], ...]]
) -> Path:
    rows, data = sliced(name, value, cuts)
    Path(f"{prefix}.data-00000-of-00001").write_bytes(data)
    Path(f"{prefix}.index").write_bytes(index(rows))
    return prefix


def write_sparse(prefix: Path, size: int) -> Path:
    """Write a bundle with one tensor of `size` zero bytes, in a sparse file."""
    chunk = 1 << 20
    one, whole = checksum(bytes(chunk)), 0
    for _ in range(size // chunk):
        whole = joined(whole, one, chunk)
    whole = joined(whole, checksum(bytes(size % chunk)), size % chunk)
    Path(f"{prefix}.index").write_bytes(
        index({"zeros": Row(1, [size // 4], size=size, checksum=masked(whole))})
    )
    with Path(f"{prefix}.data-00000-of-00001").open("wb") as file:
        file.truncate(size)
    return prefix


def changed(row: Row, **what: object) -> Row:
    return replace(row, **what)  # type: ignore[arg-type]


assert ml_dtypes  # registers bfloat16 and other types with NumPy
