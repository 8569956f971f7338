"""The noise of a job that is not reproducible: its control against repetitions of it.

A resumed run shares its history with the control up to the boundary, so boundary tensors are always
compared exactly. Only differences after the boundary can be noise.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import chain, combinations
from typing import Any

import numpy as np

from ckptcheck.arrays import largest_difference, same
from ckptcheck.comparison.rename_matching import match
from ckptcheck.counts import counted
from ckptcheck.job.protocol import RANDOM
from ckptcheck.kinds import Kind
from ckptcheck.run.digests import digest
from ckptcheck.run.run import Run, StepRecord
from ckptcheck.run.snapshots import Snapshot

# A few repetitions do not show the largest possible difference.
MARGIN = 3.0

# Two passes from the same state may sum in a different order: this much of a loss is rounding.
ROUNDING = 1e-6


@dataclass(frozen=True)
class NoiseFloor:
    """The largest absolute differences between any two of a job's control runs, after the boundary.

    `first_difference` says where two of them diverge first, anywhere in the run; None: they are
    equal, bit for bit. `batches_differ`, `draws_differ` and `hyperparameters_differ` say whether
    these differ at any step; `rates` is the spread of learning rates. `losses` is the spread of
    training losses up to each step after the boundary, `evaluations` that of evaluation losses by
    steps done. `step_varies` and `evaluation_varies` say whether a loss varies even if it is
    computed from the same state.
    """

    repeats: int
    training_loss: float = 0.0
    evaluation_loss: float = 0.0
    final: Mapping[str, float] = field(default_factory=dict)
    batches_differ: bool = False
    draws_differ: bool = False
    hyperparameters_differ: bool = False
    rates: float = 0.0
    first_difference: str | None = None
    losses: tuple[float, ...] = ()
    evaluations: Mapping[int, float] = field(default_factory=dict)
    step_varies: bool = False
    evaluation_varies: bool = False

    def document(self) -> dict[str, Any]:
        """Return the noise as JSON values."""
        return {
            name: value
            for name, value in asdict(self).items()
            if name not in ("losses", "evaluations")
        }

    def of_tensor(self, name: str) -> float:
        """Return how far apart the final values of a tensor may be."""
        return MARGIN * self.final.get(name, 0.0)

    def of_rate(self) -> float:
        """Return how far apart learning rates may be; below 0 if they do not vary."""
        return MARGIN * self.rates or -1.0

    def of_loss(self, index: int, control: float) -> float:
        """Return how far apart the training loss may be, `index` steps after the boundary.

        Both runs compute the first loss from the same state: only its rounding may differ, unless
        the job's own first loss varies.
        """
        if index == 0 and not self.step_varies:
            return ROUNDING * abs(control)
        return MARGIN * self.losses[index] if index < len(self.losses) else 0.0

    def of_evaluation(self, steps_done: int, control: float, *, at_boundary: bool) -> float:
        """Return how far apart an evaluation loss may be; at the boundary, only by rounding."""
        if at_boundary and not self.evaluation_varies:
            return ROUNDING * abs(control)
        return MARGIN * self.evaluations.get(steps_done, 0.0)


def measure(control: Run, repeats: Sequence[Run]) -> NoiseFloor:
    """Measure the noise of a job by its control and repetitions with the same schedule."""
    repeats = [repeat.renamed(match(control.compared, repeat.compared)) for repeat in repeats]
    runs, boundary = [control, *repeats], control.facts.schedule.boundary
    losses, evaluations = _spread([run.losses for run in runs]), _evaluations(runs)
    rates = _spread([[np.nan if rate is None else rate for rate in _rates(run)] for run in runs])
    after = losses[control.position :]
    return NoiseFloor(
        repeats=len(repeats),
        training_loss=max(after, default=0.0),
        evaluation_loss=max(
            (spread for done, spread in evaluations.items() if done >= boundary), default=0.0
        ),
        final={name: _tensor_spread(name, runs) for name in control.final},
        batches_differ=_differs("batch", runs),
        draws_differ=_differs("draws", runs),
        hyperparameters_differ=_differs("hyperparameters", runs),
        rates=max(rates, default=0.0),
        first_difference=next(
            (difference for run in repeats for difference in _differences(control, run)), None
        ),
        losses=tuple(after),
        evaluations=evaluations,
        step_varies=bool(losses) and losses[0] > 0,
        evaluation_varies=any(len(set(map(repr, run.facts.evaluated_twice))) > 1 for run in runs),
    )


def first_difference(control: Run, repeat: Run) -> str | None:
    """Return where two controls differ first; None: nowhere."""
    return next(_differences(control, repeat), None)


def parts(control: Run, repeat: Run) -> bool:
    """Return whether two controls differ anywhere."""
    return first_difference(control, repeat) is not None


def is_numeric(control: Run, repeat: Run) -> bool:
    """Return whether two controls part though they began with equal weights and read the same.

    Only then may a setting of the framework make them equal; seeds are the program's.
    """
    began = [
        [digest(each.value) for each in run.initial.values() if each.kind is Kind.WEIGHT]
        for run in (control, repeat)
    ]
    return (
        began[0] == began[1] and not _differs("batch", [control, repeat]) and parts(control, repeat)
    )


def _differs(column: str, runs: Sequence[Run]) -> bool:
    """Return whether a column of the steps differs; as texts, in which NaN equals NaN."""
    return len({repr([getattr(step, column) for step in run.steps]) for run in runs}) > 1


def _rates(run: Run) -> list[float | None]:
    return [step.rate for step in run.steps]


def _spread(rows: Sequence[Sequence[float]]) -> list[float]:
    """Return the largest difference of any two rows up to each place; NaN in all rows is equal."""
    length = min(map(len, rows))
    spread = (
        np.ptp(np.array([row[:length] for row in rows], np.float64), axis=0)
        if length
        else np.zeros(0)
    )
    largest: list[float] = np.maximum.accumulate(np.nan_to_num(spread, nan=0.0)).tolist()
    return largest


def _evaluations(runs: Sequence[Run]) -> dict[int, float]:
    places = [done for done, _ in runs[0].facts.evaluations]
    spread = _spread([[loss for _, loss in run.facts.evaluations] for run in runs])
    return dict(zip(places, spread, strict=False))


def _tensor_spread(name: str, runs: Sequence[Run]) -> float:
    """Return the spread of a tensor's final values; 0 if a run lacks it or its shape differs."""
    if any(
        name not in run.final or run.final[name].value.shape != runs[0].final[name].value.shape
        for run in runs
    ):
        return 0.0
    return max(
        largest_difference(one.final[name].value, other.final[name].value)
        for one, other in combinations(runs, 2)
    )


def without_saves(control: Run, unsaved: Run) -> str | None:
    """Say where a control diverges from one that never saves and ends earlier; None: nowhere."""
    # Match names at the last save, the last point that both runs have.
    names = match(
        [control.snapshot_at(step) for step in control.facts.saved[-1:]], [unsaved.boundary]
    )
    unsaved = unsaved.renamed(names)
    at_saves = (
        f"{name} differs after {counted(step, 'step')}"
        for step in sorted(control.facts.saved)
        for name in _differing(control.snapshot_at(step), unsaved.snapshot_at(step))
    )
    course = _course_differences(control, unsaved, rounding_of_evaluations(control))
    return next(chain(course, at_saves), None)


def _differing(control: Snapshot, repeat: Snapshot) -> Iterator[str]:
    for name, tensor in control.items():
        if name not in repeat or not same(tensor.value, repeat[name].value, equal_nan=True):
            yield name


def _differences(control: Run, repeat: Run) -> Iterator[str]:
    """Yield where two whole runs diverge, earliest first."""
    if len(control.steps) != len(repeat.steps):
        yield "the number of steps differs"
        return
    yield from _course_differences(control, repeat)
    for name in _differing(control.final, repeat.final):
        if not name.startswith(RANDOM):  # a generator that is not seeded may have no effect
            yield f"the final value of {name} differs"


def rounding_of_evaluations(control: Run) -> float:
    """Return how far apart two evaluations of one state may be, relative to their loss.

    A process may compute its first evaluation in a different order than later ones.
    """
    weights = [each.value.dtype for each in control.boundary.values() if each.kind is Kind.WEIGHT]
    is_double = weights and all(dtype == np.float64 for dtype in weights)
    return ROUNDING * 2.0**-29 if is_double else ROUNDING


def _course_differences(
    control: Run, repeat: Run, evaluations_within: float = 0.0
) -> Iterator[str]:
    """Yield where the common steps and evaluations of two runs diverge, earliest first."""
    # By steps done and kind: an evaluation precedes the next step.
    found = [
        (step, 1, difference)
        for step, both in enumerate(zip(control.steps, repeat.steps, strict=False))
        for difference in _step_difference(step, *both)
    ]
    evaluations = control.facts.evaluations, repeat.facts.evaluations
    for (done, loss), (_, other) in zip(*evaluations, strict=False):
        if not _same_loss(loss, other) and not abs(other - loss) <= evaluations_within * abs(loss):
            steps = counted(done, "step")
            difference = f"the evaluation loss after {steps} is {other!r} instead of {loss!r}"
            found.append((done, 0, difference))
    yield from (difference for *_, difference in sorted(found))
    if repr(_rates(control)[: len(repeat.steps)]) != repr(_rates(repeat)):
        yield "the learning rates differ"


def _step_difference(step: int, control: StepRecord, repeat: StepRecord) -> Iterator[str]:
    if control.batch != repeat.batch:
        yield f"the batch of step {step} differs"
    elif not _same_loss(control.loss, repeat.loss):
        yield f"the training loss of step {step} is {repeat.loss!r} instead of {control.loss!r}"
    elif control.draws != repeat.draws:
        yield f"the random numbers of step {step} differ"
    elif repr(control.hyperparameters) != repr(repeat.hyperparameters):
        yield f"the hyperparameters of step {step} differ"


def _same_loss(control: float, repeat: float) -> bool:
    return same(np.array(control), np.array(repeat), equal_nan=True)
