"""What a file is, by its first bytes: said wherever a file is refused, with what to do about it.

A file name shows what a file should be. Downloads, Git LFS and renames leave other content.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from shlex import quote

from ckptcheck.checkpoints.checksums import checksum, masked
from ckptcheck.checkpoints.errors import DamagedError

HDF5, ZIP = b"\x89HDF\r\n\x1a\n", b"PK\3\4"
KERAS_MEMBER = "model.weights.h5"

_HEAD = 1024
_DOWNLOAD = "download it again: a server sent this page instead of the file"
_COPY = "copy or download it again"
_AGAIN = "load it with torch.load, and save it again with torch.save"
_OTHER = "ckptcheck reads checkpoints of TensorFlow, Keras and PyTorch only"


@dataclass(frozen=True)
class Content:
    """What a file is, as said after "the file is", and what to do about it."""

    what: str
    remedy: str
    is_stand_in: bool = False  # it stands in place of the real file
    is_state: bool = False  # says nothing of the format: empty, or zeros
    is_checkpoint: bool = False  # under a name of its own format, it could be read


def content(path: Path) -> Content | None:
    """Return what a file is; None: its first bytes tell nothing. Raises OSError."""
    if not path.is_file():  # a pipe would wait for its writer
        return None
    with path.open("rb") as file:
        head = file.read(_HEAD)
    return next(filter(None, (test(path, head) for test in _TESTS)), None)


def stand_in(path: Path) -> Content | None:
    """Return what a file is, if it stands in place of the real file, as a Git LFS pointer does."""
    try:
        found = content(path)
    except OSError:
        return None
    return found if found is not None and found.is_stand_in else None


def refusal(path: Path, expected: str) -> DamagedError | None:
    """Return the error for a file that does not hold what is expected; None: nothing is known."""
    found = content(path)
    if found is None:
        return None
    instead = "" if found.is_state else f", not {expected}"
    return DamagedError(f"the file is {found.what}{instead}", path, remedy=found.remedy)


def _empty(path: Path, head: bytes) -> Content | None:
    if not head:
        remedy = f"{_COPY}; if a save was interrupted, restore an older checkpoint that is whole"
        return Content("empty", remedy, is_stand_in=True, is_state=True)
    if len(head) == _HEAD and not any(head):
        what = "filled with zeros, at least at its start"
        remedy = f"{_COPY}: space was reserved, but the copy was interrupted"
        return Content(what, remedy, is_state=True)
    return None


def _text(path: Path, head: bytes) -> Content | None:
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if start.startswith(b"version https://git-lfs.github.com/"):
        what, remedy = "a Git LFS pointer", f"git lfs pull --include {quote(path.name)}"
        return Content(what, f"fetch the real file: {remedy}", is_stand_in=True)
    if start.startswith((b"<!doctype html", b"<html", b"<head", b"<body")):
        return Content("a web page (HTML)", _DOWNLOAD, is_stand_in=True)
    if start.startswith((b"<?xml", b"<error")):
        return Content("an XML text, as servers send for an error", _DOWNLOAD, is_stand_in=True)
    return None


def _zip(path: Path, head: bytes) -> Content | None:
    if not head.startswith(ZIP):
        return None
    import zipfile  # takes a tenth of a command's start-up time

    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError, EOFError, OSError):
        return Content("a zip archive, truncated or corrupt", _COPY)
    return _of_members(path, names)


def _of_members(path: Path, names: list[str]) -> Content:
    if KERAS_MEMBER in names:
        return _renamed("a Keras archive (zip)", path, ".keras")
    if any(name.endswith("/data.pkl") or name == "data.pkl" for name in names):
        return _renamed("a PyTorch checkpoint (zip)", path, ".pt")
    if names and all(name.endswith(".npy") for name in names):
        return Content("a NumPy archive (.npz)", "read it with numpy.load")
    return Content("a zip archive", f"unpack it first: unzip {quote(path.name)}")


def _renamed(what: str, path: Path, ending: str) -> Content:
    stem = path.name
    for known in (".keras", ".weights.h5", ".h5", ".hdf5", ".pt", ".pth", ".safetensors"):
        stem = stem.removesuffix(known)
    return Content(what, f"rename it to {stem}{ending}", is_checkpoint=True)


def _hdf5(path: Path, head: bytes) -> Content | None:
    return _renamed("an HDF5 file", path, ".h5") if head.startswith(HDF5) else None


_PACKED = {
    b"\x1f\x8b": ("gzip", "gunzip"),
    b"BZh": ("bzip2", "bunzip2"),
    b"\xfd7zXZ\0": ("xz", "unxz"),
    b"\x28\xb5\x2f\xfd": ("Zstandard", "unzstd"),
    b"7z\xbc\xaf\x27\x1c": ("7-Zip", "7z x"),
}


def _packed(path: Path, head: bytes) -> Content | None:
    if head[257:262] == b"ustar":
        return Content("a tar archive", f"unpack it first: tar xf {quote(path.name)}")
    for start, (name, command) in _PACKED.items():
        if head.startswith(start):
            is_tar = path.name.endswith((".tgz", ".tar.gz", ".tar.bz2", ".tar.xz", ".tar.zst"))
            unpack = "tar xf" if is_tar else command
            what, remedy = f"compressed ({name})", f"unpack it first: {unpack} {quote(path.name)}"
            return Content(what, remedy)
    return None


def _other(path: Path, head: bytes) -> Content | None:
    if head.startswith(b"\x93NUMPY"):
        return Content("a NumPy array (.npy)", "read it with numpy.load")
    if head[:1] == b"\x80" and head[1:2] in (b"\2", b"\3", b"\4", b"\5"):
        return Content("a Python pickle, as PyTorch before 1.6 saved", _AGAIN)
    if head[8:10] == b'{"' and 1 < int.from_bytes(head[:8], "little") < 1 << 27:
        return _renamed("a safetensors file", path, ".safetensors")
    if len(head) >= 12 and masked(checksum(head[:8])) == int.from_bytes(head[8:12], "little"):
        return Content("a TFRecord file, such as a TensorBoard event file", _OTHER)
    return None


_TESTS: tuple[Callable[[Path, bytes], Content | None], ...] = (
    _empty,
    _text,
    _hdf5,
    _zip,
    _packed,
    _other,
)


def of_checkpoints(paths: Iterable[Path]) -> Iterator[tuple[Path, Content]]:
    """Yield the files that hold a checkpoint under a name of a different format."""
    for path in paths:
        try:
            found = content(path)
        except OSError:
            continue
        if found is not None and found.is_checkpoint:
            yield path, found
