"""A child process that reads an HDF5 file for its parent: libhdf5 can crash on damaged files.

    python hdf5_child.py FILE START SIZE

reads SIZE bytes of FILE from offset START as HDF5. It first describes the content on standard
output, then answers each line of standard input with the value requested. An answer is `+`, or `-`
for an error, its size in 8 bytes, and its bytes. Only h5py is imported, for a fast start.
"""

import io
import json
import math
import os
import sys
from typing import Any

import h5py
import numpy as np

# Address space: more than any Keras file needs. A forged file may ask for any amount.
MOST_MEMORY = 1 << 33
# Keras does not write chunked data; a chunk must fit in memory.
MOST_CHUNK = 1 << 28
# Depth and number of groups.
MOST_GROUPS, MOST_VISITED = 100, 1 << 15
MOST_ATTRIBUTES, MOST_TEXT = 100, 100
TYPES = [
    *("float16", "float32", "float64", "complex64", "complex128", "bool"),
    *(f"{s}int{n}" for s in ("", "u") for n in (8, 16, 32, 64)),
]


class _Window(io.RawIOBase):
    """A byte range of a file, as a file."""

    def __init__(self, path: str, start: int, size: int) -> None:
        self._file = open(path, "rb", buffering=0)  # noqa: PTH123, SIM115
        self._start, self._size, self._at = start, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = max(
            0, offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        )
        return self._at

    def readinto(self, buffer: Any) -> int:
        size = max(0, min(len(buffer), self._size - self._at))
        content = os.pread(self._file.fileno(), size, self._start + self._at)
        buffer[: len(content)] = content
        self._at += len(content)
        return len(content)


def main() -> None:
    """Describe the file, then answer requests until standard input ends."""
    _limit()
    path, start, size = sys.argv[1:]
    try:
        file = h5py.File(_Window(path, int(start), int(size)), "r")
        described, data = _described(file)
    except Exception as error:
        _answer(b"-", _message(error))
        return
    _answer(b"+", json.dumps(described).encode())
    for line in sys.stdin:
        question = json.loads(line)
        try:
            _answer(b"+", _value(data[question["key"]], question["where"]))
        except Exception as error:
            _answer(b"-", _message(error))


def _limit() -> None:
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
    except (ImportError, ValueError, OSError):  # macOS, for example, has no such limit
        pass


def _described(file: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a description and the data sets.

    The description has the types and shapes of data sets, the names of `vars` groups, and the names
    of the file's attributes, those that are text with their values.
    """
    data: dict[str, Any] = {}
    names: dict[str, str] = {}
    refused: dict[str, Any] = {}
    waiting: list[tuple[str, Any, tuple[Any, ...]]] = [("", file, ())]
    visited = 0
    while waiting:
        visited += 1
        if visited > MOST_VISITED:
            raise ValueError("there are more groups than in any Keras file")
        path, group, above = waiting.pop()
        if path.rpartition("/")[2] == "vars":
            names[path] = _text(group.attrs.get("name"))
        for name in group:
            key = f"{path}/{name}".removeprefix("/")
            member = (
                group[name] if isinstance(group.get(name, getlink=True), h5py.HardLink) else None
            )
            if isinstance(member, h5py.Dataset):
                data[key] = member
            elif (
                isinstance(member, h5py.Group)
                and member not in (*above, group)
                and len(above) < MOST_GROUPS
            ):
                waiting.append((key, member, (*above, group)))
            else:
                refused[key] = {"refused": "it links elsewhere, which Keras never does"}
    return {
        "attributes": _attributes(file),
        "names": names,
        "data": refused | {key: _shape(member) for key, member in data.items()},
    }, data


def _attributes(file: Any) -> dict[str, str]:
    """Return the attributes of the file, and of the group in which older Keras keeps weights."""
    groups = [file]
    if isinstance(file.get("model_weights", getlink=True), h5py.HardLink):
        groups.insert(0, file["model_weights"])
    return {
        name: _text(group.attrs[name])[:MOST_TEXT] if name == "keras_version" else ""
        for group in groups
        for name in list(group.attrs)[:MOST_ATTRIBUTES]
    }


def _text(attribute: Any) -> str:
    if isinstance(attribute, bytes):
        return attribute.decode(errors="replace")
    return attribute if isinstance(attribute, str) else ""


def _shape(data: Any) -> dict[str, Any]:
    """Return a data set's type and shape, or why it is not supported."""
    if data.external or data.is_virtual:
        return {"refused": "its values are in other files, which Keras never does"}
    if data.shape is None:
        return {"refused": "it has no shape"}
    if data.compression is not None:
        return {"refused": "it is compressed, which Keras never does"}
    if data.chunks is not None and math.prod(data.chunks) * data.dtype.itemsize > MOST_CHUNK:
        return {"refused": f"it is stored in chunks of {list(data.chunks)}, which Keras never does"}
    if h5py.check_string_dtype(data.dtype) is not None:
        return {"dtype": "string", "shape": data.shape}
    if (
        data.dtype.kind == "V"
        and data.dtype.itemsize == 2
        and _text(data.attrs.get("dtype")) == "bfloat16"
    ):
        return {"dtype": "bfloat16", "shape": data.shape}
    if data.dtype.name not in TYPES:
        return {"refused": f"its element type {data.dtype} is not one that Keras writes"}
    return {"dtype": data.dtype.str, "shape": data.shape}


def _value(data: Any, where: Any) -> bytes:
    """Return the bytes of a part of a value; of text, every element with its length before it."""
    if where is None:
        texts = np.asarray(data[()]).reshape(-1).tolist()
        encoded = [each if isinstance(each, bytes) else str(each).encode() for each in texts]
        return b"".join(len(each).to_bytes(8, "little") + each for each in encoded)
    part = data[tuple(slice(*each) if isinstance(each, list) else each for each in where)]
    return np.ascontiguousarray(part).tobytes()


def _message(error: BaseException) -> bytes:
    text = str(error).strip().splitlines()
    return (text[0].rstrip(".") if text else type(error).__name__).encode(errors="backslashreplace")


def _answer(kind: bytes, content: bytes) -> None:
    sys.stdout.buffer.write(kind + len(content).to_bytes(8, "little") + content)
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
