"""The file `.metadata` of a distributed checkpoint: what it holds, and where each part lies.

It is a pickle of `torch.distributed.checkpoint.metadata.Metadata`, read as data. The places are of
the class `_StorageInfo` in `torch/distributed/checkpoint/filesystem.py`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from ckptcheck.checkpoints.errors import DamagedError, NotReadableError
from ckptcheck.checkpoints.reader import File
from ckptcheck.checkpoints.torch_zip.archive import loaded
from ckptcheck.checkpoints.torch_zip.pickled import MOST_BYTES, Global, Made, Pairs
from ckptcheck.checkpoints.torch_zip.values import ImpossibleError, called, key_text, sizes
from ckptcheck.text_safety import clipped, shown

_MODULE = "torch.distributed.checkpoint"
# So many parts of a tensor that is not cut into rows are compared, each with each.
_MOST_PARTS = 20_000

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Place:
    """Where a part lies: in a file of the folder, from a byte, of so many bytes."""

    file: Path
    offset: int
    length: int


@dataclass(frozen=True)
class Part:
    """A part of a tensor: where it begins in the tensor, its shape, and where it lies."""

    start: Shape
    shape: Shape
    place: Place


@dataclass(frozen=True)
class Tensor:
    """A tensor, in parts that cover it."""

    type: str
    shape: Shape
    parts: tuple[Part, ...]


@dataclass(frozen=True)
class Item:
    """A tensor, or the place of anything else, with its path in the state that was saved."""

    path: tuple[str, ...]
    held: Tensor | Place

    @property
    def places(self) -> tuple[Place, ...]:
        """Where it lies."""
        if isinstance(self.held, Place):
            return (self.held,)
        return tuple(part.place for part in self.held.parts)


def read_metadata(file: Path) -> list[Item]:
    """Return what a distributed checkpoint holds, in order.

    Raises:
        NotReadableError: it is of a kind that is not supported, such as with compressed parts.
        DamagedError: the file is damaged or forged.
    """
    opened = File(file)
    if opened.size > MOST_BYTES:
        raise NotReadableError(f"the file has {opened.size:,} bytes, too many to read", file)
    content = loaded(opened.read(0, opened.size), file)
    if called(content) != f"{_MODULE}.metadata.Metadata":
        raise DamagedError("the file is not the metadata of a distributed checkpoint", file)
    try:
        return list(_items(file, _attributes(content)))
    except ImpossibleError as error:
        raise DamagedError(f"what the metadata describe cannot be: {error}", file) from None


def _items(file: Path, metadata: Mapping[str, Any]) -> Iterator[Item]:
    places = _places(file, metadata.get("storage_data"))
    paths = _paths(metadata.get("planner_data"))
    for name, described in _pairs(metadata.get("state_dict_metadata")):
        if not isinstance(name, str):
            raise ImpossibleError("a name is no text")
        path = paths.get(name, (name,))
        if called(described).endswith(".BytesStorageMetadata"):
            yield Item(path, _place(places, name, None))
        elif called(described).endswith(".TensorStorageMetadata"):
            yield Item(path, _tensor(name, _attributes(described), places))
        else:
            raise ImpossibleError(f"{_quoted(name)} is neither a tensor nor an object")


# --- Tensors ---


def _tensor(name: str, described: Mapping[str, Any], places: Mapping[Any, Place]) -> Tensor:
    shape = sizes(described.get("size"))
    parts = []
    for chunk in _list(described.get("chunks")):
        held = _attributes(chunk)
        start, its = sizes(held.get("offsets")), sizes(held.get("sizes"))
        parts.append(Part(start, its, _place(places, name, start)))
    if not _cover(parts, shape):
        raise ImpossibleError(f"the parts of {_quoted(name)} do not cover it once")
    return Tensor(_type(name, described.get("properties")), shape, tuple(parts))


def _type(name: str, properties: Any) -> str:
    state = properties.state if isinstance(properties, Made) else None
    dtype = state[0] if isinstance(state, tuple) and state else None
    if not isinstance(dtype, Global):
        raise ImpossibleError(f"{_quoted(name)} has no type")
    return dtype.name.removeprefix("torch.")


def _cover(parts: list[Part], shape: Shape) -> bool:
    """Return whether the parts of a tensor lie in it, do not overlap, and leave nothing out."""
    dimensions = len(shape)
    if any(len(part.start) != dimensions or len(part.shape) != dimensions for part in parts):
        return False
    if sum(prod(part.shape) for part in parts) != prod(shape):
        return False
    full = [part for part in parts if prod(part.shape)]
    inside = all(
        start + size <= whole
        for part in full
        for start, size, whole in zip(part.start, part.shape, shape, strict=True)
    )
    return inside and (len(full) < 2 or not _overlap(full))


def _overlap(parts: list[Part]) -> bool:
    starts = np.array([part.start for part in parts])
    ends = starts + np.array([part.shape for part in parts])
    order = np.argsort(starts[:, 0], kind="stable")
    starts, ends = starts[order], ends[order]
    if (ends[:-1, 0] <= starts[1:, 0]).all():  # rows, as most are
        return False
    if len(parts) > _MOST_PARTS:
        raise ImpossibleError(f"a tensor has {len(parts):,} parts, too many to compare")
    return any(
        ((starts[at] < ends[at + 1 :]) & (starts[at + 1 :] < ends[at])).all(axis=1).any()
        for at in range(len(parts) - 1)
    )


# --- Places ---


def _places(file: Path, storage_data: Any) -> dict[Any, Place]:
    """Return where each part lies, by its name and where it begins; of an object, None."""
    found: dict[Any, Place] = {}
    for index, info in _pairs(storage_data):
        held, where = _attributes(index), _attributes(info)
        name, start = held.get("fqn"), held.get("offset")
        if where.get("transform_descriptors"):
            raise NotReadableError("the parts are compressed or encrypted", file)
        key = (name, None if start is None else sizes(start))
        if not isinstance(name, str) or key in found:
            raise ImpossibleError("a part has no name, or lies in two places")
        found[key] = _where(file, where)
    return found


def _where(file: Path, where: Mapping[str, Any]) -> Place:
    name, offset, length = (where.get(each) for each in ("relative_path", "offset", "length"))
    is_name = isinstance(name, str) and Path(name).name == name and name.isprintable()
    if not is_name or len(str(name)) > 255:
        raise ImpossibleError("a part lies in no file of the folder")
    offset, length = sizes((offset, length))
    return Place(file.with_name(str(name)), offset, length)


def _place(places: Mapping[Any, Place], name: str, start: Shape | None) -> Place:
    place = places.get((name, start))
    # Empty tensors and older versions have no start.
    if place is None:
        place = places.get((name, None))
    if place is None:
        raise ImpossibleError(f"a part of {_quoted(name)} lies nowhere")
    return place


def _paths(planner_data: Any) -> dict[str, tuple[str, ...]]:
    """Return the path of each name in the state that was saved, where all are known, and differ."""
    pairs = planner_data.pairs if isinstance(planner_data, Pairs) else []
    paths = {
        name: tuple(map(key_text, path))
        for name, path in pairs
        if isinstance(name, str) and isinstance(path, tuple) and path
    }
    return paths if len(set(paths.values())) == len(paths) == len(pairs) else {}


# --- Objects ---


def _attributes(value: Any) -> dict[str, Any]:
    state = value.state if isinstance(value, Made) else None
    return {name: held for name, held in _pairs(state) if isinstance(name, str)}


def _pairs(value: Any) -> list[tuple[Any, Any]]:
    if not isinstance(value, Pairs):
        raise ImpossibleError("an object has no attributes, or a dictionary is missing")
    return value.pairs


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise ImpossibleError("a list is missing")
    return value


def _quoted(name: str) -> str:
    return f"`{shown(clipped(name, 100))}`"
