"""The lines of a strace log as system calls: joined, split, unescaped, and no more."""

import ast
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

# Stands for the name of the call in a line that says that a thread has ended.
ENDED = b"+++"
_UNFINISHED = b"<unfinished ...>"
_RESUMED = re.compile(rb"<\.\.\. \w+ resumed>")
# A string, the path of a descriptor, plain text, or a mark between them.
_TOKEN = re.compile(
    rb'"[^"\\]*(?:\\.[^"\\]*)*"(?:\.\.\.)?|<[^>]*>|[^"<,()\[\]{}]+|[,()\[\]{}<"]', re.S
)
_RESULT = re.compile(rb"\s*= (0x[0-9a-f]+|-?\d+)(.*)", re.S)
_DESCRIPTOR = re.compile(
    rb"(0x[0-9a-f]+|-?\d+|AT_FDCWD)(?:<(/[^>]*?)( ?\(deleted\))?>)?(\(deleted\))?"
)
_STRING = re.compile(rb'"(.*)"(\.\.\.)?', re.S)
_VECTOR = re.compile(rb'iov_base=("[^"\\]*(?:\\.[^"\\]*)*"(?:\.\.\.)?|\w+), iov_len=(\d+)', re.S)


@dataclass(frozen=True, slots=True)
class Call:
    """A system call that succeeded.

    Attributes:
        thread: the thread that made it.
        time: when it began, or when it went on after it was interrupted in the log.
        name: its name.
        words: its arguments as they stand in the log.
        result: the number it returned.
        path: the path of the descriptor it returned, if any.
    """

    thread: int
    time: float
    name: str
    words: tuple[bytes, ...]
    result: int
    path: str | None


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the log that holds a whole call, or the beginning of one that another line ends."""

    thread: int
    time: float
    name: bytes
    text: bytes
    is_whole: bool


def lines(log: Path) -> Iterator[Line]:
    """Yield the calls of a log in the order of their ends, and first the begun ones, too."""
    begun: dict[bytes, bytes] = {}
    with log.open("rb") as file:
        for raw in file:
            parts = raw.rstrip(b"\n").split(None, 2)
            if len(parts) < 3 or not parts[0].isdigit():
                continue
            thread, time, text = parts
            if text.startswith(ENDED):
                begun.pop(thread, None)
                yield Line(int(thread), float(time), ENDED, text, is_whole=True)
                continue
            if text.startswith(b"<... "):
                resumed = _RESUMED.match(text)
                head = begun.pop(thread, None)
                if resumed is None or head is None:
                    continue
                text = head + text[resumed.end() :]
            is_whole = not text.endswith(_UNFINISHED)
            if not is_whole:
                text = text[: -len(_UNFINISHED)].rstrip()
                begun[thread] = text
            name, bracket, _ = text.partition(b"(")
            if bracket and raw.endswith(b"\n"):  # a killed tracer leaves half a line
                yield Line(int(thread), float(time), name, text, is_whole)


def call(line: Line) -> Call | None:
    """Return the call of a whole line; None: it failed, or never ended."""
    words, rest = _split(line.text[len(line.name) :])
    result = _RESULT.match(rest)
    if result is None or result[1].startswith(b"-"):
        return None
    returned = descriptor(result[1] + result[2])
    return Call(line.thread, line.time, line.name.decode(), words, int(result[1], 0), returned.path)


def _split(text: bytes) -> tuple[tuple[bytes, ...], bytes]:
    """Return the arguments between the outermost brackets, and what follows them."""
    words: list[bytes] = []
    word: list[bytes] = []
    depth = 0
    for token in _TOKEN.finditer(text):
        mark = token[0]
        if mark in b"([{" and depth == 0:
            depth = 1
            continue
        if mark in b"([{":
            depth += 1
        elif mark in b")]}":
            depth -= 1
        if depth == 0 or (depth == 1 and mark == b","):
            words.append(b"".join(word).strip())
            word = []
        else:
            word.append(mark)
        if depth == 0:
            return tuple(words), text[token.end() :]
    return tuple(words), b""


@dataclass(frozen=True, slots=True)
class Descriptor:
    """A file descriptor as an argument: its number (None: the working folder) and its path."""

    number: int | None
    path: str | None
    is_deleted: bool = False


def descriptor(word: bytes) -> Descriptor:
    """Read a descriptor such as `3</run/model.pt>`."""
    found = _DESCRIPTOR.match(word)
    if found is None:
        return Descriptor(-1, None)
    number = None if found[1] == b"AT_FDCWD" else int(found[1], 0)
    path = None if found[2] is None else os.fsdecode(_unescaped(found[2]))
    return Descriptor(number, path, bool(found[3] or found[4]))


def string(word: bytes) -> tuple[bytes, bool]:
    """Read a string; return its bytes, and whether the log has all of them."""
    found = _STRING.fullmatch(word)
    if found is None:
        return b"", False
    return _unescaped(found[1]), found[2] is None


def vector(word: bytes) -> bytes:
    """Read the buffers of `writev`; return their first bytes, as far as the log has them."""
    data = b""
    for base, size in _VECTOR.findall(word):
        part, _ = string(base)
        data += part
        if len(part) < int(size):
            break
    return data


def number(word: bytes) -> int | None:
    """Read a number, which may stand in brackets (`[5]`, `[0] => [5]`); None: there is none."""
    found = re.match(rb"\[?(-?\d+)", word)
    return int(found[1]) if found else None


def _unescaped(text: bytes) -> bytes:
    if b"\\" not in text:
        return text
    value = ast.literal_eval(f'b"{text.decode("latin-1")}"')
    assert isinstance(value, bytes)
    return value
