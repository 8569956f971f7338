"""A run's folder on disk, read and written with NumPy alone.

RUN/run.json       role, job, restore, schedule, first step, keys, evaluations, environment, error
RUN/steps.jsonl    one line per training step: step, loss, learning_rate, batch; where known,
                   also examples, draws, hyperparameters
RUN/initial.npz    snapshot after the build (in a resumed run: before the restore)
RUN/boundary-N.npz snapshot right before the step after the checkpoint of N steps
RUN/after-N.npz    snapshot after that step, where the step creates variables
RUN/final.npz      snapshot after the last step
RUN/output.txt     output of the process
RUN/rank-N         the same of rank N of a job; rank 0 has the folder itself
"""

import json
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from ckptcheck.arrays import Array
from ckptcheck.errors import NotVerifiedError
from ckptcheck.job.protocol import Lasting, OnDevice, Step
from ckptcheck.job.schedule import Schedule
from ckptcheck.run.digests import digest, fingerprints, split
from ckptcheck.run.run import Facts, Failure, Run, StepRecord
from ckptcheck.run.snapshots import (
    INITIAL,
    Snapshot,
    StoredSnapshots,
    after_point,
    began_at,
    boundary_point,
    outside_of,
    write_snapshot,
)

FORMAT_VERSION = 4
FOUND = "found"  # in the folder of a run that was killed: what it left
PICKLE = "job.pickle"  # in the folder of a job: a class or an instance that has no importable name
# What is kept in memory before it is digested and written. A digest costs a fifth in a loop over
# many steps of what it costs between two steps, whose training empties the caches.
MOST_PENDING = 64  # steps
MOST_BYTES = 1 << 21  # bytes of their batches


def control_of(job_folder: Path, repeat: int = 0) -> Path:
    """Return the folder of a job's control, or of its repetition number `repeat` (from 1)."""
    return job_folder / (f"repeat-{repeat}" if repeat else "control")


def tried_of(job_folder: Path, setting: str, number: int) -> Path:
    """Return the folder of a control's run number `number` with a setting of its framework."""
    return job_folder / f"control-{re.sub(r'[^A-Za-z0-9]+', '-', setting).strip('-')}~{number}"


def unevaluated_of(job_folder: Path, boundary: int) -> Path:
    """Return the folder of a job's control without the evaluation at a boundary."""
    return job_folder / f"unevaluated@{boundary}"


def unsaved_of(job_folder: Path) -> Path:
    """Return the folder of a job's control that never saves."""
    return job_folder / "unsaved"


def resumed_of(
    job_folder: Path, restore: str, boundary: int, *, after: int = 0, trial: str = ""
) -> Path:
    """Return the folder of the run resumed by a restore at a boundary, or of a trial of it.

    `after` is the boundary of the first resume, if it is resumed twice.
    """
    name = re.sub(r"[^\w.-]", "-", restore)
    places = f"{after}@{boundary}" if after else str(boundary)
    return job_folder / f"resumed-{name}@{places}{f'~{trial}' if trial else ''}"


def crash_image_of(folder: Path, boundary: int) -> Path:
    """Return the folder of the crash image at a boundary.

    Those of the control are in the folder of the job, that of a resumed run is in its own.
    """
    return folder / f"crash-image@{boundary}"


def killed_of(job_folder: Path, restore: str) -> Path:
    """Return the folder of a run that was killed; `restore` names the run that is resumed from it.

    What it left is the folder `FOUND` in it.
    """
    return job_folder / f"killed-{re.sub(r'[^a-z0-9.-]+', '-', restore)}"


def found_of(job_folder: Path, restore: str, boundary: int) -> Path:
    """Return what a resumed run finds: what a killed run left, or the control's crash image."""
    left = killed_of(job_folder, restore) / FOUND
    return left if left.exists() else crash_image_of(job_folder, boundary)


# Index, loss, learning rate and batch of a step, and the end of its line.
_Pending = tuple[int, float | Callable[[], float], float | None, Sequence[Array] | OnDevice, str]


def of_rank(run_folder: Path, rank: int) -> Path:
    """Return the folder of what one rank of a job recorded in a run."""
    return run_folder / f"rank-{rank}" if rank else run_folder


def name_of_rank(run_folder: Path, rank: int) -> str:
    """Return the name of one rank of a run, where it did not finish as the others did."""
    return f"{run_folder.name}/rank-{rank}"


class Recorder:
    """Writes a run's folder step by step, so that the records of a dead process stay readable."""

    def __init__(self, folder: Path, facts: Facts) -> None:
        self.folder = folder
        self.facts = facts
        self._lines = (folder / "steps.jsonl").open("w", encoding="utf-8")
        self._pending: list[_Pending] = []
        self._bytes = 0

    def step(self, index: int, step: Step) -> None:
        """Record one training step. Keeps a copy of its batch, which is digested later."""
        rate = None if step.learning_rate is None else number(step.learning_rate, "learning rate")
        batch, size = _kept(step.batch)
        self._keep((index, number(step.loss, "loss"), rate, batch, _optional(step)), size)

    def observed_step(
        self,
        index: int,
        loss: float | Callable[[], float],
        batch: Sequence[Array] | OnDevice,
        rate: float | None,
    ) -> None:
        """Record one training step that an observer saw. Nothing writes to its batch any more.

        Args:
            index: The index of the step.
            loss: Its training loss, or a function that reads it from a device.
            batch: The arrays of its batch, or what is recorded of them.
            rate: Its learning rate.
        """
        size = batch.nbytes if isinstance(batch, OnDevice) else sum(each.nbytes for each in batch)
        self._keep((index, loss, rate, batch, ""), size)

    def _keep(self, step: _Pending, size: int) -> None:
        self._pending.append(step)
        self._bytes += size
        if len(self._pending) >= MOST_PENDING or self._bytes >= MOST_BYTES:
            self.flush()

    def flush(self) -> None:
        """Digest and write the pending steps."""
        self._lines.writelines(_line(*step) for step in self._pending)
        self._lines.flush()
        self._pending.clear()
        self._bytes = 0

    def snapshot(self, point: str, state: Snapshot) -> None:
        """Record every live state tensor at one point of the run."""
        write_snapshot(self.folder / f"{point}.npz", state)

    def close(self) -> None:
        """Write the pending steps and `run.json`."""
        self.flush()
        self._lines.close()
        if self.facts.started:
            self.facts.seconds = max(0.0, time.time() - self.facts.started)
        write_whole(
            self.folder / "run.json", {"format_version": FORMAT_VERSION} | asdict(self.facts)
        )


def write_whole(path: Path, document: Mapping[str, Any]) -> None:
    """Write a JSON document atomically: whole or not at all."""
    partial = path.with_name(f"{path.name}.partial")
    partial.write_text(json.dumps(document, indent=1), encoding="utf-8")
    partial.replace(path)


def amend(
    folder: Path,
    facts: Mapping[str, Any],
    *,
    first: int | None = None,
    boundary: int = 0,
    batch: StepRecord | None = None,
) -> None:
    """Change what is known of a recorded run only after its end.

    Args:
        folder: The folder of the run.
        facts: The facts to replace, as in `run.json`.
        first: The index of its first step, which was recorded as 0; None: the indices stay.
        boundary: The number of steps done at its start, which was recorded as 0.
        batch: The step whose batch is that of the first step.
    """
    document = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    if first is not None:
        places = document["evaluations"]
        document["evaluations"] = [[done + boundary, loss] for done, loss in places]
        lines = (folder / "steps.jsonl").read_text(encoding="utf-8").splitlines()
        steps = [json.loads(line) for line in lines]
        if batch is not None:
            steps[0] |= {"batch": batch.batch, "examples": "".join(batch.examples or ())}
        text = "".join(f"{json.dumps(step | {'step': step['step'] + first})}\n" for step in steps)
        (folder / "steps.jsonl").write_text(text, encoding="utf-8")
    write_whole(folder / "run.json", document | facts)


def without_first(folder: Path, skipped: int, boundary: int) -> None:
    """Let a resumed run begin after its first steps: those before it restored.

    Its snapshots at that point have names of their own, see `began_at`.

    Args:
        folder: The folder of the run.
        skipped: The number of steps that are dropped.
        boundary: The number of steps in its checkpoint.
    """
    points = (boundary_point(boundary), after_point(boundary))
    for point in (INITIAL, *points, *map(outside_of, points)):
        late = folder / f"{began_at(point, skipped)}.npz"
        if late.exists():
            late.replace(folder / f"{point}.npz")
    lines = (folder / "steps.jsonl").read_text(encoding="utf-8").splitlines()[skipped:]
    steps = (json.loads(line) for line in lines)
    text = "".join(f"{json.dumps(step | {'step': step['step'] - skipped})}\n" for step in steps)
    (folder / "steps.jsonl").write_text(text, encoding="utf-8")
    document = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    point = boundary_point(boundary)
    for values in (document["attributes"], document["generators"]):
        values[point] = values.pop(began_at(point, skipped), {})
    document["evaluations"] = [
        [done - skipped, loss] for done, loss in document["evaluations"] if done >= skipped
    ]
    write_whole(folder / "run.json", document)


def number(value: Any, what: str) -> float:
    """Return a loss or a rate as a float, or raise `TypeError`."""
    if isinstance(value, str | bytes | bool):
        raise TypeError(f"the {what} is {value!r}, which is not a number")
    try:
        return float(value)
    except (TypeError, ValueError) as error:
        raise TypeError(f"the {what} is {value!r:.80}, which is not a number: {error}") from error


def _kept(batch: Any) -> tuple[Sequence[Array], int]:
    """Return what is kept of a batch until its step is written, and its size in bytes."""
    arrays = [] if batch is None else [_array(value) for value in _sequence(batch)]
    size = sum(array.nbytes for array in arrays)
    if size < MOST_BYTES and not isinstance(batch, Lasting):
        arrays = [array.copy() for array in arrays]
    return arrays, size


def _sequence(arrays: Any) -> Sequence[Any]:
    """Return the batch or draws of a step as a sequence; a mapping in the order of its keys."""
    if isinstance(arrays, Mapping):
        return [arrays[key] for key in sorted(arrays, key=str)]
    if isinstance(arrays, str | bytes) or not hasattr(arrays, "__iter__"):
        raise TypeError(
            f"the batch or the draws of a step are of type {type(arrays).__name__}; they must be "
            "a sequence or a mapping of arrays"
        )
    return list(arrays)


def _array(value: Any) -> Array:
    array = np.asarray(value)
    if array.dtype.hasobject:
        raise TypeError(
            f"a batch holds Python objects ({type(value).__name__}), which cannot be recorded; it "
            "must hold arrays of fixed-size elements"
        )
    return array


def _optional(step: Step) -> str:
    """Return the optional fields of a step, as the end of its line."""
    further = ""
    if step.draws is not None:
        further += (
            f', "draws": {json.dumps([digest(_array(draw)) for draw in _sequence(step.draws)])}'
        )
    if step.hyperparameters:
        values = {
            name: number(value, f"hyperparameter {name}")
            for name, value in step.hyperparameters.items()
        }
        further += f', "hyperparameters": {json.dumps(values)}'
    return further


def _line(
    index: int,
    loss: float | Callable[[], float],
    rate: float | None,
    batch: Sequence[Array] | OnDevice,
    further: str,
) -> str:
    if isinstance(batch, OnDevice):
        summed, examples = batch.digest(), batch.examples()
    else:
        summed, examples = digest(*batch) if batch else "", fingerprints(batch)
    held = f'"{summed}"' if summed else "null"  # no array: unknown
    shown = f', "examples": "{examples}"' if examples else ""
    rated = "null" if rate is None else _json_float(rate)
    known = _json_float(loss() if callable(loss) else loss)
    # Four times as fast as json.dumps.
    head = f'{{"step": {index}, "loss": {known}, "learning_rate": {rated}'
    return f'{head}, "batch": {held}{shown}{further}}}\n'


def _json_float(value: float) -> str:
    # Python's reader accepts NaN, Infinity and -Infinity; repr is exact for every other float.
    return {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}.get(
        text := repr(float(value)), text
    )


def read(folder: Path) -> Run:
    """Read a run's folder.

    Raises:
        FileNotFoundError: The process died before it wrote `run.json`.
        NotVerifiedError: A different version recorded the run.
    """
    facts = _facts(json.loads((folder / "run.json").read_text(encoding="utf-8")))
    with (folder / "steps.jsonl").open(encoding="utf-8") as lines:
        steps = [json.loads(line) for line in lines]
    return Run(folder, facts, tuple(map(_record, steps)), StoredSnapshots(folder))


def _record(line: Mapping[str, Any]) -> StepRecord:
    examples = split(line["examples"]) if "examples" in line else None
    draws = tuple(line["draws"]) if "draws" in line else None
    rate, further = line["learning_rate"], line.get("hyperparameters")
    return StepRecord(line["step"], line["loss"], rate, line["batch"], examples, draws, further)


def _facts(document: dict[str, Any]) -> Facts:
    check_format(document.pop("format_version", None))
    schedule = document["schedule"]
    document["schedule"] = Schedule(**schedule | {"boundaries": tuple(schedule["boundaries"])})
    document["evaluations"] = [(done, loss) for done, loss in document["evaluations"]]
    document["attributes_changed_by_evaluation"] = {
        point: {name: tuple(change) for name, change in changes.items()}
        for point, changes in document.get("attributes_changed_by_evaluation", {}).items()
    }
    document["wrote"] = {name: tuple(change) for name, change in document.get("wrote", {}).items()}
    if document["failure"] is not None:
        document["failure"] = Failure(**document["failure"])
    return Facts(**document)


def check_format(version: Any) -> None:
    """Raise `NotVerifiedError` for a run that a different version recorded."""
    if version != FORMAT_VERSION:
        raise NotVerifiedError(
            f"The run was recorded in format {version}, but this version of ckptcheck reads format "
            f"{FORMAT_VERSION}. Record it again."
        )
