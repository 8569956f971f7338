"""What one process recorded, and its folder on disk. Any framework may write one; numpy is all that is needed.

RUN/run.json       role, job, restore, schedule, first step, keys of the restore, evaluations, environment, error
RUN/steps.jsonl    one line per training step: step, loss, learning_rate, batch; where shown examples, draws, hyperparameters
RUN/initial.npz    snapshot after the build (in a resumed run: before the restore)
RUN/boundary-N.npz snapshot right before the step after the checkpoint of N steps, an earlier one's too
RUN/after-N.npz    snapshot after that step, where variables come to be in it
RUN/final.npz      snapshot after the last step
RUN/output.txt     what the process printed
"""

import json
import math
import re
import time
import zipfile
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from ckptcheck.errors import NotVerifiedError
from ckptcheck.job.protocol import Step, Tensor
from ckptcheck.job.schedule import Schedule
from ckptcheck.kinds import Kind
from ckptcheck.run.digests import digest, fingerprints, split

FORMAT_VERSION = 4
MANIFEST = "manifest"

# The role of a run that a script recorded of itself.
RECORDED = "recorded"

Array = np.ndarray[Any, Any]
Snapshot = Mapping[str, Tensor]


@dataclass(frozen=True)
class Failure:
    """An exception that ended a run: where it was (`build`, `restore`, `train`, …), its type and its text."""

    during: str
    type: str
    message: str
    step: int | None = None
    place: str | None = None


@dataclass
class Facts:
    """What `run.json` holds: everything about a run but its steps and snapshots."""

    role: str
    job: str
    restore: str | None
    seed: int
    schedule: Schedule
    first_step: int | None = None
    asked: dict[str, str] | None = None
    held: list[str] | None = None
    values: list[str] | None = None
    evaluations: list[tuple[int, float]] = field(default_factory=list)
    saved: list[int] = field(default_factory=list)  # steps done at each save
    # What explains differences and is not compared by itself, by snapshot: scalars that objects of the program hold, and
    # digests of the states of Python's and NumPy's global generators.
    attributes: dict[str, dict[str, float]] = field(default_factory=dict)
    generators: dict[str, dict[str, str]] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    hash_seed: str = ""
    process: int = 0
    started: float = 0.0  # seconds since the epoch: numbers of processes come again
    framework: str = ""  # tf1, tf2 or keras; empty where it is not known
    repeat: int = 0  # of a control that was run again, which time this is
    # The last evaluation loss, and the same computed once more from the same state, in a repeated control.
    evaluated_twice: list[float] = field(default_factory=list)
    # State tensors that the evaluation at the boundary changed. They are recorded, and compared, as they were before it.
    changed_by_evaluation: list[str] = field(default_factory=list)
    failure: Failure | None = None
    finished: bool = False


@dataclass(frozen=True)
class Run:
    """One recorded run. `losses`, `rates`, `batches` and what follows them have one entry per executed step.

    `examples` has the fingerprint of each example of the batch, `draws` a digest of the random numbers of the step for each
    array of them.
    """

    folder: Path
    facts: Facts
    steps: tuple[int, ...]
    losses: tuple[float, ...]
    rates: tuple[float | None, ...]
    batches: tuple[str | None, ...]
    examples: tuple[tuple[str, ...] | None, ...] = ()
    draws: tuple[tuple[str, ...] | None, ...] = ()
    hyperparameters: tuple[Mapping[str, float] | None, ...] = ()
    # What the control calls tensors that have another name in this run.
    names: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def initial(self) -> Snapshot:
        """The state after the build; in a resumed run, before the restore."""
        return self._snapshot("initial")

    @cached_property
    def boundary(self) -> Snapshot:
        """The state right before the step after the checkpoint."""
        return self.snapshot_at(self.facts.schedule.boundary)

    @cached_property
    def after_boundary(self) -> Snapshot | None:
        """The state after the step after the checkpoint; None where it was not recorded."""
        point = after_point(self.facts.schedule.boundary)
        return self._snapshot(point) if self._has(point) else None

    @cached_property
    def final(self) -> Snapshot:
        """The state after the last step."""
        return self._snapshot("final")

    @property
    def earlier_saves(self) -> list[int]:
        """The saves before the boundary at which the state was recorded, by steps done, the latest first."""
        saves = {*self.facts.saved, *self.facts.schedule.boundaries}
        earlier = [each for each in saves if each < self.facts.schedule.boundary and self._has(boundary_point(each))]
        return sorted(earlier, reverse=True)

    def snapshot_at(self, boundary: int) -> Snapshot:
        """Return the state at a save, by the steps done."""
        return self._snapshot(boundary_point(boundary))

    def renamed(self, names: Mapping[str, str]) -> "Run":
        """Return the run with some tensors under the names that the control has for them."""
        asked = self.facts.asked
        called = asked if asked is None else {names.get(name, name): key for name, key in asked.items()}
        return replace(self, names=names, facts=replace(self.facts, asked=called))

    def _has(self, point: str) -> bool:
        return (self.folder / f"{point}.npz").exists()

    def _snapshot(self, point: str) -> Snapshot:
        found = read_snapshot(self.folder / f"{point}.npz")
        return {self.names.get(name, name): tensor for name, tensor in found.items()} if self.names else found

    @property
    def position(self) -> int:
        """The number of steps that were recorded before the boundary."""
        return bisect_left(self.steps, self.facts.schedule.boundary)

    def at(self, boundary: int) -> "Run":
        """Return a control as a run sees it that is resumed from that boundary."""
        return replace(self, facts=replace(self.facts, schedule=self.facts.schedule.at(boundary)))


def boundary_point(boundary: int) -> str:
    """Return the name of the snapshot right before step `boundary`, at a save."""
    return f"boundary-{boundary}"


def after_point(boundary: int) -> str:
    """Return the name of the snapshot right after step `boundary`."""
    return f"after-{boundary}"


def control_of(job_folder: Path, repeat: int = 0) -> Path:
    """Return the folder of a job's control, or of its repetition number `repeat`, from 1."""
    return job_folder / (f"repeat-{repeat}" if repeat else "control")


def unsaved_of(job_folder: Path) -> Path:
    """Return the folder of a job's control that never saves."""
    return job_folder / "unsaved"


# What a restore is tried again with, of the control's: its hash seed, or what its objects remembered at the boundary.
SAME_HASH = "same-hash"
REMEMBERED = "remembered"


def resumed_of(job_folder: Path, restore: str, boundary: int, *, trial: str = "") -> Path:
    """Return the folder of the run that came back by a restore from the checkpoint of a boundary, or of a trial of it."""
    name = re.sub(r"[^\w.-]", "-", restore)
    return job_folder / f"resumed-{name}@{boundary}{f'~{trial}' if trial else ''}"


def crash_image_of(job_folder: Path, boundary: int) -> Path:
    """Return the folder that holds a job's crash image at a boundary."""
    return job_folder / f"crash-image@{boundary}"


# The most steps that are kept before they are written.
MOST_PENDING = 64


class Recorder:
    """Writes a run's folder while the run goes on. What a process had recorded when it died stays readable."""

    def __init__(self, folder: Path, facts: Facts) -> None:
        self.folder = folder
        self.facts = facts
        self._lines: TextIO = (folder / "steps.jsonl").open("w", encoding="utf-8")
        self._pending: list[tuple[int, float, float | None, str | None, str]] = []

    def step(self, index: int, step: Step) -> None:
        """Record one training step. Its batch is digested now, while the processor has it at hand; lines are written later."""
        rate = None if step.learning_rate is None else number(step.learning_rate, "learning rate")
        arrays = [] if step.batch is None else [_array(each) for each in _shown(step.batch)]
        batch = digest(*arrays) if arrays else None  # no array: not shown
        self._pending.append((index, number(step.loss, "loss"), rate, batch, _further(step, arrays)))
        if len(self._pending) >= MOST_PENDING:
            self.flush()

    def flush(self) -> None:
        """Write the steps that are waiting."""
        self._lines.writelines(_line(*each) for each in self._pending)
        self._lines.flush()
        self._pending.clear()

    def snapshot(self, point: str, state: Snapshot) -> None:
        """Record every live state tensor at one point: initial, at a boundary, after the step behind it, or final."""
        write_snapshot(self.folder / f"{point}.npz", state)

    def close(self) -> None:
        """Write what is still in memory."""
        self.flush()
        self._lines.close()
        text = json.dumps({"format_version": FORMAT_VERSION} | asdict(self.facts), indent=1)
        partial = self.folder / "run.json.partial"
        partial.write_text(text, encoding="utf-8")
        partial.replace(self.folder / "run.json")


def number(value: Any, what: str) -> float:
    """Return a loss or a rate as a float.

    Raises:
        TypeError: it is no number.
    """
    if isinstance(value, str | bytes | bool):
        raise TypeError(f"the {what} is {value!r}, which is no number")
    try:
        return float(value)
    except (TypeError, ValueError) as error:
        raise TypeError(f"the {what} is {value!r:.80}, which is no number: {error}") from error


def _shown(arrays: Any) -> Sequence[Any]:
    """Return what a step shows as a sequence of arrays, those of a dictionary in the order of its keys.

    Raises:
        TypeError: it is neither.
    """
    if isinstance(arrays, Mapping):
        return [arrays[key] for key in sorted(arrays, key=str)]
    if isinstance(arrays, str | bytes) or not hasattr(arrays, "__iter__"):
        raise TypeError(f"a step shows {type(arrays).__name__} as its batch or its draws; it must be a sequence of arrays")
    return list(arrays)


def _array(value: Any) -> Array:
    """Return what a batch holds as an array.

    Raises:
        TypeError: its elements have no bytes of their own to be compared.
    """
    array = np.asarray(value)
    if array.dtype.hasobject:
        raise TypeError(f"a batch holds an array of Python objects ({type(value).__name__}), which cannot be recorded")
    return array


def _further(step: Step, arrays: Sequence[Array]) -> str:
    """Return what only some jobs show of a step, as the end of its line."""
    found = ""
    examples = fingerprints(arrays)
    if examples:
        found += f', "examples": "{examples}"'
    if step.draws is not None:
        found += f', "draws": {json.dumps([digest(_array(each)) for each in _shown(step.draws)])}'
    if step.hyperparameters:
        values = {name: number(value, f"hyperparameter {name}") for name, value in step.hyperparameters.items()}
        found += f', "hyperparameters": {json.dumps(values)}'
    return found


def _line(index: int, loss: float, rate: float | None, batch: str | None, further: str) -> str:
    digested = "null" if batch is None else f'"{batch}"'
    shown = "null" if rate is None else _json_float(rate)
    # json.dumps would write the same line in four times the time.
    return f'{{"step": {index}, "loss": {_json_float(loss)}, "learning_rate": {shown}, "batch": {digested}{further}}}\n'


def _json_float(value: float) -> str:
    # Python's reader takes NaN, Infinity and -Infinity; repr is exact for every other float.
    return {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}.get(text := repr(float(value)), text)


def read(folder: Path) -> Run:
    """Read a run's folder.

    Raises:
        FileNotFoundError: the process wrote no `run.json`, because it died before its end.
        NotVerifiedError: the run was recorded by a version that writes another format.
    """
    facts = _facts(json.loads((folder / "run.json").read_text(encoding="utf-8")))
    with (folder / "steps.jsonl").open(encoding="utf-8") as lines:
        steps = [json.loads(line) for line in lines]
    return Run(
        folder,
        facts,
        steps=tuple(step["step"] for step in steps),
        losses=tuple(step["loss"] for step in steps),
        rates=tuple(step["learning_rate"] for step in steps),
        batches=tuple(step["batch"] for step in steps),
        examples=tuple(split(step["examples"]) if "examples" in step else None for step in steps),
        draws=tuple(tuple(step["draws"]) if "draws" in step else None for step in steps),
        hyperparameters=tuple(step.get("hyperparameters") for step in steps),
    )


def _facts(found: dict[str, Any]) -> Facts:
    check_format(found.pop("format_version", None))
    schedule = found["schedule"]
    found["schedule"] = Schedule(**schedule | {"boundaries": tuple(schedule["boundaries"])})
    found["evaluations"] = [(done, loss) for done, loss in found["evaluations"]]
    if found["failure"] is not None:
        found["failure"] = Failure(**found["failure"])
    return Facts(**found)


def check_format(version: Any) -> None:
    """Refuse what another version recorded.

    Raises:
        NotVerifiedError: it is in another format.
    """
    if version != FORMAT_VERSION:
        raise NotVerifiedError(f"The run was recorded in format {version}; this ckptcheck reads format {FORMAT_VERSION}.")


def write_snapshot(path: Path, state: Snapshot) -> None:
    """Write a snapshot as raw bytes with a manifest, so that every dtype comes back as it was.

    Raises:
        TypeError: a tensor cannot be compared by its bytes: its elements are not of fixed size, are structured, have
            padding, or have a mask beside them; or its name is no text.
    """
    for name, tensor in state.items():
        if not isinstance(name, str):
            raise TypeError(f"the state tensor {name!r} has a name that is no text")
        if _has_more_than_bytes(tensor.value):
            raise TypeError(f"the state tensor {name} has dtype {tensor.value.dtype}, which cannot be recorded")
    manifest = [
        {"name": name, "kind": tensor.kind.value, "dtype": _dtype_name(tensor.value.dtype), "shape": tensor.value.shape}
        for name, tensor in state.items()
    ]
    raw = {str(index): _bytes(tensor.value) for index, tensor in enumerate(state.values())}
    np.savez(path, allow_pickle=False, **{MANIFEST: np.array(json.dumps(manifest))}, **raw)


def read_snapshot(path: Path) -> Snapshot:
    """Read what `write_snapshot` wrote."""
    with np.load(path, allow_pickle=False) as file:
        manifest = json.loads(str(file[MANIFEST]))
    with zipfile.ZipFile(path) as archive:
        return {entry["name"]: _tensor(entry, archive.read(f"{index}.npy")) for index, entry in enumerate(manifest)}


def _tensor(entry: dict[str, Any], stored: bytes) -> Tensor:
    """Return a tensor from the end of its file, which is its bytes: NumPy takes longer to read what stands before them."""
    dtype, shape = _dtype(entry["dtype"]), tuple(entry["shape"])
    size = dtype.itemsize * math.prod(shape)
    value = np.frombuffer(stored, np.uint8, size, len(stored) - size).view(dtype).reshape(shape)
    return Tensor(Kind(entry["kind"]), value)


def _has_more_than_bytes(value: Array) -> bool:
    dtype = value.dtype
    return bool(dtype.hasobject or dtype.names or dtype.char in "gG" or isinstance(value, np.ma.MaskedArray))


def _dtype_name(dtype: np.dtype[Any]) -> str:
    # `str` knows byte order and length, but calls bfloat16 and the float8s V2 and V1.
    return dtype.name if dtype.kind == "V" and dtype.type is not np.void else dtype.str


def _dtype(name: str) -> np.dtype[Any]:
    try:
        return np.dtype(name)
    except TypeError:
        import ml_dtypes  # bfloat16 and the float8s, known to numpy only through this package; comes with TensorFlow

        found: np.dtype[Any] = np.dtype(getattr(ml_dtypes, name))
        return found


def _bytes(value: Array) -> Array:
    return np.frombuffer(np.ascontiguousarray(value).tobytes(), dtype=np.uint8)


class Heartbeat:
    """Calls `beat` at most ten times a second, so that progress costs nothing."""

    def __init__(self, beat: Callable[[int], None]) -> None:
        self._beat = beat
        self._next = 0.0

    def __call__(self, done: int) -> None:
        """Tell that `done` steps are done, if the last word is old enough."""
        now = time.monotonic()
        if now >= self._next:
            self._next = now + 0.1
            self._beat(done)
