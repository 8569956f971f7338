"""A run's folder on disk. Any framework may write one; NumPy is all that is needed.

RUN/run.json       role, job, restore, schedule, first step, keys of the restore, evaluations, environment, error
RUN/steps.jsonl    one line per training step: step, loss, learning_rate, batch; where shown examples, draws, hyperparameters
RUN/initial.npz    snapshot after the build (in a resumed run: before the restore)
RUN/boundary-N.npz snapshot right before the step after the checkpoint of N steps, an earlier one's too
RUN/after-N.npz    snapshot after that step, where variables come to be in it
RUN/final.npz      snapshot after the last step
RUN/output.txt     what the process printed
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from ckptcheck.arrays import Array
from ckptcheck.errors import NotVerifiedError
from ckptcheck.job.protocol import Step
from ckptcheck.job.schedule import Schedule
from ckptcheck.run.digests import digest, fingerprints, split
from ckptcheck.run.run import Facts, Failure, Run, StepRecord
from ckptcheck.run.snapshots import Snapshot, StoredSnapshots, write_snapshot

FORMAT_VERSION = 4
MOST_PENDING = 64  # steps that are kept before they are written


def control_of(job_folder: Path, repeat: int = 0) -> Path:
    """Return the folder of a job's control, or of its repetition number `repeat`, from 1."""
    return job_folder / (f"repeat-{repeat}" if repeat else "control")


def unevaluated_of(job_folder: Path, boundary: int) -> Path:
    """Return the folder of a job's control that was not evaluated at a boundary."""
    return job_folder / f"unevaluated@{boundary}"


def unsaved_of(job_folder: Path) -> Path:
    """Return the folder of a job's control that never saves."""
    return job_folder / "unsaved"


def resumed_of(job_folder: Path, restore: str, boundary: int, *, trial: str = "") -> Path:
    """Return the folder of the run that came back by a restore from the checkpoint of a boundary, or of a trial of it."""
    name = re.sub(r"[^\w.-]", "-", restore)
    return job_folder / f"resumed-{name}@{boundary}{f'~{trial}' if trial else ''}"


def crash_image_of(job_folder: Path, boundary: int) -> Path:
    """Return the folder that holds a job's crash image at a boundary."""
    return job_folder / f"crash-image@{boundary}"


class Recorder:
    """Writes a run's folder while the run goes on. What a process had recorded when it died stays readable."""

    def __init__(self, folder: Path, facts: Facts) -> None:
        self.folder = folder
        self.facts = facts
        self._lines = (folder / "steps.jsonl").open("w", encoding="utf-8")
        self._pending: list[tuple[int, float, float | None, str | None, str]] = []

    def step(self, index: int, step: Step) -> None:
        """Record one training step. Its batch is digested now, while the processor has it at hand; lines are written later."""
        rate = None if step.learning_rate is None else number(step.learning_rate, "learning rate")
        arrays = [] if step.batch is None else [_array(value) for value in _shown(step.batch)]
        batch = digest(*arrays) if arrays else None  # no array: not shown
        self._pending.append(
            (index, number(step.loss, "loss"), rate, batch, _further(step, arrays))
        )
        if len(self._pending) >= MOST_PENDING:
            self.flush()

    def flush(self) -> None:
        """Write the steps that are waiting."""
        self._lines.writelines(_line(*step) for step in self._pending)
        self._lines.flush()
        self._pending.clear()

    def snapshot(self, point: str, state: Snapshot) -> None:
        """Record every live state tensor at one point: initial, at a boundary, after the step behind it, or final."""
        write_snapshot(self.folder / f"{point}.npz", state)

    def close(self) -> None:
        """Write what is still in memory."""
        self.flush()
        self._lines.close()
        write_whole(
            self.folder / "run.json", {"format_version": FORMAT_VERSION} | asdict(self.facts)
        )


def write_whole(path: Path, document: Mapping[str, Any]) -> None:
    """Write a JSON document that is there whole or not at all."""
    partial = path.with_name(f"{path.name}.partial")
    partial.write_text(json.dumps(document, indent=1), encoding="utf-8")
    partial.replace(path)


def number(value: Any, what: str) -> float:
    """Return a loss or a rate as a float; a `TypeError` where it is no number."""
    if isinstance(value, str | bytes | bool):
        raise TypeError(f"the {what} is {value!r}, which is no number")
    try:
        return float(value)
    except (TypeError, ValueError) as error:
        raise TypeError(f"the {what} is {value!r:.80}, which is no number: {error}") from error


def _shown(arrays: Any) -> Sequence[Any]:
    """Return what a step shows as a sequence of arrays, those of a dictionary in the order of its keys."""
    if isinstance(arrays, Mapping):
        return [arrays[key] for key in sorted(arrays, key=str)]
    if isinstance(arrays, str | bytes) or not hasattr(arrays, "__iter__"):
        raise TypeError(
            f"a step shows {type(arrays).__name__} as its batch or its draws; it must be a sequence of arrays"
        )
    return list(arrays)


def _array(value: Any) -> Array:
    array = np.asarray(value)
    if array.dtype.hasobject:
        raise TypeError(
            f"a batch holds an array of Python objects ({type(value).__name__}), which cannot be recorded"
        )
    return array


def _further(step: Step, arrays: Sequence[Array]) -> str:
    """Return what only some jobs show of a step, as the end of its line."""
    examples = fingerprints(arrays)
    further = f', "examples": "{examples}"' if examples else ""
    if step.draws is not None:
        further += f', "draws": {json.dumps([digest(_array(draw)) for draw in _shown(step.draws)])}'
    if step.hyperparameters:
        values = {
            name: number(value, f"hyperparameter {name}")
            for name, value in step.hyperparameters.items()
        }
        further += f', "hyperparameters": {json.dumps(values)}'
    return further


def _line(index: int, loss: float, rate: float | None, batch: str | None, further: str) -> str:
    digested = "null" if batch is None else f'"{batch}"'
    shown = "null" if rate is None else _json_float(rate)
    # json.dumps would write the same line in four times the time.
    return f'{{"step": {index}, "loss": {_json_float(loss)}, "learning_rate": {shown}, "batch": {digested}{further}}}\n'


def _json_float(value: float) -> str:
    # Python's reader takes NaN, Infinity and -Infinity; repr is exact for every other float.
    return {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}.get(
        text := repr(float(value)), text
    )


def read(folder: Path) -> Run:
    """Read a run's folder; a `FileNotFoundError` where the process wrote no `run.json`, because it died before its end."""
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
    if document["failure"] is not None:
        document["failure"] = Failure(**document["failure"])
    return Facts(**document)


def check_format(version: Any) -> None:
    """Refuse what another version recorded."""
    if version != FORMAT_VERSION:
        raise NotVerifiedError(
            f"The run was recorded in format {version}; this ckptcheck reads format {FORMAT_VERSION}."
        )
