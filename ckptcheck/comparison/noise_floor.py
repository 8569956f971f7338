"""How far a job is from reproducing itself: its control, held against repetitions of it.

A run that is resumed shares its control's way up to the boundary, so tensors there are compared exactly whatever the noise.
Only what comes after it can differ for no fault of the restore.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import combinations
from typing import Any

import numpy as np

from ckptcheck.arrays import largest_difference, same
from ckptcheck.comparison.batch_order import Path
from ckptcheck.comparison.compare import Comparison, points
from ckptcheck.comparison.rename_matching import match
from ckptcheck.run.run import Run

# A few repetitions show less than the largest difference there can be.
MARGIN = 3.0

# A pass that two runs make from one state may still take its sums in another order: so much of a loss is the rounding of that.
ROUNDING = 1e-6


@dataclass(frozen=True)
class Noise:
    """The largest absolute differences between any two of a job's control runs, after the boundary.

    `first_difference` says where two of them part first, anywhere in the run; None: they are equal, bit for bit.
    `batches_differ`, `draws_differ`, `hyperparameters_differ`: whether they read other batches, drew other random numbers or
    used other hyperparameters at some step; `rates` is how far their learning rates are apart.
    `losses` is how far training losses are apart at each step after the boundary or before it, `evaluations` the same of
    evaluation losses by steps done. `step_varies`, `evaluation_varies`: whether a training loss, an evaluation loss, is
    another one even if it is computed from the same state.
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
        """Return the noise as JSON has it."""
        return {name: value for name, value in asdict(self).items() if name not in ("losses", "evaluations")}


def measure(control: Run, repeats: Sequence[Run]) -> Noise:
    """Measure the noise of a job from its control and repetitions of it; all have the same schedule."""
    repeats = [repeat.renamed(names) if (names := match(points(control), points(repeat))) else repeat for repeat in repeats]
    runs = [control, *repeats]
    losses = _spread([run.losses for run in runs])
    evaluations = _evaluations(runs)
    boundary = control.facts.schedule.boundary
    after = losses[control.position :]
    return Noise(
        repeats=len(repeats),
        training_loss=max(after, default=0.0),
        evaluation_loss=max((apart for done, apart in evaluations.items() if done >= boundary), default=0.0),
        final={name: _tensor_spread(name, runs) for name in control.final},
        batches_differ=any(run.batches != control.batches for run in repeats),
        draws_differ=any(run.draws != control.draws for run in repeats),
        hyperparameters_differ=any(repr(run.hyperparameters) != repr(control.hyperparameters) for run in repeats),
        rates=max(_spread([[np.nan if rate is None else rate for rate in run.rates] for run in runs]), default=0.0),
        first_difference=next((found for run in repeats for found in _differences(control, run)), None),
        losses=tuple(after),
        evaluations=evaluations,
        step_varies=bool(losses) and losses[0] > 0,
        evaluation_varies=any(len(set(map(repr, run.facts.evaluated_twice))) > 1 for run in runs),
    )


def within(comparison: Comparison, noise: Noise) -> Comparison:
    """Return a comparison with what is after the boundary equal where it is no further apart than the job's noise.

    Tensors at the boundary are not touched, nor is what can be no noise: the first training loss and the evaluation at the
    boundary are computed from one state in both runs. Only where that makes them vary by itself, or by its rounding, may
    they. Random numbers, rates and hyperparameters that vary from control to control say nothing, and are left out.
    """
    tensors, losses, evaluations = comparison.tensors.copy(), comparison.losses.copy(), comparison.evaluations.copy()
    allowed = np.array([MARGIN * noise.final.get(name, 0.0) for name in tensors["name"]])
    tensors["equal"] |= ((tensors["point"] == "final") | tensors["late"]) & (tensors["max_abs_diff"] <= allowed)
    floors = [MARGIN * each for each in noise.losses[: len(losses)]]
    rounding = ROUNDING * losses["control_loss"].abs()
    if floors and not noise.step_varies:
        floors[0] = rounding.iloc[0]
    losses["equal"] |= losses["diff"].abs() <= floors
    at_boundary = evaluations["steps_done"] == comparison.first_step[0]
    floor = MARGIN * np.array([noise.evaluations.get(done, 0.0) for done in evaluations["steps_done"]])
    if not noise.evaluation_varies:
        floor = np.where(at_boundary, ROUNDING * evaluations["control_loss"].abs(), floor)
    evaluations["equal"] |= evaluations["diff"].abs() <= floor
    found = replace(comparison, tensors=tensors, losses=losses, evaluations=evaluations)
    return without_seeds(found, noise)


def without_seeds(comparison: Comparison, noise: Noise) -> Comparison:
    """Leave out of a comparison what varies from control to control: no seed decides it."""
    losses = comparison.losses.copy()
    if noise.draws_differ:
        losses["draws_equal"], comparison = True, replace(comparison, draws=())
    if noise.hyperparameters_differ:
        losses["hyperparameters_equal"], comparison = True, replace(comparison, hyperparameter=None)
    if noise.rates:
        apart = (losses["resumed_rate"].astype(float) - losses["control_rate"].astype(float)).abs()
        losses["rate_equal"] |= apart <= MARGIN * noise.rates
    if noise.batches_differ:
        losses["batch_equal"], comparison = True, replace(comparison, batches=Path())
    return replace(comparison, losses=losses)


def _spread(rows: Sequence[Sequence[float]]) -> list[float]:
    """Return the largest difference between two rows at each place or before it; NaN in all of them is none."""
    length = min(map(len, rows))
    apart = np.ptp(np.array([row[:length] for row in rows], np.float64), axis=0) if length else np.zeros(0)
    found: list[float] = np.maximum.accumulate(np.nan_to_num(apart, nan=0.0)).tolist()
    return found


def _evaluations(runs: Sequence[Run]) -> dict[int, float]:
    """Return how far evaluation losses are apart, by steps done."""
    places = [done for done, _ in runs[0].facts.evaluations]
    apart = _spread([[loss for _, loss in run.facts.evaluations] for run in runs])
    return dict(zip(places, apart, strict=False))


def _tensor_spread(name: str, runs: Sequence[Run]) -> float:
    """Return how far apart the final values of a tensor are; what one of the runs does not have allows nothing."""
    if any(name not in run.final or run.final[name].value.shape != runs[0].final[name].value.shape for run in runs):
        return 0.0
    return max(largest_difference(one.final[name].value, other.final[name].value) for one, other in combinations(runs, 2))


def without_saves(control: Run, unsaved: Run) -> str | None:
    """Say where a control parts from one that saves nothing and ends earlier; None: nowhere."""
    # At the last save, the last place that both have.
    names = match([control.snapshot_at(step) for step in control.facts.saved[-1:]], [unsaved.boundary])
    return next(_without_saves(control, unsaved.renamed(names) if names else unsaved), None)


def _without_saves(control: Run, unsaved: Run) -> Iterator[str]:
    yield from _apart(control, unsaved)
    for step in sorted(control.facts.saved):
        ours, theirs = control.snapshot_at(step), unsaved.snapshot_at(step)
        for name, tensor in ours.items():
            if name not in theirs or not same(tensor.value, theirs[name].value, equal_nan=True):
                yield f"after {step} steps {name} is another one"


def _differences(control: Run, repeat: Run) -> Iterator[str]:
    """Say where two whole runs part, earliest first."""
    if len(control.steps) != len(repeat.steps):
        yield "it has another number of steps"
        return
    yield from _apart(control, repeat)
    for name, tensor in control.final.items():
        if name not in repeat.final or not same(tensor.value, repeat.final[name].value, equal_nan=True):
            yield f"the final value of {name} is another one"


def _apart(control: Run, repeat: Run) -> Iterator[str]:
    """Say where two runs part in the steps that both have: batches before the losses that follow from them."""
    both = zip(control.batches, repeat.batches, control.losses, repeat.losses, strict=False)
    for step, (batch, other_batch, loss, other_loss) in enumerate(both):
        if batch != other_batch:
            yield f"the batch of step {step} is another one"
        elif not same(np.array(loss), np.array(other_loss), equal_nan=True):
            yield f"the training loss of step {step} is {other_loss!r}, not {loss!r}"
        elif control.draws[step] != repeat.draws[step]:
            yield f"the random numbers of step {step} are others"
        elif repr(control.hyperparameters[step]) != repr(repeat.hyperparameters[step]):
            yield f"the hyperparameters of step {step} are others"
    for (done, loss), (_, other_loss) in zip(control.facts.evaluations, repeat.facts.evaluations, strict=False):
        if not same(np.array(loss), np.array(other_loss), equal_nan=True):
            yield f"the evaluation loss after {done} steps is {other_loss!r}, not {loss!r}"
    if repr(control.rates[: len(repeat.rates)]) != repr(repeat.rates):
        yield "its learning rates are others"
