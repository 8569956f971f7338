"""The state file `checkpoint`, in which TensorFlow's savers record a folder's newest checkpoint.

Format: a `CheckpointState` (`tensorflow/python/training/checkpoint_state.proto`) as text.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ckptcheck.checkpoints.errors import DamagedError
from ckptcheck.checkpoints.first_bytes import stand_in
from ckptcheck.checkpoints.reader import reason

NAME = "checkpoint"
_LARGEST = 1 << 24  # bytes; far more than any real state file

_BLANK = re.compile(r"(?:[\s,;]|#[^\n]*)*")
_STRING = r'(?:"(?:[^"\\\n]|\\.)*"|\'(?:[^\'\\\n]|\\.)*\')'
_FIELD = re.compile(rf"(\w+)\s*:\s*(?:({_STRING}(?:\s*{_STRING})*)|[-+.\w]+)")
_NEWEST, _KEPT = "model_checkpoint_path", "all_model_checkpoint_paths"
# TensorFlow rejects a state file with any other field.
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
    """The content of a state file: the newest checkpoint and all kept ones, as written there."""

    file: Path
    newest: str
    kept: tuple[str, ...]

    def resolve(self, path: str) -> Path:
        """Resolve a path of the file: relative paths start at the file's folder."""
        return self.file.parent / path


def in_folder(folder: Path) -> list[Path]:
    """Return the state files of a folder: that of the usual name first, then others.

    A saver writes others if it is given a `latest_filename`.
    """
    usual = folder / NAME
    others = (file for file in sorted(folder.iterdir()) if file != usual and is_state_file(file))
    return [*([usual] if usual.is_file() else []), *others]


def is_state_file(file: Path) -> bool:
    """Return whether a file is a state file: by its name, else by its first field."""
    if not file.is_file():
        return False
    if file.name == NAME:
        return True
    try:
        with file.open("rb") as opened:
            return opened.read(len(_NEWEST) + 1).startswith(_NEWEST.encode())
    except OSError:
        return False


def read(file: Path) -> State:
    """Read a state file; raise DamagedError: it is unreadable."""
    try:
        if file.stat().st_size > _LARGEST:
            raise DamagedError(f"{file.stat().st_size:,} bytes are too many for a state file", file)
        text = file.read_text("utf-8", "surrogateescape")
    except OSError as error:
        raise DamagedError(reason(error), file) from None
    instead = stand_in(file)
    if instead is not None and not instead.is_state:
        what = f"the file is {instead.what}, not a state file"
        raise DamagedError(what, file, remedy=instead.remedy)
    fields = list(_fields(text, file))
    newest = [value for name, value in fields if name == _NEWEST and value]
    if not newest:
        raise DamagedError(
            f"there is no {_NEWEST}; the file is empty, or a write was interrupted", file
        )
    return State(file, newest[-1], tuple(value for name, value in fields if name == _KEPT))


def _fields(text: str, file: Path) -> Iterator[tuple[str, str]]:
    at = _skip_blank(text, 0)
    while at < len(text):
        field = _FIELD.match(text, at)
        if field is None or field[1] not in _KNOWN:
            line = text[text.rfind("\n", 0, at) + 1 :].partition("\n")[0]
            raise DamagedError(
                f"line {text.count(chr(10), 0, at) + 1} does not belong in a state file: "
                f"{line[:60]!r}",
                file,
            )
        # Adjacent strings are concatenated.
        yield (
            field[1],
            "".join(_unescaped(string[1:-1]) for string in re.findall(_STRING, field[2] or "")),
        )
        at = _skip_blank(text, field.end())


def _skip_blank(text: str, at: int) -> int:
    blank = _BLANK.match(text, at)
    return blank.end() if blank else at


def _unescaped(text: str) -> str:
    def decoded(escape: re.Match[bytes]) -> bytes:
        if escape[1]:
            return bytes([int(escape[1], 8) & 0xFF])
        return bytes([int(escape[2], 16)]) if escape[2] else _LETTERS.get(escape[3], escape[3])

    return _ESCAPE.sub(decoded, text.encode("utf-8", "surrogateescape")).decode(
        "utf-8", "surrogateescape"
    )
