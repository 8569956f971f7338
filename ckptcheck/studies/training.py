"""One training run of a study: build, train epoch by epoch, keep the curves. Carried out in a fresh process."""

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

# What a run's numbers depend on: these packages, and these sources of ours.
PACKAGES = ("tensorflow", "tf-keras", "numpy")
SOURCES = ("adapters/tensorflow/graph.py", "jobs/*.py", "studies/training.py")

FORMAT_VERSION = 1
RECORD = "run.json"


class Scored(Job, Protocol):
    """A job that knows the classes of its images, and how many of them it names."""

    def train_scored(self, step: int) -> Score:
        """Execute a training step; return loss and accuracy of its batch before the update."""

    def evaluate_scored(self) -> Score:
        """Return loss and accuracy on the validation set."""


@dataclass(frozen=True)
class Recipe:
    """All that decides what a training run comes to. Two runs of one recipe are the same run.

    `options` are the job's, all of them, the seed too; `versions` those of the packages that compute it; `dataset` is the
    digest of a dataset that is a file.
    """

    job: str
    options: Mapping[str, str]
    epochs: int
    versions: Mapping[str, str]
    dataset: str | None = None


@dataclass(frozen=True)
class Curves:
    """A training run by epoch: mean over its steps of loss and accuracy, each before the update; validation after it."""

    train_loss: tuple[float, ...]
    train_accuracy: tuple[float, ...]
    validation_loss: tuple[float, ...]
    validation_accuracy: tuple[float, ...]


@dataclass(frozen=True)
class TrainingRun:
    """A finished training run: its recipe, its curves, what it ran on, and how long the training took, in seconds."""

    recipe: Recipe
    curves: Curves
    environment: Mapping[str, str]
    seconds: float


@dataclass(frozen=True)
class Task:
    """What one process is to do: train by a recipe and keep the run in `folder`."""

    name: str
    folder: str
    recipe: Mapping[str, Any]
    environment: Mapping[str, str] = field(default_factory=dict)

    entry: ClassVar[str] = __name__
    hash_seed: ClassVar[str] = "1"

    @property
    def run_folder(self) -> Path:
        """Where the process records."""
        return Path(self.folder)


def main(task: Task, emit: Emit) -> int:
    """Carry out a task. `emit` tells the parent how far it is. Returns the exit status of the process."""
    os.environ.update(task.environment)
    return exit_status(lambda: _train(task, Recipe(**task.recipe), emit), emit)


def versions() -> dict[str, str]:
    """Return what the numbers of a run on this machine depend on: versions of packages, and a digest of our own sources."""
    ours = Path(__file__).parents[1]
    summed = hashlib.sha256()
    for path in sorted(path for pattern in SOURCES for path in ours.glob(pattern)):
        summed.update(path.read_bytes())
    return {package: environment.version_of(package) for package in PACKAGES} | {
        "jobs": summed.hexdigest()[:12]
    }


def _check_versions(wanted: Mapping[str, str]) -> None:
    here = versions()
    for name, asked in wanted.items():
        if here.get(name) != asked:
            text = f"its machine has {name} {here.get(name)}, whoever asked for the run has {asked}: install the same there"
            raise NotVerifiedError(text)


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
    """Keep a run: its record is there whole or not at all."""
    write_whole(folder / RECORD, {"format_version": FORMAT_VERSION} | asdict(run))


def read(folder: Path) -> TrainingRun | None:
    """Read a kept run; None if it was not finished."""
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
        text = (
            f"The kept run {path} is damaged ({error}). Remove its folder, and it is trained again."
        )
        raise NotVerifiedError(text) from error
    raise NotVerifiedError(
        f"The kept run {path} has format {version}; this ckptcheck reads format {FORMAT_VERSION}."
    )
