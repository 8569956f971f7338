"""What one process recorded: losses, batches, learning rates, evaluations, snapshots."""

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from ckptcheck.job.protocol import Tensor
from ckptcheck.job.schedule import Schedule
from ckptcheck.kinds import Kind
from ckptcheck.run.snapshots import FINAL, INITIAL, Snapshot, after_point, boundary_point

# The role of a run that a script records itself.
RECORDED = "recorded"

# Among what could not be seen of a command.
LOSSES = "losses"


@dataclass(frozen=True)
class Failure:
    """An exception that ended a run.

    Attributes:
        during: The phase of the run: `build`, `restore`, `train`, …
        type: The type of the exception.
        message: The text of the exception.
        step: The step index, in training.
        place: The line of the user's code, as `file:line`.
    """

    during: str
    type: str
    message: str
    step: int | None = None
    place: str | None = None


@dataclass
class Facts:
    """The content of `run.json`: everything about a run but its steps and snapshots."""

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
    # By snapshot: numeric attributes of objects, and digests of Python's and NumPy's global
    # generators. Both explain differences and are not compared by themselves.
    attributes: dict[str, dict[str, float]] = field(default_factory=dict)
    generators: dict[str, dict[str, str]] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    hash_seed: str = ""
    process: int = 0
    started: float = 0.0  # seconds since 1970, because process ids recur
    seconds: float = 0.0  # from the start to the end of the record; 0: unknown
    framework: str = ""  # tf1, tf2 or keras; empty where unknown
    repeat: int = 0  # the number of this repetition of the control, from 1
    # In a repetition of the control: the last evaluation loss, and a second one of the same state.
    evaluated_twice: list[float] = field(default_factory=list)
    # State tensors that the evaluation at the boundary changed; recorded as they were before it.
    changed_by_evaluation: list[str] = field(default_factory=list)
    # Attributes that the evaluation at a boundary changed, by snapshot and name: the value before
    # (None: it did not exist) and after.
    attributes_changed_by_evaluation: dict[str, dict[str, tuple[float | None, float]]] = field(
        default_factory=dict
    )
    # How a command restored, as the restore of a job that does the same is called.
    way: str = ""
    # What could not be seen of a command; None: the run is that of a job, which reports all.
    unseen: list[str] | None = None
    # Whether a command was ended after the number of steps that was asked for.
    is_cut: bool = False
    # How many of the saves that were asked for a command did not make before its last step.
    saves_missing: int = 0
    # What a command left that is compared in place of what it did; empty: that was seen.
    left: str = ""
    # Files outside the folder of the job's runs: `new`, `changed` or `deleted`, and when the file
    # was modified before that, in seconds since 1970. Paths are relative to the working directory.
    wrote: dict[str, tuple[str, float]] = field(default_factory=dict)
    # Files of arrays that a command wrote, and that hold other values than the control's.
    changed_files: list[str] = field(default_factory=list)
    # Arrays in its memory, of which the steps after the save made other values than the control's.
    changed_arrays: list[str] = field(default_factory=list)
    # Layers whose random generator nothing can read, and so nothing can save.
    sealed: list[str] = field(default_factory=list)
    # What was tried to make a control reproducible, and what two more controls did with it.
    tried: dict[str, str] = field(default_factory=dict)
    # Why a resumed run of a command proves nothing; empty: it does.
    unclear: str = ""
    failure: Failure | None = None
    finished: bool = False

    @property
    def is_of_command(self) -> bool:
        """Whether the run is one of a command, not of a job in a class or of a script."""
        return self.unseen is not None

    @property
    def may_lack_evaluation(self) -> bool:
        """Whether only the user's program decides whether anything is evaluated."""
        return self.role == RECORDED or self.is_of_command


@dataclass(frozen=True)
class StepRecord:
    """What one training step did. None: unknown."""

    number: int
    loss: float
    rate: float | None = None
    batch: str | None = None  # a digest of its arrays
    examples: tuple[str, ...] | None = None  # the fingerprint of each example in the batch
    draws: tuple[str, ...] | None = None  # a digest of each array of drawn random numbers
    hyperparameters: Mapping[str, float] | None = None


@dataclass(frozen=True)
class Run:
    """One recorded run: its facts, its executed steps, and its snapshots by point."""

    folder: Path
    facts: Facts
    steps: tuple[StepRecord, ...]
    snapshots: Mapping[str, Snapshot] = field(repr=False)
    # The control's names of tensors that have a different name in this run.
    names: Mapping[str, str] = field(default_factory=dict)
    # The names of tensors that are left out.
    hidden: frozenset[str] = frozenset()

    @cached_property
    def initial(self) -> Snapshot:
        """The state after the build; in a resumed run, before the restore."""
        return self._snapshot(INITIAL)

    @cached_property
    def boundary(self) -> Snapshot:
        """The state right before the first step after the checkpoint."""
        return self.snapshot_at(self.facts.schedule.boundary)

    @cached_property
    def after_boundary(self) -> Snapshot | None:
        """The state after the first step after the checkpoint; None where it was not recorded."""
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
        """The training loss of each step; empty where none was seen."""
        if LOSSES in (self.facts.unseen or ()):
            return ()
        return tuple(step.loss for step in self.steps)

    @property
    def earlier_saves(self) -> list[int]:
        """The recorded saves before the boundary, by steps done, the latest first."""
        boundary = self.facts.schedule.boundary
        saves = {*self.facts.saved, *self.facts.schedule.boundaries}
        return sorted(
            (save for save in saves if save < boundary and boundary_point(save) in self.snapshots),
            reverse=True,
        )

    @cached_property
    def position(self) -> int:
        """The number of steps recorded before the boundary."""
        return bisect_left([step.number for step in self.steps], self.facts.schedule.boundary)

    def snapshot_at(self, boundary: int) -> Snapshot:
        """Return the state at a save, given the steps done."""
        return self._snapshot(boundary_point(boundary))

    def renamed(self, names: Mapping[str, str]) -> "Run":
        """Return the run with tensors under the control's names."""
        asked = self.facts.asked
        renamed = (
            asked if asked is None else {names.get(name, name): key for name, key in asked.items()}
        )
        return (
            replace(self, names=names, facts=replace(self.facts, asked=renamed)) if names else self
        )

    def at(self, boundary: int) -> "Run":
        """Return a control for the comparison with a run resumed from that boundary."""
        return replace(self, facts=replace(self.facts, schedule=self.facts.schedule.at(boundary)))

    def without_values(self) -> "Run":
        """Return what a report shows of a judged run: of its state, moving statistics alone.

        All other tensors keep their names and kinds, and are empty.
        """
        boundary = self.facts.schedule.boundary
        points = (INITIAL, boundary_point(boundary), after_point(boundary), FINAL)
        kept = {
            point: {name: _shown(tensor) for name, tensor in self.snapshots[point].items()}
            for point in points
            if point in self.snapshots
        }
        return replace(self, snapshots=kept)

    def _snapshot(self, point: str) -> Snapshot:
        stored = self.snapshots[point]
        if not (self.names or self.hidden):
            return stored
        return {
            self.names.get(name, name): tensor
            for name, tensor in stored.items()
            if name not in self.hidden
        }


def _shown(tensor: Tensor) -> Tensor:
    if tensor.kind is Kind.MOVING_STATISTIC:
        return tensor
    return Tensor(tensor.kind, np.empty(0, tensor.value.dtype))
