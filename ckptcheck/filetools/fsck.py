"""`fsck`: check that checkpoints are whole, and that a restore takes the right one."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ckptcheck.checkpoints import Location, find, formats, state_file
from ckptcheck.checkpoints.find import checkpoints_in, under_other_names, whole_folder
from ckptcheck.counts import counted
from ckptcheck.errors import UsageError
from ckptcheck.filetools import fsck_accelerate, fsck_trainer
from ckptcheck.filetools.fsck_age import check_age
from ckptcheck.filetools.fsck_findings import LOOK, UNKNOWN, WRONG, Finding
from ckptcheck.filetools.fsck_leftovers import check_leftovers, is_of_checkpoints, is_temporary
from ckptcheck.filetools.fsck_orbax import check_steps
from ckptcheck.filetools.fsck_paths import check_paths
from ckptcheck.filetools.fsck_state import check_state
from ckptcheck.filetools.fsck_tensors import Checked, check_tensors
from ckptcheck.filetools.progress import Progress
from ckptcheck.filetools.seal import check_seal, is_seal, seal_of, unused_seals

# What libraries would restore by themselves from a folder, and what they would miss in it.
_NEWEST = (fsck_trainer.check_newest, fsck_accelerate.check_newest, check_steps)
_SAVED = (fsck_trainer.check_saved, fsck_accelerate.check_saved)


@dataclass(frozen=True)
class Check:
    """The checkpoints checked, and the findings; `notes` say what cannot be checked."""

    path: Path
    checkpoints: tuple[Path, ...]
    tensors: int
    bytes: int
    findings: tuple[Finding, ...]
    notes: tuple[str, ...] = ()

    def exit_code(self, strict: bool = False) -> int:
        """1: an error, or with `strict` a warning; else 3: something was not checked; else 0."""
        grades = {finding.grade for finding in self.findings}
        if WRONG in grades or (strict and LOOK in grades):
            return 1
        return 3 if UNKNOWN in grades else 0

    def to_dict(self) -> dict[str, Any]:
        """Return what `--json` prints."""
        return {
            "path": str(self.path),
            "whole": self.exit_code() == 0,
            "checkpoints": [str(checkpoint) for checkpoint in self.checkpoints],
            "tensors": self.tensors,
            "bytes": self.bytes,
            "findings": [asdict(finding) for finding in self.findings],
            "notes": list(self.notes),
        }

    def to_json(self) -> str:
        """Return `to_dict` as a JSON document."""
        return json.dumps(self.to_dict(), indent=2)


def fsck(path: Path | str, *, progress: Progress | None = None) -> Check:
    """Check a checkpoint, or every checkpoint, state file and leftover below a folder.

    Args:
        path: a folder, a prefix, or a checkpoint file; a state file stands for its folder.
        progress: receives the number of bytes read.

    Raises:
        UsageError: there is nothing to check.
    """
    path, progress = Path(path), progress or Progress()
    if state_file.is_state_file(path):
        return _check(path, [path.parent], progress)
    if path.is_dir():
        return _check(path, list(_folders(path)), progress)
    location = find(path)
    progress.expect(_size([location]))
    checked = check_tensors(location, progress)
    leftovers = check_leftovers(location.path.parent, location.path.name, is_safe=checked.is_whole)
    paths = check_paths(location.path.parent, [location])
    above = whole_folder(location.path.parent)  # whose seal covers this file, too
    sealed = [location, *([above] if above else [])]
    further = (
        *(each for one in sealed for each in check_seal(one, progress)),
        *check_age(location),
    )
    findings = (*checked.findings, *further, *paths, *leftovers)
    return _result(path, [checked], findings, sealed)


def _folders(path: Path) -> Iterator[Path]:
    """Yield a folder and its subfolders, but no folder of an unfinished save, and not Git's own."""
    inside = sorted(folder for folder in path.rglob("*") if folder.is_dir())
    for folder in (path, *inside):
        below = folder.relative_to(path)
        above = (path.joinpath(*below.parts[:count]) for count in range(len(below.parts) + 1))
        if ".git" not in below.parts and not any(map(is_temporary, above)):
            yield folder


def _check(path: Path, paths: Sequence[Path], progress: Progress) -> Check:
    wholes = {folder: whole_folder(folder) for folder in paths}
    folders = [folder for folder in paths if wholes[folder] or any(map(_belongs, folder.iterdir()))]
    inside = _without_parts({folder: checkpoints_in(folder) for folder in folders})
    progress.expect(sum(map(_size, inside.values())))
    checked: list[Checked] = []
    findings = [finding for folder in paths for check in _NEWEST for finding in check(folder)]
    sealed: list[Location] = []
    read = {
        folder: [check_tensors(location, progress) for location in locations]
        for folder, locations in inside.items()
    }
    # The folders in which a checkpoint lies that is whole.
    safe = {each.location.path.parent for own in read.values() for each in own if each.is_whole}
    for folder, locations in inside.items():
        together = wholes[folder]
        of_folder = [*dict.fromkeys([*locations, *([together] if together else [])])]
        own = read[folder]
        findings += [finding for checkpoint in own for finding in checkpoint.findings]
        findings += [each for one in of_folder for each in check_seal(one, progress)]
        findings += [each for one in locations for each in check_age(one)]
        findings += [finding for check in _SAVED for finding in check(folder)]
        findings += unused_seals(folder, of_folder, progress)
        findings += check_paths(folder, locations)
        whole = [location for location, each in zip(locations, own, strict=True) if each.is_whole]
        findings += check_leftovers(folder, is_safe=folder in safe)
        if together is None:  # else a file of the name `checkpoint` is its own
            findings += check_state(folder, [each for each in whole if each.format.state_file])
        checked += own
        sealed += of_folder
    if not checked and not findings:
        instead = "".join(map(under_other_names, paths))
        raise UsageError(
            f"The folder {path} has no checkpoint to check, and no part of one.{instead}"
        )
    return _result(path, checked, findings, sealed)


def _without_parts(inside: Mapping[Path, list[Location]]) -> dict[Path, list[Location]]:
    """Leave out what is checked as a part of another checkpoint, as an item of a step is."""
    known = {(each.path, each.format.name) for own in inside.values() for each in own}
    return {
        folder: [
            each
            for each in own
            if not any((above, each.format.name) in known for above in each.path.parents)
        ]
        for folder, own in inside.items()
    }


def _belongs(path: Path) -> bool:
    return is_of_checkpoints(path) or is_seal(path.name)


def _size(locations: Sequence[Location]) -> int:
    return sum(file.stat().st_size for each in locations for file in each.format.files(each.path))


def _result(
    path: Path,
    checked: Sequence[Checked],
    findings: Sequence[Finding],
    sealed: Sequence[Location],
) -> Check:
    tensors, size = sum(each.tensors for each in checked), sum(each.bytes for each in checked)
    return Check(
        path,
        tuple(each.location.path for each in checked),
        tensors,
        size,
        tuple(findings),
        tuple(_notes(checked, [one for one in sealed if seal_of(one).is_file()])),
    )


def _notes(checked: Sequence[Checked], sealed: Sequence[Location]) -> Iterator[str]:
    """Say what was compared with a seal, and what cannot be checked without one."""
    compared = [each for each in checked if any(map(each.location.is_within, sealed))]
    if sealed:
        count = counted(len(compared), "checkpoint")
        yield f"{count} compared with {counted(len(sealed), 'seal')}."
    for unsure in formats.FORMATS:
        readable = sum(
            each.location.format is unsure and each.tensors > 0 and each not in compared
            for each in checked
        )
        if readable and not unsure.has_checksums:
            files = counted(readable, unsure.unit)
            yield (
                f"{unsure.name} has no checksums: damaged values in {files} go undetected, unless "
                "each save is sealed: `ckptcheck seal`."
            )
