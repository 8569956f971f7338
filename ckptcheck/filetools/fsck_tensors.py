"""Whether a checkpoint is whole: every checksum, every size, and what the values say of themselves."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path

import numpy as np

from ckptcheck.arrays import may_be_nan, nan_and_infinite
from ckptcheck.checkpoints import Checkpoint, DamagedError, Entry, Format, Location
from ckptcheck.checkpoints.classify import is_step
from ckptcheck.checkpoints.errors import NotReadableError, TooShortError
from ckptcheck.filetools.fsck_findings import LOOK, UNKNOWN, WRONG, Finding, some
from ckptcheck.filetools.fsck_state import number
from ckptcheck.filetools.parallel import over
from ckptcheck.filetools.progress import Progress
from ckptcheck.filetools.tables import counted
from ckptcheck.text_safety import shown

_RAISES = "a restore of it raises"
_GO_BACK = "go back to a checkpoint that is whole"


@dataclass(frozen=True)
class Checked:
    """A checkpoint that was checked, how much of it was read, and what was found."""

    path: Path
    format: Format
    findings: tuple[Finding, ...]
    tensors: int = 0
    bytes: int = 0

    @property
    def is_whole(self) -> bool:
        """Whether it can be restored."""
        return not any(finding.grade in (WRONG, UNKNOWN) for finding in self.findings)


def check_tensors(location: Location, progress: Progress) -> Checked:
    """Check a checkpoint; whatever cannot be read is a finding."""
    path, format_ = location.path, location.format
    try:
        checkpoint, of_graph = format_.open_to_check(path)
    except DamagedError as error:
        return Checked(path, format_, (_unreadable(location, error),))
    lost = [file for file in checkpoint.files if not file.is_file()]
    gone = frozenset(lost)
    entries = [
        entry
        for entry in checkpoint.entries.values()
        if not any(piece.file in gone for piece in entry.pieces)
    ]
    damaged, nan, inf = _read(checkpoint, entries, progress)
    findings = [
        *_missing(checkpoint, lost),
        *_damaged(damaged, len(entries)),
        *_graph(of_graph, damaged, lost),
        *_not_finite(path, nan, inf),
        *_strangers(checkpoint, format_),
    ]
    if not lost and not damaged:
        findings += [*_surplus(checkpoint), *_promised(checkpoint), *_number(checkpoint)]
    return Checked(
        path,
        format_,
        tuple(findings),
        len(checkpoint.entries),
        sum(entry.bytes for entry in entries),
    )


# --- Values ----------------------------------------------------------------------------------------------------------


def _read(
    checkpoint: Checkpoint, entries: Sequence[Entry], progress: Progress
) -> tuple[list[DamagedError], list[str], list[str]]:
    """Return what is damaged, and the names of the tensors in which something is NaN, and infinite."""
    damaged: list[DamagedError] = []
    names: tuple[list[str], list[str]] = ([], [])
    for entry, outcome in over(
        entries, lambda entry: _look(checkpoint, entry, progress), attrgetter("bytes"), progress
    ):
        if isinstance(outcome, DamagedError):
            damaged.append(outcome)
            continue
        for named, count in zip(names, outcome, strict=True):
            if count:
                named.append(f"{entry.shown} ({count:,} of {entry.elements:,})")
    return damaged, *names


def _look(
    checkpoint: Checkpoint, entry: Entry, progress: Progress
) -> "tuple[int, int] | DamagedError":
    """Read a tensor, which verifies it, and count its elements that are NaN, and infinite."""
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
        effect = "a restore goes through, and what is computed from these tensors is NaN"
        remedy = "go back to a checkpoint from before; check tensors before a save (tf.debugging.check_numerics)"
        yield Finding(WRONG, what, str(path), effect, remedy)
    if inf:
        what = f"Infinite values in {counted(len(inf), 'tensor')}: {some(inf)}"
        effect = "a restore goes through; whether infinity is meant there (a mask, a best loss so far) no file tells"
        yield Finding(LOOK, what, str(path), effect, "see that it is meant")


def _number(checkpoint: Checkpoint) -> Iterator[Finding]:
    """Compare the number in the name with the counters in the tensors."""
    named = number(checkpoint.path.name)
    steps = {
        entry.shown: int(checkpoint.value(entry))
        for entry in checkpoint.entries.values()
        if is_step(entry)
    }
    if named is not None and steps and named not in steps.values():
        held = some([f"{name} is {value:,}" for name, value in steps.items()])
        what = f"The name says {named:,}, but no step in it does: {held}"
        effect = "what takes the step from the name goes on with another one than the state's"
        remedy = "take the step from the restored state; see whether files were renamed"
        yield Finding(LOOK, what, str(checkpoint.path), effect, remedy)


# --- Files -----------------------------------------------------------------------------------------------------------


def _unreadable(location: Location, error: DamagedError) -> Finding:
    if isinstance(error, NotReadableError):
        return _of_error(
            UNKNOWN, error, "not known: it cannot be read here", "see what has written it"
        )
    files = f"{location.path.name}.*" if location.format.is_prefix else location.path.name
    return _of_error(WRONG, error, _RAISES, f"delete {files}, and {_GO_BACK}")


def _of_error(grade: str, error: DamagedError, effect: str, remedy: str) -> Finding:
    at = "" if error.offset is None else f", byte {error.offset:,}"
    where = f"{error.file}{at}" + ("" if error.tensor is None else f", {error.tensor}")
    return Finding(grade, f"{error.what[:1].upper()}{error.what[1:]}", where, effect, remedy)


def _missing(checkpoint: Checkpoint, files: Sequence[Path]) -> Iterator[Finding]:
    lost = sum(
        any(piece.file in files for piece in entry.pieces) for entry in checkpoint.entries.values()
    )
    if files:
        subject, them = (
            ("The file is", "it") if len(files) == 1 else (f"{len(files):,} files are", "them")
        )
        what, where = (
            f"{subject} missing, and {counted(lost, 'tensor')} with {them}",
            some([str(file) for file in files]),
        )
        effect = f"{_RAISES}; TensorFlow's message blames the names of variables"
        remedy = f"copy what is missing from where the checkpoint was made, or {_GO_BACK}"
        yield Finding(WRONG, what, where, effect, remedy)


def _damaged(damaged: Sequence[DamagedError], count: int) -> Iterator[Finding]:
    short = [error for error in damaged if isinstance(error, TooShortError)]
    others = [error for error in damaged if not isinstance(error, TooShortError)]
    if short:
        what = f"The file is too short: {counted(len(short), 'tensor')} reach beyond its end ({_names(short)})"
        remedy = f"its writing or copying was interrupted: copy it again, or {_GO_BACK}"
        yield Finding(WRONG, what, str(short[0].file), _RAISES, remedy)
    # A flipped bit damages one tensor; data of another save fit in size, and in what never changes.
    if len(others) > 1 and 2 * len(others) > count:
        unlike = (
            f"{len(others):,} of {count:,} tensors do not have their checksums ({_names(others)})"
        )
        what = (
            f"Index and data are of different saves, or the data are corrupt throughout: {unlike}"
        )
        interrupted = "a save under a prefix that was there already was interrupted"
        own = "let each save have a prefix of its own (global_step=…, CheckpointManager)"
        remedy = f"{interrupted}: restore an older checkpoint, and {own}"
        yield Finding(WRONG, what, str(others[0].file), _RAISES, remedy)
    elif others:
        first = others[0]
        place = "" if first.offset is None else f", from byte {first.offset:,}"
        what = (
            f"{counted(len(others), 'tensor')} cannot be trusted ({_names(others)}): {first.what}"
        )
        yield Finding(
            WRONG, what, f"{first.file}{place}", _RAISES, f"copy the file again, or {_GO_BACK}"
        )


def _graph(
    error: DamagedError | None, damaged: Sequence[DamagedError], lost: Sequence[Path]
) -> Iterator[Finding]:
    """Tell of an object graph that has its checksum and is none; one without is told among the tensors."""
    if (
        error is not None
        and error.file not in lost
        and error.tensor not in [other.tensor for other in damaged]
    ):
        yield _of_error(WRONG, error, _RAISES, _GO_BACK)


def _names(errors: Sequence[DamagedError]) -> str:
    return some([error.tensor or "?" for error in errors])


def _surplus(checkpoint: Checkpoint) -> Iterator[Finding]:
    ends: dict[Path, int] = {}
    for entry in (*checkpoint.entries.values(), *([checkpoint.graph] if checkpoint.graph else [])):
        for piece in entry.pieces:
            if piece.offset is not None:
                ends[piece.file] = max(ends.get(piece.file, 0), piece.offset + piece.size)
    for file, end in ends.items():
        surplus = file.stat().st_size - end
        if surplus > 0:
            what = f"{counted(surplus, 'byte')} behind the last tensor"
            remedy = "see where the file comes from: it is longer than its index says"
            yield Finding(LOOK, what, str(file), "none: no restore reads them", remedy)


def _strangers(checkpoint: Checkpoint, format_: Format) -> Iterator[Finding]:
    own = frozenset(checkpoint.files)
    strangers = [str(file) for file in format_.files(checkpoint.path) if file not in own]
    if strangers:
        what = (
            f"{counted(len(strangers), 'data file')} of this prefix that its index does not count"
        )
        remedy = "an earlier save in more or fewer files has left them: delete them"
        yield Finding(LOOK, what, some(sorted(strangers)), "none: no restore reads them", remedy)


def _promised(checkpoint: Checkpoint) -> Iterator[Finding]:
    gone = [shown(key) for key in checkpoint.promised]
    if gone:
        what = f"The object graph names {counted(len(gone), 'tensor')} that the checkpoint does not hold: {some(gone)}"
        yield Finding(
            WRONG,
            what,
            str(checkpoint.files[0]),
            f"{_RAISES} where the program has such a variable",
            _GO_BACK,
        )
