"""The file `_METADATA` of an item: the paths of a tree, and how its leaves are stored.

JSON: `tree_metadata`, by path `key_metadata` (the path) and `value_metadata` (`value_type`, and
`skip_deserialize`, true of what is not stored, such as an empty dictionary); `use_ocdbt`;
`use_zarr3`; `store_array_data_equal_to_fill_value`, without which a missing chunk is no damage.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ckptcheck.checkpoints.errors import DamagedError, NotReadableError
from ckptcheck.checkpoints.orbax.layout import MANIFEST, OLD, TREE
from ckptcheck.checkpoints.reader import File
from ckptcheck.text_safety import clipped

STRINGS = "_strings.json"
ALONE = "value"  # the name of a tree that is a single array
_MOST = 1 << 28  # bytes of a JSON file
_LONGEST = 200  # characters of an error


@dataclass(frozen=True)
class Leaf:
    """A leaf of a tree: its path, the name it is stored under, and whether it is text."""

    path: str
    stored: str
    is_text: bool


@dataclass(frozen=True)
class Tree:
    """The metadata of an item."""

    folder: Path
    leaves: tuple[Leaf, ...]
    is_ocdbt: bool
    is_zarr3: bool
    has_every_chunk: bool

    def place(self, leaf: Leaf) -> Path:
        """Return the file that describes an array."""
        if self.is_ocdbt:
            return self.folder / MANIFEST
        return self.folder / leaf.stored / ("zarr.json" if self.is_zarr3 else ".zarray")


def read(folder: Path) -> Tree:
    """Read the metadata of an item; raise DamagedError: they are corrupt, or not supported."""
    path = folder / TREE
    if (folder / OLD).is_file():
        what = "values are in a msgpack file, as old releases of Orbax wrote it"
        raise NotReadableError(
            what, folder / OLD, remedy="restore it with Orbax, and save it again"
        )
    document = json_of(path)
    described = document.get("tree_metadata") if isinstance(document, dict) else None
    if not isinstance(described, dict):
        raise DamagedError("there is no tree_metadata", path)
    stated = document.get("use_ocdbt")
    is_ocdbt = stated if isinstance(stated, bool) else (folder / MANIFEST).is_file()
    return Tree(
        folder,
        tuple(_leaves(described, path, is_ocdbt)),
        is_ocdbt,
        document.get("use_zarr3") is True,
        document.get("store_array_data_equal_to_fill_value") is True,
    )


def json_of(path: Path) -> Any:
    """Return the content of a JSON file; raise DamagedError: it is corrupt."""
    file = File(path)
    if file.size > _MOST:
        raise DamagedError(f"{file.size:,} bytes are too many for JSON", path)
    try:
        return json.loads(file.read(0, file.size))
    except (ValueError, RecursionError) as error:
        what = f"the JSON is corrupt: {clipped(str(error), _LONGEST)}"
        raise DamagedError(what, path) from None


def strings(tree: Tree) -> Mapping[str, str]:
    """Return the text of an item, by the names it is stored under."""
    path = tree.folder / STRINGS
    document = json_of(path)
    held = document if isinstance(document, dict) else {}
    for leaf in tree.leaves:
        if leaf.is_text and not isinstance(held.get(leaf.stored), str):
            raise DamagedError("the text is missing", path, tensor=leaf.path)
    return held


def _leaves(described: Mapping[str, Any], path: Path, is_ocdbt: bool) -> Iterator[Leaf]:
    seen: set[str] = set()
    for text, each in described.items():
        keys = _keys(each)
        value = each.get("value_metadata") if isinstance(each, dict) else None
        type_ = value.get("value_type") if isinstance(value, dict) else None
        if keys is None or not isinstance(value, dict) or not isinstance(type_, str):
            raise DamagedError("its path or its type is missing", path, tensor=text)
        if value.get("skip_deserialize") is True:
            continue
        stored, name = ".".join(keys), "/".join(keys)
        if not is_ocdbt and not _is_inside(stored):
            raise DamagedError("its name leads out of the folder", path, tensor=text)
        # A key may contain a slash: where two paths are alike, one keeps its quotes.
        name = text if name in seen else name or ALONE
        seen.add(name)
        yield Leaf(name, stored, type_ == "string")


def _keys(each: Any) -> list[str] | None:
    """Return the keys of a path; None: they are missing."""
    parts = each.get("key_metadata") if isinstance(each, dict) else None
    if not isinstance(parts, list):
        return None
    keys = [part.get("key") if isinstance(part, dict) else None for part in parts]
    known = [key for key in keys if isinstance(key, str)]
    return known if len(known) == len(keys) else None


def _is_inside(stored: str) -> bool:
    """Return whether a name is that of a folder inside the item's."""
    parts = stored.split("/")
    return "\0" not in stored and not any(part in ("", ".", "..") for part in parts)
