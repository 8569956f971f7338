"""Reuse the control of a job between verifications, as long as nothing that it depends on changed.

DIR/NAME/entry.json   what the control depends on, and the digest of each file of its records
DIR/NAME/runs/        the records: control, repetitions, unsaved control, crash images

There is one entry for each request. It is written whole, or not at all.
"""

import importlib.metadata
import json
import os
import platform
import re
import shutil
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import xxhash
from filelock import FileLock

from ckptcheck.counts import counted
from ckptcheck.errors import UsageError
from ckptcheck.run import environment, inputs
from ckptcheck.run.file_audit import redirect
from ckptcheck.run.folder import FORMAT_VERSION, control_of
from ckptcheck.run.snapshots import INITIAL
from ckptcheck.run.task import Task

ENTRY = "entry.json"
MOST_ENTRIES = 20

# Variables that change from shell to shell and from build to build, and change no training.
_IGNORED = re.compile(
    r"_|PWD|OLDPWD|SHLVL|TERM|COLUMNS|LINES|LS_COLORS|INVOCATION_ID|JOURNAL_STREAM|TMPDIR|"
    r"(SSH|GITHUB|RUNNER|ACTIONS|PYTEST|XDG_SESSION)_.*"
)


@dataclass(frozen=True)
class Hit:
    """A reused control: what its process said of the job, and its age in seconds."""

    described: Mapping[str, Any]
    age: float

    @property
    def note(self) -> str:
        """The sentence for the report."""
        return f"reused from the cache, recorded {_ago(self.age)} ago"


@dataclass(frozen=True)
class Miss:
    """Why a control was not reused, or not kept."""

    reason: str

    @property
    def note(self) -> str:
        """The sentence for the report."""
        return f"trained: {self.reason}"


@dataclass(frozen=True)
class ControlCache:
    """The controls in a folder."""

    folder: Path

    def __post_init__(self) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(
                f"The folder {self.folder} of the cache cannot be made: {error.strerror}."
            ) from error

    def fetch(self, control: Task, extent: str) -> Hit | Miss:
        """Copy the records of an unchanged control into the folder of its job, or say why not.

        `extent` names what runs beside the control.
        """
        entry = self.folder / _name(control, extent)
        with self._locked():
            try:
                document = json.loads((entry / ENTRY).read_text(encoding="utf-8"))
                reason = _why_not(document, control)
                if reason:
                    return Miss(reason)
                damaged = _copy(entry, document, Path(control.folder))
            except FileNotFoundError:
                return Miss("the cache holds no control for this request")
            except (OSError, ValueError, KeyError, TypeError, AttributeError):
                damaged = True
            if damaged:
                shutil.rmtree(control.folder, ignore_errors=True)
                shutil.rmtree(entry, ignore_errors=True)
                return Miss("the records in the cache are damaged")
        return Hit(document["described"], max(0.0, time.time() - document["created"]))

    def keep(self, control: Task, extent: str, described: Mapping[str, Any]) -> str | None:
        """Keep the records of a reproducible control; return why they cannot be kept, or None."""
        job = Path(control.folder)
        try:
            traced = json.loads((control_of(job) / inputs.INPUTS).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return "what it depends on is unknown"
        if traced["untraceable"]:
            return str(traced["untraceable"][0])
        late = inputs.changed(traced)
        if late or _written_since(traced["files"], control_of(job)):
            return f"{late or 'a file that it reads'} changed during the run"
        with tempfile.TemporaryDirectory(prefix=".partial-", dir=self.folder) as partial:
            new = Path(partial) / "entry"
            for source in _records(job):
                shutil.copytree(source, new / "runs" / source.name)
            document = {
                "created": time.time(),
                "conditions": conditions(control),
                "inputs": traced,
                "described": dict(described),
                "checkpoints": str((control_of(job) / "checkpoints").resolve()),
                "records": _digests(new / "runs"),
            }
            (new / ENTRY).write_text(json.dumps(document | {"seal": _seal(document)}))
            with self._locked():
                entry = self.folder / _name(control, extent)
                shutil.rmtree(entry, ignore_errors=True)
                new.replace(entry)
                self._drop_oldest()
        return None

    def _locked(self) -> FileLock:
        return FileLock(self.folder / ".lock")

    def _drop_oldest(self) -> None:
        entries = sorted(self.folder.glob(f"*/{ENTRY}"), key=lambda path: path.stat().st_mtime)
        for path in entries[:-MOST_ENTRIES]:
            shutil.rmtree(path.parent, ignore_errors=True)


def conditions(control: Task) -> dict[str, str]:
    """Return what a control depends on beside its files: versions, machine, variables."""
    variables = {
        f"the variable {name}": value
        for name, value in (os.environ | dict(control.environment)).items()
        if not _IGNORED.fullmatch(name)
    }
    return {
        **environment.fingerprint(),
        "the version of ckptcheck": _package_digest(),
        "the installed packages": _packages(),
        "the processor": _processor(),
        "the working directory": str(Path.cwd()),
        "the record format": str(FORMAT_VERSION),
        "the Python interpreter": f"{platform.python_implementation()} {platform.python_build()}",
        **variables,
    }


@cache
def _packages() -> str:
    found = {f"{each.name}=={each.version}" for each in importlib.metadata.distributions()}
    return xxhash.xxh3_128("\n".join(sorted(found)).encode()).hexdigest()


@cache
def _package_digest() -> str:
    top = Path(__file__).parents[1]
    summed = xxhash.xxh3_128()
    for path in sorted(top.rglob("*.py")):
        summed.update(f"{path.relative_to(top)} {inputs.file_digest(path)}\n".encode())
    return summed.hexdigest()


def _processor() -> str:
    """Return model and instruction sets of the processor, and the graphics cards."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = [platform.processor()]
    kept = {line for line in lines if line.startswith(("model name", "flags", "Features", "CPU "))}
    cards = sorted(Path("/proc/driver/nvidia/gpus").glob("*/information"))
    kept |= {path.read_text(errors="replace") for path in cards}
    return xxhash.xxh3_128("\n".join(sorted(kept)).encode()).hexdigest()


def _name(control: Task, extent: str) -> str:
    place, _, attribute = control.job.rpartition(":")
    path = str(Path(place).resolve()) if place.endswith(".py") else place
    asked = [control.options, control.steps, control.boundaries, control.kinds, control.twice]
    request = [path, attribute, *asked, extent]
    text = json.dumps(request, sort_keys=True, default=repr)
    readable = re.sub(r"\W+", "-", f"{Path(place).stem}-{attribute}" if place else control.job)
    return f"{readable}-{xxhash.xxh3_128(text.encode()).hexdigest()[:16]}"


def _why_not(document: Mapping[str, Any], control: Task) -> str | None:
    """Return why an entry is not the control of now; None: nothing changed."""
    if document["seal"] != _seal({k: each for k, each in document.items() if k != "seal"}):
        raise ValueError("the entry is damaged")
    then, now = document["conditions"], conditions(control)
    for name in sorted({*then, *now}):
        if then.get(name) != now.get(name):
            return f"{name} changed"
    path = inputs.changed(document["inputs"])
    return f"{path} changed" if path else None


def _copy(entry: Path, document: Mapping[str, Any], job: Path) -> bool:
    """Copy the records of an entry; return whether they are damaged."""
    job.mkdir(parents=True, exist_ok=True)
    for source in (entry / "runs").iterdir():
        shutil.copytree(source, job / source.name)
    if _digests(job) != document["records"]:
        return True
    now = control_of(job) / "checkpoints"
    for image in job.glob("crash-image@*"):
        # State files that hold absolute paths must name the folder of this verification.
        redirect(image, Path(document["checkpoints"]), now)
    os.utime(control_of(job) / f"{INITIAL}.npz")  # when this verification began
    return False


def _records(job: Path) -> list[Path]:
    kept = re.compile(r"control|repeat-\d+|unsaved|crash-image@\d+")
    return sorted(path for path in job.iterdir() if path.is_dir() and kept.fullmatch(path.name))


def _written_since(files: Mapping[str, str], control: Path) -> bool:
    began = (control / f"{INITIAL}.npz").stat().st_mtime
    return any(path.exists() and path.stat().st_mtime > began for path in map(Path, files))


def _digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): inputs.file_digest(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def _seal(document: Mapping[str, Any]) -> str:
    text = json.dumps(document, sort_keys=True)
    return xxhash.xxh3_128(json.dumps(json.loads(text), sort_keys=True).encode()).hexdigest()


def _ago(seconds: float) -> str:
    for unit, size in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds >= size:
            return counted(int(seconds // size), unit)
    return counted(int(seconds), "second")


def extent_of(beside: Sequence[Task]) -> str:
    """Name the tasks that run beside a control."""
    return " ".join(task.run_folder.name for task in beside)
