"""How far a job is from reproducing itself: its control, held against repetitions of it.

A run that is resumed shares its control's way up to the boundary, so tensors there are compared exactly whatever the noise.
Only what comes after it can differ for no fault of the restore.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np

from ckptcheck.arrays import largest_difference, same
from ckptcheck.run import Run

# A few repetitions show less than the largest difference there can be.
MARGIN = 3.0


@dataclass(frozen=True)
class Noise:
    """The largest absolute differences between any two of a job's control runs, after the boundary.

    `first_difference` says where two of them part first, anywhere in the run; None: they are equal, bit for bit.
    `batches_differ`, `rates_differ`: whether they read other batches or used other learning rates at some step.
    """

    repeats: int
    training_loss: float = 0.0
    evaluation_loss: float = 0.0
    final: Mapping[str, float] = field(default_factory=dict)
    batches_differ: bool = False
    rates_differ: bool = False
    first_difference: str | None = None


def measure(control: Run, repeats: Sequence[Run]) -> Noise:
    """Measure the noise of a job from its control and repetitions of it; all have the same schedule."""
    runs = [control, *repeats]
    start = control.position
    after = [done for done, _ in control.facts.evaluations if done >= control.facts.schedule.boundary]
    return Noise(
        repeats=len(repeats),
        training_loss=_spread([run.losses[start:] for run in runs]),
        evaluation_loss=_spread([[dict(run.facts.evaluations).get(done, np.nan) for done in after] for run in runs]),
        final={name: _tensor_spread(name, runs) for name in control.final},
        batches_differ=any(run.batches != control.batches for run in repeats),
        rates_differ=any(repr(run.rates) != repr(control.rates) for run in repeats),
        first_difference=next((found for run in repeats for found in _differences(control, run)), None),
    )


def _spread(rows: Sequence[Sequence[float]]) -> float:
    """Return the largest difference between two rows at the same place; infinite where they have no such place."""
    if len({len(row) for row in rows}) > 1:
        return np.inf
    found = np.ptp(np.array(rows, np.float64), axis=0)
    return float(np.max(found, initial=0.0))


def _tensor_spread(name: str, runs: Sequence[Run]) -> float:
    if any(name not in run.final or run.final[name].value.shape != runs[0].final[name].value.shape for run in runs):
        return np.inf
    return max(largest_difference(one.final[name].value, other.final[name].value) for one, other in combinations(runs, 2))


def without_saves(control: Run, unsaved: Run) -> str | None:
    """Say where a control parts from one that saves nothing and ends earlier; None: nowhere."""
    return next(_without_saves(control, unsaved), None)


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
    for (done, loss), (_, other_loss) in zip(control.facts.evaluations, repeat.facts.evaluations, strict=False):
        if not same(np.array(loss), np.array(other_loss), equal_nan=True):
            yield f"the evaluation loss after {done} steps is {other_loss!r}, not {loss!r}"
    if repr(control.rates[: len(repeat.rates)]) != repr(repeat.rates):
        yield "its learning rates are others"
