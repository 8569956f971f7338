"""One training run of a study, in a fresh process: build, train by epochs, keep the curves."""

import hashlib
import json
import math
import os
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Protocol

from ckptcheck.errors import NotVerifiedError
from ckptcheck.job.protocol import Job, Score
from ckptcheck.job.shipped import make_job
from ckptcheck.run import environment
from ckptcheck.run.folder import write_whole
from ckptcheck.run.heartbeat import Emit, Heartbeat
from ckptcheck.run.worker import exit_status

# The numbers of a run depend on these packages, and on these sources of ckptcheck.
PACKAGES = ("tensorflow", "tf-keras", "numpy")
SOURCES = (
    "adapters/tensorflow/graph.py",
    "adapters/tensorflow/network.py",
    "jobs/*.py",
    "studies/training.py",
)

FORMAT_VERSION = 1
RECORD = "run.json"


class Scored(Job, Protocol):
    """A job that can report its accuracy."""

    def train_scored(self, step: int) -> Score:
        """Execute a training step; return loss and accuracy of its batch before the update."""

    def evaluate_scored(self) -> Score:
        """Return loss and accuracy on the validation set."""


@dataclass(frozen=True)
class Recipe:
    """Everything that determines a training run: runs of the same recipe are identical.

    Attributes:
        job: name of the shipped job.
        options: all options of the job, with the seed.
        epochs: length of the run in epochs.
        versions: versions of the packages and a digest of the sources that compute the run.
        dataset: SHA-256 of the dataset file; None for a dataset by name.
    """

    job: str
    options: Mapping[str, str]
    epochs: int
    versions: Mapping[str, str]
    dataset: str | None = None


@dataclass(frozen=True)
class Curves:
    """The curves of a training run, one value an epoch.

    Training loss and accuracy are means over the steps, each before its update. Validation follows
    the epoch. Accuracies are from 0 to 1.
    """

    train_loss: tuple[float, ...]
    train_accuracy: tuple[float, ...]
    validation_loss: tuple[float, ...]
    validation_accuracy: tuple[float, ...]


@dataclass(frozen=True)
class TrainingRun:
    """A finished training run: its recipe, curves, environment, and training time in seconds."""

    recipe: Recipe
    curves: Curves
    environment: Mapping[str, str]
    seconds: float


@dataclass(frozen=True)
class Task:
    """The work of one process: train by a recipe, and keep the run in `folder`."""

    name: str
    folder: str
    recipe: Mapping[str, Any]
    environment: Mapping[str, str] = field(default_factory=dict)

    entry: ClassVar[str] = __name__
    hash_seed: ClassVar[str] = "1"

    @property
    def run_folder(self) -> Path:
        """The folder that the process records into."""
        return Path(self.folder)


def main(task: Task, emit: Emit) -> int:
    """Carry out a task, and report its progress through `emit`. Return the exit status."""
    os.environ.update(task.environment)
    return exit_status(lambda: _train(task, Recipe(**task.recipe), emit), emit)


def versions() -> dict[str, str]:
    """Return the installed versions that the numbers of a run depend on.

    The key `jobs` holds a digest of ckptcheck's own sources.
    """
    package_folder = Path(__file__).parents[1]
    sources = hashlib.sha256()
    for path in sorted(path for pattern in SOURCES for path in package_folder.glob(pattern)):
        sources.update(path.read_bytes())
    installed = {package: environment.version_of(package) for package in PACKAGES}
    return installed | {"jobs": sources.hexdigest()[:12]}


def _check_versions(wanted: Mapping[str, str]) -> None:
    installed = versions()
    for name, version_wanted in wanted.items():
        if installed.get(name) != version_wanted:
            raise NotVerifiedError(
                f"the worker has {name} {installed.get(name)}, but the study was started with "
                f"{name} {version_wanted}. Install that version on the worker"
            )


def _train(task: Task, recipe: Recipe, emit: Emit) -> None:
    _check_versions(recipe.versions)
    job, seed = make_job(recipe.job, recipe.options)
    emit("described", steps=recipe.epochs * job.steps_per_epoch, first=0)
    started = time.perf_counter()
    job.build(seed)
    beat = Heartbeat(lambda done: emit("step", done=done))
    epochs = [_epoch(job, number, beat) for number in range(recipe.epochs)]
    seconds = time.perf_counter() - started
    curves = Curves(*zip(*epochs, strict=True))
    write(TrainingRun(recipe, curves, environment.fingerprint(), seconds), task.run_folder)


def _epoch(job: Scored, number: int, beat: Heartbeat) -> tuple[float, float, float, float]:
    scores = []
    for step in range(number * job.steps_per_epoch, (number + 1) * job.steps_per_epoch):
        scores.append(job.train_scored(step))
        beat(step + 1)
    validation = job.evaluate_scored()
    loss = math.fsum(score.loss for score in scores) / len(scores)
    accuracy = math.fsum(score.accuracy for score in scores) / len(scores)
    return loss, accuracy, validation.loss, validation.accuracy


def write(run: TrainingRun, folder: Path) -> None:
    """Write the record of a run, whole or not at all."""
    write_whole(folder / RECORD, {"format_version": FORMAT_VERSION} | asdict(run))


def read(folder: Path) -> TrainingRun | None:
    """Read a kept run; None if there is no finished run.

    Raises:
        NotVerifiedError: the record is damaged, or has a different format version.
    """
    path = folder / RECORD
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        version = record.pop("format_version")
        curves = {name: tuple(values) for name, values in record.pop("curves").items()}
        if version == FORMAT_VERSION:
            return TrainingRun(
                recipe=Recipe(**record.pop("recipe")), curves=Curves(**curves), **record
            )
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise NotVerifiedError(
            f"The kept run {path} is damaged ({error}). Delete its folder to train it again."
        ) from error
    raise NotVerifiedError(
        f"The kept run {path} has format {version}, but this ckptcheck reads format "
        f"{FORMAT_VERSION}. Delete its folder to train it again."
    )
