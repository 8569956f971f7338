"""The format of safetensors: one file, or shards with an index `model.safetensors.index.json`.

The reader is imported on first use: its imports take a tenth of a command's start-up time.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from ckptcheck.checkpoints.checkpoint import Checkpoint
from ckptcheck.checkpoints.format import Format, Location

_FILE, _INDEX = ".safetensors", ".safetensors.index.json"
_SHARD = re.compile(r"(?P<stem>.+)-\d{5}-of-\d{5}\.safetensors")


def _open(path: Path) -> Checkpoint:
    from ckptcheck.checkpoints.safetensors import file  # see above

    return file.open_index(path) if path.name.endswith(_INDEX) else file.open_file(path)


class _Safetensors(Format):
    def of_file(self, file: Path) -> Location | None:
        if not self.recognises(file.name):
            return None
        index = _index_of(file)
        return Location(file if index is None else index, self)

    def in_folder(self, folder: Path) -> Iterator[Path]:
        found = (self.of_file(file) for file in sorted(folder.iterdir()) if file.is_file())
        return iter(dict.fromkeys(each.path for each in found if each is not None))

    def files(self, checkpoint: Path) -> Iterator[Path]:
        yield checkpoint
        if checkpoint.name.endswith(_INDEX):
            stem = checkpoint.name.removesuffix(_INDEX)
            for file in checkpoint.parent.glob(f"*{_FILE}"):
                shard = _SHARD.fullmatch(file.name)
                if shard is not None and shard["stem"] == stem:
                    yield file

    def orphans(self, names: Sequence[str]) -> Mapping[str, Sequence[str]]:
        found: dict[str, list[str]] = {}
        for name in names:
            shard = _SHARD.fullmatch(name)
            if shard is not None and f"{shard['stem']}{_INDEX}" not in names:
                found.setdefault(shard["stem"], []).append(name)
        return found


def _index_of(file: Path) -> Path | None:
    """Return the index that names a file as a shard; None: it is a checkpoint by itself."""
    shard = _SHARD.fullmatch(file.name)
    index = file.with_name(f"{shard['stem']}{_INDEX}") if shard is not None else file
    if shard is None or not index.is_file():
        return None
    return index


SAFETENSORS = _Safetensors(
    "safetensors", (_FILE, _INDEX), _open, has_checksums=False, index_ending=_INDEX
)
