"""Output folders and files: one process at a time, and results that are there whole or not at all."""

import errno
import fcntl
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ckptcheck.errors import NotVerifiedError, UsageError
from ckptcheck.studies.catalogue import STUDIES

if TYPE_CHECKING:
    from ckptcheck.report.report import Report
    from ckptcheck.studies.result import Study

LOCK = ".ckptcheck"
PARTIAL = ".partial"
# In the order in which they are put into place; a folder with a report.json has all of them.
CONTENTS = ("runs", "losses.csv", "tensors.csv", "evaluations.csv", "curves.png", "curves.svg", "report.json")


# A study's output folder: the runs that are kept for all studies, and a folder for each of them. No name is one of a
# verification's, which would replace it.
KEPT = "kept"
STUDY_CONTENTS = (KEPT, *STUDIES)


@contextmanager
def output_folder(folder: Path, contents: Sequence[str] = CONTENTS) -> Iterator[Path]:
    """Hold an output folder; yield the folder inside it where work in progress lies, which is gone in the end.

    Args:
        folder: the output folder; made where it is not there.
        contents: the names it may hold.

    Raises:
        UsageError: the folder cannot be written, is no folder, holds something else, or is held by another process.
    """
    made = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _refuse_strangers(folder, contents)
        lock = (folder / LOCK).open("a+", encoding="utf-8")
    except OSError as error:
        raise UsageError(f"The output folder {folder} cannot be written: {error.strerror}.") from error
    with lock:
        _hold(lock.fileno(), folder)
        partial = folder / PARTIAL
        try:
            shutil.rmtree(partial, ignore_errors=True)  # what a killed verification left
            partial.mkdir()
            yield partial
        except OSError as error:
            raise NotVerifiedError(f"The report could not be written to {folder}: {error.strerror or error}.") from error
        finally:
            shutil.rmtree(partial, ignore_errors=True)
            if made and {each.name for each in folder.iterdir()} == {LOCK}:
                shutil.rmtree(folder, ignore_errors=True)


def _refuse_strangers(folder: Path, contents: Sequence[str]) -> None:
    strangers = sorted(each.name for each in folder.iterdir() if each.name not in (*contents, LOCK, PARTIAL))
    if strangers or (any(folder.iterdir()) and not (folder / LOCK).exists()):
        found = strangers or sorted(each.name for each in folder.iterdir())
        raise UsageError(
            f"The output folder {folder} holds something else ({', '.join(found[:3])}): nothing was written. "
            "Name a folder that is empty, is not there yet, or holds earlier results of the same command."
        )


def _hold(lock: int, folder: Path) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise UsageError(
            f"Another ckptcheck is writing to {folder}. Wait for it, or name another folder with --out."
        ) from None


def write(report: "Report", partial: Path, draw: Callable[["Report", Path], None]) -> None:
    """Write all files of a report into `partial`, then put them into place, the report itself last."""
    for name in ("losses", "tensors", "evaluations"):
        getattr(report, name)().to_csv(partial / f"{name}.csv", index=False)
    draw(report, partial)
    (partial / "report.json").write_text(report.to_json() + "\n", encoding="utf-8")
    folder = partial.parent
    (folder / "report.json").unlink(missing_ok=True)
    for name in CONTENTS:
        _replace(partial / name, folder / name)


def write_study(study: "Study", partial: Path, draw: Callable[["Study", Path], None]) -> None:
    """Write all files of a study into `partial`, then put them into place as its folder."""
    made = partial / study.definition.name
    made.mkdir()
    for name in ("epochs", "runs", "humps"):
        getattr(study, name)().to_csv(made / f"{name}.csv", index=False)
    study.bands().to_csv(made / "bands.csv", index=False, float_format="%.5g")  # to be drawn, and kept: small
    draw(study, made)
    (made / "summary.json").write_text(study.to_json() + "\n", encoding="utf-8")
    _replace(made, partial.parent / made.name)


@contextmanager
def single_file(path: Path | None) -> Iterator[Callable[[str], None]]:
    """Yield what writes a text into `path`, whole or not at all. Does nothing where there is no path.

    Raises:
        UsageError: the file cannot be written; found out before anything else is done.
    """
    if path is None:
        yield lambda text: None
        return
    partial = path.parent / f".{path.name}.partial"
    try:
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        partial.touch()
    except OSError as error:
        raise UsageError(f"The file {path} cannot be written: {error.strerror}.") from error

    def write_text(text: str) -> None:
        try:
            partial.write_text(text, encoding="utf-8")
            partial.replace(path)
        except OSError as error:
            raise NotVerifiedError(f"The file {path} could not be written: {error.strerror or error}.") from error

    try:
        yield write_text
    finally:
        partial.unlink(missing_ok=True)


def _replace(source: Path, target: Path) -> None:
    if target.is_dir():
        shutil.rmtree(target)
    if source.exists():
        source.replace(target)
