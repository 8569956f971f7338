"""The state file, `checkpoint`: which of a folder's checkpoints is the newest, as TensorFlow's savers write it.

It is a `CheckpointState` (`tensorflow/python/training/checkpoint_state.proto`) as text, a field a line.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ckptcheck.checkpoints.errors import DamagedError
from ckptcheck.checkpoints.reader import reason

NAME = "checkpoint"
# No state file is so large, and nobody keeps so many checkpoints that one could be.
_LARGEST = 1 << 24

_BETWEEN = re.compile(r"(?:[\s,;]|#[^\n]*)*")
_STRING = r'(?:"(?:[^"\\\n]|\\.)*"|\'(?:[^\'\\\n]|\\.)*\')'
_FIELD = re.compile(rf"(\w+)\s*:\s*(?:({_STRING}(?:\s*{_STRING})*)|[-+.\w]+)")
_NEWEST, _KEPT = "model_checkpoint_path", "all_model_checkpoint_paths"
# TensorFlow reads no state file that has any other.
_KNOWN = (_NEWEST, _KEPT, "all_model_checkpoint_timestamps", "last_preserved_timestamp")
_ESCAPE = re.compile(rb"\\(?:([0-7]{1,3})|x([0-9a-fA-F]{1,2})|(.))", re.DOTALL)
_LETTERS = {
    b"n": b"\n",
    b"r": b"\r",
    b"t": b"\t",
    b"a": b"\a",
    b"b": b"\b",
    b"f": b"\f",
    b"v": b"\v",
}


@dataclass(frozen=True)
class State:
    """What a state file says: the newest checkpoint, and all that are kept; paths as they stand there."""

    file: Path
    newest: str
    kept: tuple[str, ...]

    def resolve(self, path: str) -> Path:
        """Return what a path of the file stands for: relative ones start at the file's folder."""
        return self.file.parent / path


def read(folder: Path) -> State | None:
    """Read the state file of a folder; None: it has none; DamagedError: it cannot be read."""
    file = folder / NAME
    try:
        if not file.is_file():
            return None
        if file.stat().st_size > _LARGEST:
            raise DamagedError(
                f"it has {file.stat().st_size:,} bytes, too many for a state file", file
            )
        text = file.read_text("utf-8", "surrogateescape")
    except OSError as error:
        raise DamagedError(reason(error), file) from None
    fields = list(_fields(text, file))
    newest = [value for name, value in fields if name == _NEWEST and value]
    if not newest:
        raise DamagedError(
            "it names no checkpoint: it is empty, or its writing was interrupted", file
        )
    return State(file, newest[-1], tuple(value for name, value in fields if name == _KEPT))


def _fields(text: str, file: Path) -> Iterator[tuple[str, str]]:
    at = _behind_spaces(text, 0)
    while at < len(text):
        field = _FIELD.match(text, at)
        if field is None or field[1] not in _KNOWN:
            line = text[text.rfind("\n", 0, at) + 1 :].partition("\n")[0]
            raise DamagedError(
                f"line {text.count(chr(10), 0, at) + 1} is no line of a state file: {line[:60]!r}",
                file,
            )
        # Strings side by side are one.
        yield (
            field[1],
            "".join(_unescaped(string[1:-1]) for string in re.findall(_STRING, field[2] or "")),
        )
        at = _behind_spaces(text, field.end())


def _behind_spaces(text: str, at: int) -> int:
    between = _BETWEEN.match(text, at)
    return between.end() if between else at


def _unescaped(text: str) -> str:
    def meant(escape: re.Match[bytes]) -> bytes:
        if escape[1]:
            return bytes([int(escape[1], 8) & 0xFF])
        return bytes([int(escape[2], 16)]) if escape[2] else _LETTERS.get(escape[3], escape[3])

    return _ESCAPE.sub(meant, text.encode("utf-8", "surrogateescape")).decode(
        "utf-8", "surrogateescape"
    )
