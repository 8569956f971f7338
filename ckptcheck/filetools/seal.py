"""Seals: digests of a checkpoint's tensors and files, kept with it.

They show damage where a format has no checksums, or its reader compares none.
"""

import contextlib
import json
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path, PurePosixPath
from typing import Any

import xxhash

from ckptcheck.checkpoints import Checkpoint, DamagedError, Entry, Location, find
from ckptcheck.checkpoints.reader import File
from ckptcheck.counts import counted, filled
from ckptcheck.filetools.fsck_findings import LOOK, UNKNOWN, WRONG, Finding, some
from ckptcheck.filetools.progress import Progress
from ckptcheck.text_safety import shown

# A hidden file: no pattern of a framework, such as `*.pt` or `model.ckpt-1*`, matches it. That of a
# folder lies inside: Accelerate takes whatever lies beside one for a checkpoint.
_START, _END = ".", ".seal.json"
_VERSION = 1
_LARGEST = 1 << 28  # bytes
_REMEDY = (
    "copy it again, or restore an older checkpoint; "
    "if the change was meant, seal the checkpoint again"
)
_GONE = "The checkpoint of a seal is missing: it was deleted, moved or renamed"


@dataclass(frozen=True)
class Sealed:
    """What was sealed: the checkpoint, the file with its digests, and how much was read."""

    checkpoint: Path
    seal: Path
    tensors: int
    files: int
    bytes: int


def seal(path: Path | str, *, progress: Progress | None = None) -> Sealed:
    """Write digests of every tensor and file of a checkpoint, whole or not at all.

    They lie beside the checkpoint, or inside where it is a folder.

    Args:
        path: a prefix, a file or a folder, as `open_checkpoint` takes it.
        progress: receives the number of bytes read.

    Raises:
        UsageError: there is no checkpoint, or more than one.
        DamagedError: it cannot be read.
        OSError: the seal cannot be written.
    """
    location, progress = find(Path(path)), progress or Progress()
    checkpoint = location.open()
    files = sorted(location.format.files(location.path))
    progress.expect(sum(file.stat().st_size for file in files) + checkpoint.size)
    document = {
        "ckptcheck_seal": _VERSION,
        "sealed": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "files": {_name(location, file): _of_file(file, progress) for file in files},
        "tensors": {
            key: _of_tensor(checkpoint, entry, progress)
            for key, entry in checkpoint.entries.items()
        },
    }
    place = seal_of(location)
    _write(place, document)
    size = sum(file.stat().st_size for file in files)
    return Sealed(location.path, place, len(checkpoint.entries), len(files), size)


def seal_of(location: Location) -> Path:
    """Return where the seal of a checkpoint is, or would be."""
    own = "" if location.format.is_folder else f"{_START}{location.path.name}"
    return _folder(location) / f"{own}{_END}"


def _folder(location: Location) -> Path:
    """Return the folder of a checkpoint's files."""
    return location.path if location.format.is_folder else location.path.parent


def is_seal(name: str) -> bool:
    """Return whether a file is a seal, by its name."""
    return name.startswith(_START) and name.endswith(_END)


def check_seal(location: Location, progress: Progress) -> Iterator[Finding]:
    """Report the files of a checkpoint that are not as they were sealed; of none: it has no seal.

    Args:
        location: the checkpoint.
        progress: receives the number of bytes read.
    """
    place = seal_of(location)
    if not place.is_file():
        return
    document = _read(place)
    if document is None:
        yield _unreadable(place)
        return
    differing = _differing(place, document, progress)
    if differing:
        yield _changed(location, document, differing)


def unused_seals(
    folder: Path, checkpoints: Sequence[Location], progress: Progress
) -> Iterator[Finding]:
    """Report the seals in a folder whose checkpoint is gone."""
    used = set(map(seal_of, checkpoints))
    for file in sorted(folder.iterdir()):
        if not is_seal(file.name) or file in used or not file.is_file():
            continue
        if file.name == _END:
            yield from _of_no_checkpoint(file, progress)
        else:
            effect = "a restore does not find what was sealed"
            remedy = "copy the checkpoint again; if it was deleted on purpose, delete the seal, too"
            yield Finding(LOOK, _GONE, str(file), effect, remedy)


def _of_no_checkpoint(place: Path, progress: Progress) -> Iterator[Finding]:
    """Report what has changed in a sealed folder that is no checkpoint any more."""
    document = _read(place)
    if document is None:
        yield _unreadable(place)
        return
    differing = _differing(place, document, progress)
    names = some([shown(file.relative_to(place.parent).as_posix()) for file in differing])
    what = f"The folder was sealed on {document['sealed']}, and is no checkpoint any more: "
    which = f"{names} missing or changed" if differing else "all its files are as sealed"
    effect = "a restore raises, or loads something different"
    yield Finding(WRONG, what + which, str(place.parent), effect, _REMEDY)


def _differing(place: Path, document: Mapping[str, Any], progress: Progress) -> list[Path]:
    """Return the files that are not as a seal says."""
    files = {place.parent / name: each for name, each in document["files"].items()}
    progress.expect(sum(file.stat().st_size for file in files if file.is_file()))
    return [file for file, sealed in files.items() if not _is_as_sealed(file, sealed, progress)]


def _unreadable(place: Path) -> Finding:
    remedy = "if the checkpoint is known to be whole, seal it again"
    return Finding(UNKNOWN, "The seal cannot be read", str(place), "unknown", remedy)


def _changed(location: Location, document: Mapping[str, Any], differing: list[Path]) -> Finding:
    names = some([shown(_name(location, file)) for file in differing])
    tensors = _changed_tensors(location, document["tensors"])
    count = len(tensors)
    which = filled(
        "{number} that {count:differs|differ}", number=counted(count, "tensor"), count=count
    )
    named = f", with {which}: {some(tensors)}" if tensors else ""
    verb = "is" if len(differing) == 1 else "are"
    is_gone = not any(file.exists() for file in differing)
    how = "missing, but was sealed" if is_gone else "not as sealed"
    what = f"{names} {verb} {how} on {document['sealed']}{named}"
    differs = "a restore reads other values than were sealed"
    effect = differs if tensors else "no tensor is known to differ: other content has changed"
    return Finding(WRONG, what, str(location.path), effect, _REMEDY)


def _changed_tensors(location: Location, sealed: Mapping[str, str]) -> list[str]:
    """Return the tensors that are not as sealed; none where the file cannot be read any more."""
    with contextlib.suppress(DamagedError):
        checkpoint = location.open()
        return [
            entry.shown
            for key, entry in checkpoint.entries.items()
            if sealed.get(key) != _digest_or_none(checkpoint, entry)
        ]
    return []


def _digest_or_none(checkpoint: Checkpoint, entry: Entry) -> str | None:
    try:
        return _of_tensor(checkpoint, entry, Progress())
    except DamagedError:
        return None


def _is_as_sealed(file: Path, sealed: Mapping[str, Any], progress: Progress) -> bool:
    if not file.is_file() or file.stat().st_size != sealed["bytes"]:
        return False
    return _of_file(file, progress) == dict(sealed)


def _name(location: Location, file: Path) -> str:
    return file.relative_to(_folder(location)).as_posix()


def _of_file(file: Path, progress: Progress) -> dict[str, Any]:
    summed, opened = xxhash.xxh3_128(), File(file)
    for chunk in opened.chunks(0, opened.size):
        summed.update(chunk.data)
        progress.advance(chunk.nbytes)
    return {"bytes": opened.size, "xxh3_128": summed.hexdigest()}


def _of_tensor(checkpoint: Checkpoint, entry: Entry, progress: Progress) -> str:
    """Return the digest of a tensor's type, shape and stored bytes."""
    summed = xxhash.xxh3_128(f"{entry.type}{list(entry.shape)}".encode())
    if entry.dtype is None:
        for text in checkpoint.texts(entry):
            summed.update(f"{len(text)} ".encode() + text)
        return summed.hexdigest()
    for piece in entry.pieces:
        for chunk in checkpoint.chunks(entry, piece):
            summed.update(chunk.data)
            progress.advance(chunk.nbytes)
    return summed.hexdigest()


def _read(place: Path) -> Mapping[str, Any] | None:
    """Return what a seal holds; None: it is none, or that of another version."""
    try:
        is_small = place.stat().st_size <= _LARGEST
        document = json.loads(place.read_text(encoding="utf-8")) if is_small else None
    except (OSError, ValueError, RecursionError):
        return None
    parts = ("files", "tensors")
    is_seal = (
        isinstance(document, dict)
        and document.get("ckptcheck_seal") == _VERSION
        and isinstance(document.get("sealed"), str)
        and all(isinstance(document.get(part), dict) for part in parts)
        and all(_is_of_file(name, each) for name, each in document["files"].items())
    )
    return document if is_seal else None


def _is_of_file(name: str, sealed: Any) -> bool:
    place = PurePosixPath(name)
    is_inside = bool(place.parts) and not place.is_absolute() and ".." not in place.parts
    return is_inside and isinstance(sealed, dict) and "bytes" in sealed


def _write(place: Path, document: Mapping[str, Any]) -> None:
    # A file of its own: others may seal the same checkpoint at the same time.
    partial = place.with_name(f"{place.name}.{secrets.token_hex(8)}.partial")
    try:
        with partial.open("x", encoding="utf-8") as file:
            json.dump(document, file, indent=1)
        partial.replace(place)
    finally:
        partial.unlink(missing_ok=True)
