"""Check that a checkpoint is whole: every checksum, every size, and the plausibility of values."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path

import numpy as np

from ckptcheck.arrays import may_be_nan, nan_and_infinite
from ckptcheck.checkpoints import Checkpoint, DamagedError, Entry, Format, Location
from ckptcheck.checkpoints.classify import is_step
from ckptcheck.checkpoints.errors import NotReadableError, TooShortError, WrongChecksumError
from ckptcheck.checkpoints.first_bytes import stand_in
from ckptcheck.counts import counted
from ckptcheck.filetools.fsck_findings import LOOK, UNKNOWN, WRONG, Finding, some
from ckptcheck.filetools.fsck_state import number
from ckptcheck.filetools.parallel import over
from ckptcheck.filetools.progress import Progress
from ckptcheck.kinds import Kind
from ckptcheck.text_safety import shown

_RAISES = "a restore raises"
_OF_PREFIX = "prefix not listed in its index"
_GO_BACK = "restore an older checkpoint that is whole"


@dataclass(frozen=True)
class Checked:
    """The result for one checkpoint: the findings, and how much was read."""

    location: Location
    findings: tuple[Finding, ...]
    tensors: int = 0
    bytes: int = 0

    @property
    def is_whole(self) -> bool:
        """Whether the checkpoint can be restored."""
        return not any(finding.grade in (WRONG, UNKNOWN) for finding in self.findings)


def check_tensors(location: Location, progress: Progress) -> Checked:
    """Check a checkpoint; anything unreadable is a finding."""
    path, format_ = location.path, location.format
    try:
        checkpoint, of_graph = format_.open_to_check(path)
    except DamagedError as error:
        return Checked(location, (_unreadable(location, error),))
    missing = [file for file in checkpoint.files if not file.is_file()]
    absent = frozenset(missing)
    entries = [
        entry
        for entry in checkpoint.entries.values()
        if not any(piece.file in absent for piece in entry.pieces)
    ]
    damaged, nan, inf = _read(checkpoint, entries, progress)
    refused = [error for error in damaged if isinstance(error, NotReadableError)]
    damaged = [error for error in damaged if error not in refused]
    findings = [
        *(_unreadable(location, error) for error in refused),
        *_missing(checkpoint, format_, missing),
        *_damaged(damaged, len(entries), format_),
        *_graph(of_graph, damaged, missing),
        *_not_finite(path, nan, inf),
        *_surplus_files(checkpoint, format_, not (missing or damaged or of_graph)),
        *_nothing(checkpoint),
    ]
    if not missing and not damaged:
        findings += [*_surplus_bytes(checkpoint), *_promised(checkpoint), *_number(checkpoint)]
    return Checked(
        location,
        tuple(findings),
        len(checkpoint.entries),
        sum(entry.bytes for entry in entries),
    )


# --- Values ---------------------------------------------------------------------------------------


def _read(
    checkpoint: Checkpoint, entries: Sequence[Entry], progress: Progress
) -> tuple[list[DamagedError], list[str], list[str]]:
    """Return the damage, and the names of the tensors with NaN and with infinite elements."""
    damaged: list[DamagedError] = []
    names: tuple[list[str], list[str]] = ([], [])
    for entry, outcome in over(
        entries, lambda entry: _look(checkpoint, entry, progress), attrgetter("bytes"), progress
    ):
        if isinstance(outcome, DamagedError):
            damaged.append(outcome)
            continue
        nan, inf = outcome
        is_own = entry.kind is Kind.OTHER and not entry.shape  # such as the best loss so far
        for named, count in zip(names, (nan, 0 if is_own else inf), strict=True):
            if count:
                named.append(f"{entry.shown} ({count:,} of {entry.elements:,})")
    return damaged, *names


def _look(
    checkpoint: Checkpoint, entry: Entry, progress: Progress
) -> "tuple[int, int] | DamagedError":
    """Read and thereby verify a tensor, and count its NaN and infinite elements."""
    nan = inf = 0
    try:
        if entry.dtype is None:
            checkpoint.texts(entry)
            return 0, 0
        rounded = may_be_nan(entry.dtype)
        for piece in entry.pieces:
            for chunk in checkpoint.arrays(entry, piece):
                progress.advance(chunk.nbytes)
                if not rounded or (finite := np.isfinite(chunk)).all():
                    continue
                more_nan, more_inf = nan_and_infinite(chunk, finite)
                nan, inf = nan + more_nan, inf + more_inf
    except DamagedError as error:
        return error
    return nan, inf


def _not_finite(path: Path, nan: Sequence[str], inf: Sequence[str]) -> Iterator[Finding]:
    if nan:
        what = f"NaN in {counted(len(nan), 'tensor')}: {some(nan)}"
        effect = "a restore succeeds, but whatever is computed from these tensors is NaN"
        remedy = (
            "restore a checkpoint without NaN; "
            "check tensors before each save (tf.debugging.check_numerics, torch.isfinite)"
        )
        yield Finding(WRONG, what, str(path), effect, remedy)
    if inf:
        what = f"Infinite values in {counted(len(inf), 'tensor')}: {some(inf)}"
        effect = "a restore succeeds; infinity may be intended (a mask, the best loss so far)"
        remedy = "check that infinity is intended there"
        yield Finding(LOOK, what, str(path), effect, remedy)


def _number(checkpoint: Checkpoint) -> Iterator[Finding]:
    """Compare the number in the name with the steps in the tensors."""
    named = number(checkpoint.path.name)
    steps = {
        entry.shown: int(checkpoint.value(entry))
        for entry in checkpoint.entries.values()
        if is_step(entry)
    }
    if named is not None and steps and named not in steps.values():
        held = some([f"{name} is {value:,}" for name, value in steps.items()])
        what = f"The name says step {named:,}, but the checkpoint's {held}"
        effect = "code that takes the step from the name continues at the wrong step"
        remedy = "take the step from the restored state; check whether the files were renamed"
        yield Finding(LOOK, what, str(checkpoint.path), effect, remedy)


# --- Files ----------------------------------------------------------------------------------------


def _unreadable(location: Location, error: DamagedError) -> Finding:
    if isinstance(error, NotReadableError):
        effect = "unknown: ckptcheck does not support this content"
        remedy = error.remedy or "check which program wrote the file"
        return _of_error(UNKNOWN, error, effect, remedy)
    files = f"{location.path.name}.*" if location.format.is_prefix else location.path.name
    remedy = error.remedy or f"copy {files} again, or {_GO_BACK}"
    is_read = isinstance(error, WrongChecksumError)
    return _of_error(WRONG, error, location.format.on_damage if is_read else _RAISES, remedy)


def _of_error(grade: str, error: DamagedError, effect: str, remedy: str) -> Finding:
    at = "" if error.offset is None else f", byte {error.offset:,}"
    where = f"{error.file}{at}" + ("" if error.tensor is None else f", {error.tensor}")
    return Finding(grade, f"{error.what[:1].upper()}{error.what[1:]}", where, effect, remedy)


def _missing(checkpoint: Checkpoint, format_: Format, files: Sequence[Path]) -> Iterator[Finding]:
    tensors = sum(
        any(piece.file in files for piece in entry.pieces) for entry in checkpoint.entries.values()
    )
    if files:
        subject = "A data file is" if len(files) == 1 else f"{len(files):,} data files are"
        what = f"{subject} missing, with {counted(tensors, 'tensor')}"
        where = some([str(file) for file in files])
        blamed = "; TensorFlow's message blames variable names instead"
        effect = f"{_RAISES}{blamed if format_.state_file else ''}"
        found = _renamed(checkpoint, files)
        remedy = found or f"copy the missing files from the original folder, or {_GO_BACK}"
        yield Finding(WRONG, what, where, effect, remedy)


def _renamed(checkpoint: Checkpoint, missing: Sequence[Path]) -> str:
    """Return the remedy if a file of the missing one's size lies there under a different name."""
    if len(missing) > 1:
        return ""
    size = _ends(checkpoint).get(missing[0], 0)
    named = f"{checkpoint.path.name}."
    candidates = [
        file
        for file in sorted(checkpoint.path.parent.iterdir())
        if file.name.startswith(named) and file not in checkpoint.files and file.is_file()
    ]
    alike = [file.name for file in candidates if file.stat().st_size == size > 0]
    if len(alike) != 1:
        return ""
    return f"{alike[0]} has the size that the index counts: rename it to {missing[0].name}"


def _damaged(damaged: Sequence[DamagedError], count: int, format_: Format) -> Iterator[Finding]:
    short = [error for error in damaged if isinstance(error, TooShortError)]
    others = [error for error in damaged if not isinstance(error, TooShortError)]
    if short:
        instead = stand_in(short[0].file)
        state = "truncated" if instead is None else instead.what
        missing = counted(len(short), "tensor")
        what = f"The file is {state}: {missing} beyond its end ({_names(short)})"
        again = f"a save or copy was interrupted: copy the file again, or {_GO_BACK}"
        remedy = again if instead is None else instead.remedy
        yield Finding(WRONG, what, str(short[0].file), _RAISES, remedy)
    # A flipped bit damages one tensor. Data of a different save match in sizes and constants only.
    if format_.is_prefix and len(others) > 1 and 2 * len(others) > count:
        what = (
            "Index and data are from different saves, or the data are corrupt throughout: "
            f"the checksums of {len(others):,} of {count:,} tensors do not match ({_names(others)})"
        )
        remedy = (
            f"{_GO_BACK}; a save that overwrote this prefix was interrupted: "
            "give each save its own prefix (global_step=…, CheckpointManager)"
        )
        yield Finding(WRONG, what, str(others[0].file), _RAISES, remedy)
    elif others:
        first = others[0]
        place = "" if first.offset is None else f", from byte {first.offset:,}"
        which = "" if len(others) == 1 else "of the first, "
        what = f"{counted(len(others), 'tensor')} damaged ({_names(others)}): {which}{first.what}"
        remedy = f"copy the file again, or {_GO_BACK}"
        yield Finding(WRONG, what, f"{first.file}{place}", format_.on_damage, remedy)


def _graph(
    error: DamagedError | None, damaged: Sequence[DamagedError], missing: Sequence[Path]
) -> Iterator[Finding]:
    """Report a malformed object graph, unless the damage is reported among the tensors."""
    if (
        error is not None
        and error.file not in missing
        and error.tensor not in [other.tensor for other in damaged]
    ):
        yield _of_error(WRONG, error, _RAISES, _GO_BACK)


def _names(errors: Sequence[DamagedError]) -> str:
    return some([error.tensor or "?" for error in errors])


def _ends(checkpoint: Checkpoint) -> dict[Path, int]:
    """Return the size of each file, by the places of its tensors."""
    ends: dict[Path, int] = {}
    for entry in (*checkpoint.entries.values(), *([checkpoint.graph] if checkpoint.graph else [])):
        for piece in entry.pieces:
            if piece.offset is not None:
                ends[piece.file] = max(ends.get(piece.file, 0), piece.offset + piece.size)
    return ends


def _surplus_bytes(checkpoint: Checkpoint) -> Iterator[Finding]:
    for file, end in _ends(checkpoint).items():
        surplus = file.stat().st_size - end
        if surplus > 0:
            what = f"{counted(surplus, 'byte')} after the last tensor"
            remedy = "check where the file comes from: it is longer than its index says"
            yield Finding(LOOK, what, str(file), "none: restores ignore them", remedy)


def _surplus_files(checkpoint: Checkpoint, format_: Format, is_whole: bool) -> Iterator[Finding]:
    own = frozenset(checkpoint.files)
    surplus = [str(file) for file in format_.files(checkpoint.path) if file not in own]
    if surplus:
        where = "folder not listed in its metadata" if format_.is_folder else _OF_PREFIX
        what = f"{counted(len(surplus), 'data file')} of this {where}"
        remedy = (
            "leftovers of an earlier save with a different number of files: delete them"
            if is_whole
            else "keep them: they may be of a newer save, whose index was not copied; "
            "look for that index where the files came from"
        )
        yield Finding(LOOK, what, some(sorted(surplus)), "none: restores ignore them", remedy)


def _nothing(checkpoint: Checkpoint) -> Iterator[Finding]:
    if not checkpoint.entries:
        remedy = "check what was saved: the program had no variables, or saved a different object"
        effect = "a restore changes nothing, or raises"
        yield Finding(LOOK, "The checkpoint holds no tensors", str(checkpoint.path), effect, remedy)


def _promised(checkpoint: Checkpoint) -> Iterator[Finding]:
    missing = [shown(key) for key in checkpoint.promised]
    if missing:
        named = f"The object graph names {counted(len(missing), 'tensor')}"
        what = f"{named} that the checkpoint does not hold: {some(missing)}"
        effect = f"{_RAISES} if the program has such a variable"
        yield Finding(WRONG, what, str(checkpoint.files[0]), effect, _GO_BACK)
