"""A JSON document as a checkpoint: its numbers and texts, by path."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ckptcheck.checkpoints.checkpoint import Entry, Piece
from ckptcheck.checkpoints.errors import DamagedError
from ckptcheck.checkpoints.reader import Bytes, File
from ckptcheck.checkpoints.torch_zip.file import WithValues, given_entry
from ckptcheck.checkpoints.torch_zip.names import named
from ckptcheck.checkpoints.torch_zip.pickled import Pairs
from ckptcheck.checkpoints.torch_zip.values import Given, TooMuchError, values

_LARGEST = 1 << 26  # bytes


@dataclass(frozen=True)
class JsonDocument(WithValues):
    """The numbers and texts of a document; there are no tensors."""

    def chunks(self, entry: Entry, piece: Piece, *, verify: bool = True) -> Iterator[Bytes]:
        """Yield the bytes of a number."""
        value = self._values[entry.key]
        assert isinstance(value, Given)
        yield from value.chunks()

    def must_hold(self, entry: Entry) -> None:
        """Do nothing: the document was read whole."""


def open_document(path: Path) -> JsonDocument:
    """Open a JSON document; its lists of objects, such as a log, are left out.

    Raises:
        DamagedError: it is no JSON document, or a huge one.
    """
    file = File(path)
    if file.size > _LARGEST:
        raise DamagedError(f"the JSON document has {file.size:,} bytes, too many", path)
    try:
        content = json.loads(file.read(0, file.size), object_pairs_hook=_pairs)
        found = list(values(content))
    except (ValueError, RecursionError, TooMuchError):
        raise DamagedError("the file is no JSON document", path) from None
    by_key = {key: each for key, each in named(found).items() if isinstance(each.value, Given)}
    held = {key: each.value for key, each in by_key.items() if isinstance(each.value, Given)}
    entries = {key: given_entry(key, by_key[key], held[key], path) for key in sorted(held)}
    return JsonDocument(path, "JSON", (path,), entries, _values=held)


def _pairs(pairs: list[tuple[str, object]]) -> Pairs:
    return Pairs([(key, each) for key, each in pairs if not _is_log(each)])


def _is_log(value: object) -> bool:
    return isinstance(value, list) and any(isinstance(each, Pairs) for each in value)
