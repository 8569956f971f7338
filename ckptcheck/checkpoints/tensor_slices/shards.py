"""The files of a V1 checkpoint: one, or shards `model.ckpt-1-00000-of-00002`.

TensorFlow names a sharded checkpoint by the pattern `model.ckpt-1-?????-of-00002`.
"""

import re
from pathlib import Path

_PATTERN = re.compile(r"(?P<prefix>.+)-\?{5}-of-(?P<count>\d{5})")
_SHARD = re.compile(r"(?P<prefix>.+)-\d{5}-of-(?P<count>\d{5})")


def checkpoint_of(file: Path) -> Path:
    """Return the path of the checkpoint that a file is, or is a shard of."""
    shard = _SHARD.fullmatch(file.name)
    if shard is None:
        return file
    return file.with_name(f"{shard['prefix']}-?????-of-{shard['count']}")


def files_of(path: Path) -> list[Path]:
    """Return the files of a checkpoint: `model.ckpt-1`, or those of `model.ckpt-1-?????-of-00002`.

    Of a sharded checkpoint they are all that its name counts, whether or not they exist.
    """
    sharded = _PATTERN.fullmatch(path.name)
    if sharded is None:
        return [path]
    count = sharded["count"]
    return [
        path.with_name(f"{sharded['prefix']}-{number:05d}-of-{count}")
        for number in range(int(count))
    ]
