"""Orbax checkpoints: the trees of a folder, read chunk by chunk through tensorstore.

What is protected: in OCDBT, the manifests and the nodes of the tree have a CRC-32C, and small
values lie in those nodes. Larger values have none, and neither has any value in a folder of plain
zarr: Orbax writes chunks with zstd, without its checksum. A flipped bit there is often, not always,
an error of the decompression.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np

from ckptcheck.checkpoints.checkpoint import Checkpoint, Entry, Piece
from ckptcheck.checkpoints.child import Child
from ckptcheck.checkpoints.errors import DamagedError, NotReadableError, TooShortError
from ckptcheck.checkpoints.orbax import classify, grid, layout, metadata
from ckptcheck.checkpoints.orbax.metadata import Leaf, Tree
from ckptcheck.checkpoints.reader import CHUNK, Bytes, File
from ckptcheck.counts import counted
from ckptcheck.kinds import Kind
from ckptcheck.text_safety import clipped

CHILD = Path(__file__).with_name("tensorstore_child.py")
# Seconds to wait for an answer, or for its next part: a chunk may be large, and a disk slow.
PATIENCE = 120.0

# zstd packs a block of 128 kB of one value into 4 bytes.
_MOST_PACKED = 1 << 15
_MOST_PIECES = 1 << 20
_LONGEST = 300  # characters of an error
_PLACE = re.compile(r'local file "[^"]*": ')
_LOCAL_FILE = re.compile(r'local file "([^"]+)"')
_NUMPY = {
    "bool",
    *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)),
    *("float16", "float32", "float64", "complex64", "complex128"),
}


@dataclass(frozen=True)
class Orbax(Checkpoint):
    """The arrays and texts of one folder."""

    child: Child | None = None
    numbers: Mapping[str, int] | None = None  # of the arrays in the child, by key
    held: Mapping[str, bytes] | None = None  # texts, by key
    stored: int = 0  # bytes of all files

    def chunks(self, entry: Entry, piece: Piece, *, verify: bool = True) -> Iterator[Bytes]:
        """Yield a piece's bytes. There is no checksum to verify, but those of the nodes."""
        if not piece.size:
            return
        self.must_hold(entry)
        assert self.child is not None
        assert self.numbers is not None
        where = [[at, at + size] for at, size in zip(piece.start, piece.shape, strict=True)]
        try:
            content = self.child.ask([self.numbers[entry.key], where], entry.key)
        except DamagedError as error:
            raise _placed(error, piece.file) from None
        if len(content) != piece.size:
            what = f"tensorstore gives {len(content):,} bytes of {piece.size:,}"
            raise DamagedError(what, piece.file, tensor=entry.key)
        for at in range(0, piece.size, CHUNK):
            yield np.frombuffer(content[at : at + CHUNK], np.uint8).copy()

    def must_hold(self, entry: Entry) -> None:
        """Raise if the files are far too short for an array, however well it is packed."""
        if entry.dtype is not None and entry.bytes > self.stored * _MOST_PACKED:
            what = f"{entry.bytes:,} bytes cannot be in files of {self.stored:,}"
            raise TooShortError(what, entry.pieces[0].file, tensor=entry.key)

    def texts(self, entry: Entry) -> list[bytes]:
        """Return the text of an entry."""
        assert self.held is not None
        return [self.held[entry.key]]

    def is_tensor(self, entry: Entry) -> bool:
        """Return whether an entry is an array, and no number or text of a program."""
        return entry.dtype is not None


def open_folder(folder: Path) -> Orbax:
    """Open a step, or one of its items.

    Raises:
        DamagedError: a file is missing or corrupt.
    """
    _must_be_regular(folder)
    trees = [metadata.read(each) for each in layout.trees(folder)]
    lacking = layout.lacks(folder)
    if lacking:
        what = f"the step is incomplete: {lacking} is missing"
        raise DamagedError(what, folder, remedy="restore an older step that is complete")
    prefixes = _prefixes(folder, trees)
    held: dict[str, tuple[bytes, Path]] = {}
    for file in layout.texts(folder):
        metadata.json_of(file)
        held[file.parent.relative_to(folder).as_posix()] = (_content(file), file)
    for tree, prefix in zip(trees, prefixes, strict=True):
        held |= _strings(tree, prefix)
    arrays = [
        (tree, prefix, leaf)
        for tree, prefix in zip(trees, prefixes, strict=True)
        for leaf in tree.leaves
        if not leaf.is_text
    ]
    files = tuple(layout.files(folder))
    texts = {key: _text(key, content, file) for key, (content, file) in held.items()}
    child, described = _opened(folder, trees) if arrays else (None, [])
    entries: dict[str, Entry] = dict(texts)
    numbers: dict[str, int] = {}
    stored = sum(file.stat().st_size for file in files)
    pieces = min(_MOST_PIECES, stored)
    for index, ((tree, prefix, leaf), each) in enumerate(zip(arrays, described, strict=True)):
        entry = _entry(tree, _unused(prefix + leaf.path, entries), leaf, each, pieces)
        entries[entry.key], numbers[entry.key] = entry, index
        pieces -= len(entry.pieces)
    return Orbax(
        folder,
        _name(trees),
        files,
        dict(sorted(entries.items())),
        child=child,
        numbers=numbers,
        held={key: content for key, (content, _) in held.items()},
        stored=stored,
    )


def _must_be_regular(folder: Path) -> None:
    """Raise if something is neither a file nor a folder: to read a pipe would wait for ever."""
    for each in folder.rglob("*"):
        if each.exists() and not each.is_file() and not each.is_dir():
            raise DamagedError("the file cannot be read: it is not a regular file", each)


def _prefixes(folder: Path, trees: Sequence[Tree]) -> list[str]:
    """Return what stands before the paths of each tree: the item, unless it has no name."""
    names = [tree.folder.relative_to(folder).as_posix() for tree in trees]
    if len(names) == 1 and names[0] in (".", layout.DEFAULT):
        return [""]
    return [f"{name}/" for name in names]


def _strings(tree: Tree, prefix: str) -> dict[str, tuple[bytes, Path]]:
    leaves = [leaf for leaf in tree.leaves if leaf.is_text]
    if not leaves:
        return {}
    held, file = metadata.strings(tree), tree.folder / metadata.STRINGS
    return {
        prefix + leaf.path: (held[leaf.stored].encode("utf-8", "surrogatepass"), file)
        for leaf in leaves
    }


def _content(file: Path) -> bytes:
    opened = File(file)
    return opened.read(0, opened.size)


def _text(key: str, content: bytes, file: Path) -> Entry:
    return Entry(
        key, key, Kind.OTHER, "string", None, (), (Piece((), (), file, None, len(content)),)
    )


def _opened(folder: Path, trees: Sequence[Tree]) -> tuple[Child, list[Any]]:
    """Start the child process; return it, and its description of every array."""
    if find_spec("tensorstore") is None:
        what = "Orbax checkpoints are read through tensorstore, which is not installed"
        remedy = "install it: pip install 'ckptcheck[orbax]'"
        raise NotReadableError(what, folder, remedy=remedy)
    child = Child(CHILD, [], "tensorstore", folder, PATIENCE)
    question = [
        {
            "folder": str(tree.folder.resolve()),
            "is_ocdbt": tree.is_ocdbt,
            "is_zarr3": tree.is_zarr3,
            "has_every_chunk": tree.has_every_chunk,
            "names": [leaf.stored for leaf in tree.leaves if not leaf.is_text],
        }
        for tree in trees
    ]
    try:
        return child, json.loads(child.ask(question))
    except DamagedError as error:
        raise _placed(error, folder) from None


def _unused(key: str, entries: Mapping[str, Entry]) -> str:
    """Return a key, or one like it that is not in use: an item may be called as a leaf is."""
    while key in entries:
        key += "'"
    return key


def _entry(tree: Tree, key: str, leaf: Leaf, described: Any, most: int) -> Entry:
    place = tree.place(leaf)
    if "error" in described:
        what = f"tensorstore cannot open it: {_short(described['error'])}"
        raise DamagedError(what, _blamed(described["error"], place), tensor=key)
    shape, chunk = tuple(described["shape"]), tuple(described["chunk"])
    dtype = _dtype(described["type"])
    if dtype is None:
        what = f"its type {clipped(described['type'], 40)} is not supported"
        raise NotReadableError(what, place, tensor=key)
    if grid.count(shape, chunk) > max(most, 1):
        what = f"{counted(grid.count(shape, chunk), 'chunk')} cannot be in files of this size"
        raise DamagedError(what, place, tensor=key)
    kind = classify.of_leaf(key, _letter(dtype), dtype.itemsize, shape)
    pieces = tuple(grid.pieces(shape, chunk, dtype.itemsize, place))
    return Entry(key, key, kind, dtype.name, dtype, shape, pieces)


def _dtype(name: str) -> np.dtype[Any] | None:
    if name in _NUMPY:
        return np.dtype(name)
    own = getattr(ml_dtypes, name, None)
    return np.dtype(own) if isinstance(own, type) and issubclass(own, np.generic) else None


def _letter(dtype: np.dtype[Any]) -> str:
    """Return NumPy's letter; it has none of its own for the types of `ml_dtypes`."""
    if dtype.kind != "V":
        return dtype.kind
    return {"i": "i", "u": "u"}.get(dtype.name[0], "f")


def _name(trees: Sequence[Tree]) -> str:
    kinds = {"OCDBT" if tree.is_ocdbt else "zarr" for tree in trees}
    return f"Orbax ({', '.join(sorted(kinds))})" if kinds else "Orbax"


def _placed(error: DamagedError, file: Path) -> DamagedError:
    """Return an error of the child, at the file that it blames."""
    place = _blamed(error.what, file)
    return DamagedError(_short(error.what), place, tensor=error.tensor)


def _short(message: str) -> str:
    """Return an error without the chain of places before its reason: the file is named apart."""
    first, between, rest = message.partition(": ")
    return clipped(f"{first}{between}{_PLACE.split(rest)[-1]}", _LONGEST)


def _blamed(message: str, place: Path) -> Path:
    """Return the file that tensorstore names last, if it is in the folder; else the place."""
    named = _LOCAL_FILE.findall(message)
    folder = f"{place.parent.resolve()}/"
    return Path(named[-1]) if named and named[-1].startswith(folder) else place
