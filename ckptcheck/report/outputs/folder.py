"""Output folders and files: one process at a time, and results that are complete or absent."""

import contextlib
import errno
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from filelock import FileLock, Timeout

from ckptcheck.errors import NotVerifiedError, UsageError
from ckptcheck.report.outputs.figure import plot, save_figure
from ckptcheck.report.report import Report

LOCK = ".ckptcheck"
PARTIAL = ".partial"
# In the order in which they are moved into place: a folder with a report.json has all of them.
CONTENTS = (
    "runs",
    "losses.csv",
    "tensors.csv",
    "evaluations.csv",
    "curves.png",
    "curves.svg",
    "report.json",
)


# Half a surrogate pair, as in a path that is not UTF-8, is written escaped.
_TEXT: dict[str, Any] = {"encoding": "utf-8", "errors": "backslashreplace"}


@contextmanager
def output_folder(folder: Path, contents: Sequence[str] = CONTENTS) -> Iterator[Path]:
    """Lock an output folder, and yield a temporary folder inside it for work in progress.

    Raises `UsageError` if the folder cannot be written, is locked, or holds anything else.
    """
    made = not folder.exists()
    lock = FileLock(folder / LOCK)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _refuse_strangers(folder, contents)
        lock.acquire(blocking=False)
    except Timeout:
        text = (
            f"Another ckptcheck is writing to {folder}. Wait for it, or choose a different folder "
            "with --out."
        )
        raise UsageError(text) from None
    except OSError as error:
        raise UsageError(
            f"The output folder {folder} cannot be written: {error.strerror}."
        ) from error
    partial = folder / PARTIAL
    try:
        shutil.rmtree(partial, ignore_errors=True)  # left by a killed verification
        partial.mkdir()
        yield partial
    except OSError as error:
        raise NotVerifiedError(
            f"The report could not be written to {folder}: {error.strerror or error}."
        ) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
        if made and [entry.name for entry in folder.iterdir()] == [LOCK]:
            shutil.rmtree(folder, ignore_errors=True)
        lock.release()
        if folder.exists():
            (folder / LOCK).touch()  # marks the folder as ours; some versions of filelock remove it


def _refuse_strangers(folder: Path, contents: Sequence[str]) -> None:
    names = sorted(entry.name for entry in folder.iterdir())
    strangers = [name for name in names if name not in (*contents, LOCK, PARTIAL)]
    if strangers or (names and LOCK not in names):
        raise UsageError(
            f"The output folder {folder} holds other files "
            f"({', '.join((strangers or names)[:3])}), so nothing was written. Choose a folder "
            "that is new, empty, or holds earlier results of the same command."
        )


def write(report: Report, partial: Path) -> None:
    """Write all files of a report into `partial`, then move them into place, the report last."""
    write_tables(report, partial)
    save_figure(plot(report), partial, "curves")
    (partial / "report.json").write_text(report.to_json() + "\n", encoding="utf-8")
    folder = partial.parent
    (folder / "report.json").unlink(missing_ok=True)
    for name in CONTENTS:
        replace(partial / name, folder / name)


def write_tables(report: Report, folder: Path) -> None:
    """Write the tables of a report as CSV files."""
    for name, table in (
        ("losses", report.losses()),
        ("tensors", report.tensors()),
        ("evaluations", report.evaluations()),
    ):
        table.to_csv(folder / f"{name}.csv", index=False, **_TEXT)


@contextmanager
def single_file(path: Path | None) -> Iterator[Callable[[str], None]]:
    """Yield a function that writes `path` completely or not at all; nothing without a path.

    A link stays, and its target is written. A device or a pipe is written to, never replaced.
    Raises `UsageError` at once if the file cannot be written.
    """
    if path is None:
        yield lambda text: None
        return
    # The path itself leads to an open pipe, such as /dev/stdout; its resolved name does not.
    through = path.exists() and not path.is_file()
    target = path if through else Path(os.path.realpath(path))
    partial = target.parent / f".{target.name}.partial"
    stream = _standard_stream(path)
    try:
        _check_writable(path, target)
        if not through and stream is None:
            partial.touch()
    except OSError as error:
        raise UsageError(f"The file {path} cannot be written: {error.strerror}.") from error

    def write_text(text: str) -> None:
        try:
            if stream is not None:
                print(text, file=stream, flush=True)
            elif through:
                with contextlib.suppress(BrokenPipeError), target.open("w", **_TEXT) as file:
                    file.write(text)
            else:
                partial.write_text(text, **_TEXT)
                partial.replace(target)
        except OSError as error:
            raise NotVerifiedError(
                f"The file {path} could not be written: {error.strerror or error}."
            ) from error

    try:
        yield write_text
    finally:
        if not through:
            partial.unlink(missing_ok=True)


def _check_writable(path: Path, target: Path) -> None:
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if target.is_symlink() and not target.exists():
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
    if target.exists() and not os.access(target, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


def _standard_stream(path: Path) -> TextIO | None:
    """Return the standard stream that writes to this file: both must write through one position."""
    for stream in (sys.stdout, sys.stderr):
        # A stream may be closed, or replaced by one without a file.
        with contextlib.suppress(OSError, ValueError, AttributeError):
            if os.path.samestat(path.stat(), os.fstat(stream.fileno())):
                return stream
    return None


def replace(source: Path, target: Path) -> None:
    """Move a file or folder, if it exists, into the place of an earlier one."""
    if target.is_dir():
        shutil.rmtree(target)
    if source.exists():
        source.replace(target)
