"""What one process recorded, as a value: losses, batches, learning rates, evaluations, snapshots, its environment."""

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from ckptcheck.job.schedule import Schedule
from ckptcheck.run.snapshots import FINAL, INITIAL, Snapshot, after_point, boundary_point

# The role of a run that a script recorded of itself.
RECORDED = "recorded"


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
    # Attributes that the evaluation at a boundary changed, by snapshot and name: before it (None: not there) and after it.
    attributes_changed_by_evaluation: dict[str, dict[str, tuple[float | None, float]]] = field(
        default_factory=dict
    )
    failure: Failure | None = None
    finished: bool = False


@dataclass(frozen=True)
class StepRecord:
    """What one training step did. None: not shown by the job."""

    number: int
    loss: float
    rate: float | None = None
    batch: str | None = None  # a digest of its arrays
    examples: tuple[str, ...] | None = None  # the fingerprint of each example in it
    draws: tuple[str, ...] | None = None  # a digest of each array of random numbers that it drew
    hyperparameters: Mapping[str, float] | None = None


@dataclass(frozen=True)
class Run:
    """One recorded run: what is known of it as a whole, its executed steps, and its snapshots by their points."""

    folder: Path
    facts: Facts
    steps: tuple[StepRecord, ...]
    snapshots: Mapping[str, Snapshot] = field(repr=False)
    # What the control calls tensors that have another name in this run.
    names: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def initial(self) -> Snapshot:
        """The state after the build; in a resumed run, before the restore."""
        return self._snapshot(INITIAL)

    @cached_property
    def boundary(self) -> Snapshot:
        """The state right before the step after the checkpoint."""
        return self.snapshot_at(self.facts.schedule.boundary)

    @cached_property
    def after_boundary(self) -> Snapshot | None:
        """The state after the step after the checkpoint; None where it was not recorded."""
        point = after_point(self.facts.schedule.boundary)
        return self._snapshot(point) if point in self.snapshots else None

    @cached_property
    def final(self) -> Snapshot:
        """The state after the last step."""
        return self._snapshot(FINAL)

    @property
    def compared(self) -> list[Snapshot]:
        """The snapshots from the boundary on."""
        return [self.boundary, self.after_boundary or {}, self.final]

    @cached_property
    def losses(self) -> tuple[float, ...]:
        """The training loss of each step."""
        return tuple(step.loss for step in self.steps)

    @property
    def earlier_saves(self) -> list[int]:
        """The saves before the boundary at which the state was recorded, by steps done, the latest first."""
        boundary = self.facts.schedule.boundary
        saves = {*self.facts.saved, *self.facts.schedule.boundaries}
        return sorted(
            (save for save in saves if save < boundary and boundary_point(save) in self.snapshots),
            reverse=True,
        )

    @cached_property
    def position(self) -> int:
        """The number of steps that were recorded before the boundary."""
        return bisect_left([step.number for step in self.steps], self.facts.schedule.boundary)

    def snapshot_at(self, boundary: int) -> Snapshot:
        """Return the state at a save, by the steps done."""
        return self._snapshot(boundary_point(boundary))

    def renamed(self, names: Mapping[str, str]) -> "Run":
        """Return the run with some tensors under the names that the control has for them."""
        asked = self.facts.asked
        called = (
            asked if asked is None else {names.get(name, name): key for name, key in asked.items()}
        )
        return (
            replace(self, names=names, facts=replace(self.facts, asked=called)) if names else self
        )

    def at(self, boundary: int) -> "Run":
        """Return a control as a run sees it that is resumed from that boundary."""
        return replace(self, facts=replace(self.facts, schedule=self.facts.schedule.at(boundary)))

    def _snapshot(self, point: str) -> Snapshot:
        stored = self.snapshots[point]
        return (
            {self.names.get(name, name): tensor for name, tensor in stored.items()}
            if self.names
            else stored
        )
