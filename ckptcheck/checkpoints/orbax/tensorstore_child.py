"""A child process that reads arrays with tensorstore: a native library can crash on damaged files.

The first line of standard input has the folders and the names of their arrays. The child describes
the arrays on standard output, then answers each line with the bytes of a part of an array. An
answer is `+`, or `-` for an error, its size in 8 bytes, and its bytes.

Every spec is built here, of a folder and a name: none is taken from a file.
"""

import json
import math
import sys
from typing import Any

import numpy as np

# Address space beyond what an answer takes. A forged file may ask for any amount.
MOST_MEMORY = 1 << 33
# What is read, unpacked, and copied into an answer.
COPIES = 4
CONTEXT = {
    "cache_pool": {"total_bytes_limit": 0},
    "cache_pool#ocdbt": {"total_bytes_limit": 100_000_000},
    "file_io_concurrency": {"limit": 8},
    "data_copy_concurrency": {"limit": 4},
}


def main() -> None:
    """Describe the arrays, then answer requests until standard input ends."""
    folders = json.loads(sys.stdin.readline())
    _limit(0)
    try:
        import tensorstore  # under the limit of memory

        context = tensorstore.Context(CONTEXT)
        arrays = [array for each in folders for array in _opened(tensorstore, context, each)]
    except Exception as error:
        _answer(b"-", _message(error))
        return
    _answer(b"+", json.dumps([_described(array) for array in arrays]).encode())
    for line in sys.stdin:
        index, where = json.loads(line)
        try:
            _answer(b"+", _part(arrays[index], where))
        except Exception as error:
            _answer(b"-", _message(error))


def _limit(size: int) -> None:
    try:
        import resource  # not on every system

        most = MOST_MEMORY + COPIES * size
        hard = resource.getrlimit(resource.RLIMIT_AS)[1]
        resource.setrlimit(resource.RLIMIT_AS, (most, hard))
    except (ImportError, ValueError, OSError):  # macOS, for example, has no such limit
        pass


def _opened(tensorstore: Any, context: Any, folder: Any) -> "list[Any]":
    """Return the arrays of a folder, or for one that cannot be opened the error."""
    waiting = [
        tensorstore.open(_spec(folder, name), open=True, read=True, context=context)
        for name in folder["names"]
    ]
    return [_result(each) for each in waiting]


def _spec(folder: Any, name: str) -> "dict[str, Any]":
    files = {"driver": "file", "path": folder["folder"] + "/"}
    if folder["is_ocdbt"]:
        store = {"driver": "ocdbt", "base": files, "path": name + "/"}
        store["cache_pool"] = "cache_pool#ocdbt"
    else:
        store = {"driver": "file", "path": f"{folder['folder']}/{name}/"}
    driver = "zarr3" if folder["is_zarr3"] else "zarr"
    return {
        "driver": driver,
        "kvstore": store,
        "fill_missing_data_reads": not folder["has_every_chunk"],
    }


def _result(waiting: Any) -> Any:
    try:
        return waiting.result()
    except Exception as error:
        return error


def _described(array: Any) -> "dict[str, Any]":
    """Return the type, shape and chunks of an array, or why it cannot be opened."""
    if isinstance(array, Exception):
        return {"error": _message(array).decode()}
    chunk = array.chunk_layout.read_chunk.shape
    return {
        "type": array.dtype.name,
        "shape": list(array.shape),
        "chunk": list(array.shape) if chunk is None else list(chunk),
    }


def _part(array: Any, where: Any) -> bytes:
    size = math.prod(end - start for start, end in where) * array.dtype.numpy_dtype.itemsize
    _limit(size)
    part = array[tuple(slice(*each) for each in where)].read().result()
    return np.ascontiguousarray(part).tobytes()


def _message(error: BaseException) -> bytes:
    text = str(error).strip().splitlines()
    line = text[0].partition(" [tensorstore_spec=")[0] if text else ""
    line = line.partition(" [source locations=")[0]
    return (line.rstrip(".") or type(error).__name__).encode(errors="backslashreplace")


def _answer(kind: bytes, content: bytes) -> None:
    sys.stdout.buffer.write(kind + len(content).to_bytes(8, "little") + content)
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
