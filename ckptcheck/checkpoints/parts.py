"""A checkpoint of several parts, each of which is a checkpoint by itself."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from ckptcheck.checkpoints.checkpoint import Checkpoint, Entry, Piece
from ckptcheck.checkpoints.reader import Bytes


@dataclass(frozen=True)
class Parts(Checkpoint):
    """The tensors of all parts, with the name of the part before their own."""

    _origins: Mapping[str, tuple[Checkpoint, Entry]] = field(
        kw_only=True, compare=False, repr=False
    )

    def chunks(self, entry: Entry, piece: Piece, *, verify: bool = True) -> Iterator[Bytes]:
        """Yield a piece's bytes, as its part does."""
        part, own = self._origins[entry.key]
        yield from part.chunks(own, piece, verify=verify)

    def must_hold(self, entry: Entry) -> None:
        """Raise if the files of its part are too short for a tensor."""
        part, own = self._origins[entry.key]
        part.must_hold(own)

    def texts(self, entry: Entry) -> list[bytes]:
        """Return the elements of a tensor without a `dtype`."""
        part, own = self._origins[entry.key]
        return part.texts(own)

    def is_tensor(self, entry: Entry) -> bool:
        """Return whether an entry is a tensor, and no number or text of the program."""
        part, own = self._origins[entry.key]
        return part.is_tensor(own)


def together(path: Path, format_: str, parts: Mapping[str, Checkpoint]) -> Parts:
    """Return the checkpoint that parts are together, by their names."""
    origins = {
        f"{name}/{own.key}": (part, own)
        for name, part in parts.items()
        for own in part.entries.values()
    }
    entries = {
        key: replace(own, key=key, name=f"{key[: len(key) - len(own.key)]}{own.name}")
        for key, (_, own) in sorted(origins.items())
    }
    files = tuple(file for part in parts.values() for file in part.files)
    return Parts(path, format_, files, entries, _origins=origins)
