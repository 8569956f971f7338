"""Control and resumed run side by side, as frozen rows, without a judgement."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from ckptcheck.comparison.batch_order import DataPath
from ckptcheck.comparison.value_origin import Origin
from ckptcheck.kinds import Kind

BOUNDARY, FINAL = "boundary", "final"
# Is among what was not seen of a command that is judged by the files that it left.
LIVE_STATE = "live state"


@dataclass(frozen=True)
class TensorComparison:
    """One state tensor at one point, in the control and in the resumed run.

    Dtype and shape are empty if a process does not hold the tensor. `control_number` and
    `resumed_number` are single numbers as Python writes them, else empty.
    """

    point: str  # boundary or final
    name: str
    kind: Kind
    control_dtype: str
    resumed_dtype: str
    control_shape: str
    resumed_shape: str
    equal: bool
    identical: bool
    late: bool  # whether the first step after the boundary creates it; compared after that step
    elements: int
    differing: int  # elements whose bits differ; all if dtype or shape differ
    max_abs_diff: float
    control_norm: float  # Euclidean, over all elements, in float64
    resumed_norm: float
    control_number: str
    resumed_number: str
    not_finite: int  # elements NaN or infinite in the resumed run, but not so in the control
    origin: Origin  # what a differing resumed value equals instead
    # The next three are None where the adapter does not know.
    asked: bool | None  # whether the restore asked for it
    held: bool | None  # whether the checkpoint holds its key, or else its value
    saved_so: bool | None  # whether the checkpoint holds a value different from the control's
    as_saved: bool  # whether a differing resumed value is in the checkpoint, and not by chance
    poisoned: bool  # whether its value before the restore differed from the control's boundary
    control_moves: bool  # whether its value changes between the boundary and the end
    resumed_moves: bool
    # Whether nothing that is judged reads it: a metric, or a generator that is never drawn from.
    unread: bool = False

    @property
    def same_form(self) -> bool:
        """Whether both processes hold it with the same dtype and shape."""
        return (self.control_dtype, self.control_shape) == (self.resumed_dtype, self.resumed_shape)


@dataclass(frozen=True)
class StepComparison:
    """One training step after the boundary, in the order of execution in both runs.

    Batches are digests; batch and rate are None if the job does not show them.
    """

    control_step: int
    resumed_step: int
    control_loss: float
    resumed_loss: float
    diff: float
    equal: bool
    identical: bool
    control_batch: str | None
    resumed_batch: str | None
    batch_equal: bool
    control_rate: float | None
    resumed_rate: float | None
    rate_equal: bool
    draws_equal: bool
    hyperparameters_equal: bool

    @property
    def inputs_equal(self) -> bool:
        """Whether all inputs of the step are equal, apart from the state."""
        return (
            self.batch_equal and self.rate_equal and self.draws_equal and self.hyperparameters_equal
        )


@dataclass(frozen=True)
class EvaluationComparison:
    """One evaluation from the boundary on."""

    steps_done: int
    control_loss: float
    resumed_loss: float
    diff: float
    equal: bool
    identical: bool

    def is_within(self, rounding: float) -> bool:
        """Return whether the losses differ by at most so much, relative to the control's."""
        return abs(self.diff) <= rounding * abs(self.control_loss)


@dataclass(frozen=True)
class HyperparameterDifference:
    """A hyperparameter of a step that differs."""

    step: int
    name: str
    control: float | None
    resumed: float | None


@dataclass(frozen=True)
class Comparison:
    """A row for each tensor and point, each step after the boundary, and each evaluation."""

    tensors: tuple[TensorComparison, ...]
    steps: tuple[StepComparison, ...]
    evaluations: tuple[EvaluationComparison, ...]
    first_step: tuple[int, int | None]
    # Steps of the control after the boundary: the number to compare.
    steps_after: int
    # Tensors with one value at every point of the control.
    never_moved: tuple[str, ...]
    # How batches and draws relate to the control's.
    batches: DataPath = field(default_factory=DataPath)
    draws: tuple[DataPath, ...] = ()
    hyperparameter: HyperparameterDifference | None = None
    # Hints that may explain differences: numbers in Python objects that change in the control,
    # with both values at the boundary, those that only the restore sets, and global random
    # generators of the process.
    attributes: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    set_by_restore: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    generators: tuple[str, ...] = ()
    # The generators that the control draws from between two steps: for a batch, not in a step.
    drawn_between: tuple[str, ...] = ()
    # The resumed run's names of renamed tensors, by the control's names.
    renamed: Mapping[str, str] = field(default_factory=dict)
    # Tensors that differ at the boundary but count as equal, by the pattern that accepts them.
    left_out: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    steps_per_epoch: int = 1
    # Whether a restore makes all state: what the first step makes was not restored.
    restores_at_once: bool = False
    # Places in the control, besides `position`, where the rates match the resumed run's.
    rates_from: tuple[int, ...] = ()
    # What was not seen of a command, and is therefore not compared: losses, batches, …
    unseen: tuple[str, ...] = ()
    # Layers of the control whose random generator nothing can read.
    sealed: tuple[str, ...] = ()
    # Generators that differ, and that no step draws from before a run is cut.
    undecided: tuple[str, ...] = ()
    # How many steps a resumed command made by itself; None: the schedule of a job decides.
    steps_resumed: int | None = None

    @property
    def is_of_files(self) -> bool:
        """Whether only files are compared: the tensors at the boundary are those of one image."""
        return LIVE_STATE in self.unseen

    @property
    def boundary(self) -> tuple[TensorComparison, ...]:
        """The tensors at the boundary."""
        return tuple(row for row in self.tensors if row.point == BOUNDARY)

    @property
    def final(self) -> tuple[TensorComparison, ...]:
        """The tensors after the last step."""
        return tuple(row for row in self.tensors if row.point == FINAL)

    @property
    def evaluation(self) -> EvaluationComparison | None:
        """The first evaluation that both runs made: at the boundary, before any update."""
        return self.evaluations[0] if self.evaluations else None

    @property
    def exact(self) -> bool:
        """Whether all compared values that anything reads are identical, bit for bit."""
        return all(row.identical for row in self._rows) and self._same_course

    @property
    def equal(self) -> bool:
        """Whether all compared values that anything reads are equal."""
        return all(row.equal for row in self._rows) and self._same_course

    @property
    def _rows(self) -> tuple[TensorComparison | StepComparison | EvaluationComparison, ...]:
        read = (row for row in self.tensors if not row.unread)
        return (*read, *self.steps, *self.evaluations)

    @property
    def rounded_evaluations(self) -> tuple[EvaluationComparison, ...]:
        """The evaluations that count as equal, but are not, although all the rest is identical."""
        rounded = tuple(row for row in self.evaluations if row.equal and not row.identical)
        return rounded if replace(self, evaluations=()).exact else ()

    @property
    def same_first_step(self) -> bool:
        """Whether the resumed run starts with the control's next step."""
        return self.first_step[0] == self.first_step[1]

    @property
    def _same_course(self) -> bool:
        return (
            self.same_first_step
            and self.same_last_step
            and all(step.inputs_equal for step in self.steps)
        )

    @property
    def same_last_step(self) -> bool:
        """Whether the resumed run, if it ends by itself, makes as many steps as the control."""
        return self.steps_resumed in (None, self.steps_after)

    @property
    def equal_at_boundary(self) -> bool:
        """Whether all boundary tensors are equal, and the first step is the control's next one.

        Tensors created in the first step do not count: that step may have changed them.
        """
        return self.same_first_step and all(
            row.equal or row.late or row.unread for row in self.boundary
        )


def moving_statistics(comparison: Comparison) -> list[TensorComparison]:
    """Return the moving means and variances at the boundary."""
    return [row for row in comparison.boundary if row.kind is Kind.MOVING_STATISTIC]
