"""Small runs in memory, for tests of rules and verdicts: a control of 8 steps, resumed after 5.

Every value, batch and draw of the control is unique, so that a value in a resumed run can come from
one place only. An epoch has 3 steps; the control saves after 3 and after 5 steps.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ckptcheck.arrays import Array
from ckptcheck.job.protocol import Tensor
from ckptcheck.job.schedule import Schedule
from ckptcheck.kinds import Kind
from ckptcheck.run.digests import digest
from ckptcheck.run.run import Facts, Run, StepRecord
from ckptcheck.run.snapshots import FINAL, INITIAL, Snapshot, after_point, boundary_point

EARLIER, BOUNDARY, STEPS = 3, 5, 8
AFTER = range(BOUNDARY, STEPS)  # the steps of a resumed run

KINDS = {
    "w": Kind.WEIGHT,
    "w/momentum": Kind.SLOT,
    "mean": Kind.MOVING_STATISTIC,
    "w/average": Kind.SHADOW,
    "step": Kind.COUNTER,
    "rng": Kind.RNG,
}
EMPTY_AT_FIRST = (Kind.SLOT, Kind.MOVING_STATISTIC, Kind.ACCUMULATOR)

# New values by name: an array, a number that keeps the dtype, a tensor; None removes the tensor.
Values = Mapping[str, Array | float | Tensor | None]


def value(name: str, done: int, kind: Kind = Kind.WEIGHT) -> Array:
    """Return the control's value of a tensor after `done` steps."""
    kind = KINDS.get(name, kind)
    if kind is Kind.RNG:
        return np.array([40 + len(name), done], np.uint64)
    single = {
        Kind.COUNTER: np.array(done),
        Kind.HYPERPARAMETER: np.array(0.25),
        Kind.LOSS_SCALE: np.array(2.0 ** (10 + done)),
        Kind.METRIC: np.array(done / 8),
        Kind.PYTHON: np.array(float(done)),
    }
    if kind in single:
        return single[kind]
    if done == 0 and kind in EMPTY_AT_FIRST:
        return np.zeros((2, 3), np.float32)
    return np.random.default_rng([*name.encode(), done]).normal(size=(2, 3)).astype(np.float32)


def fresh(name: str, kind: Kind = Kind.WEIGHT) -> Array:
    """Return the initial value of a tensor in a resumed process: a different random draw."""
    return value(f"{name}'", 0, KINDS.get(name, kind))


def control(also: Mapping[str, Kind] | None = None) -> Run:
    """Return the control, with additional tensors of the given kinds."""
    kinds = KINDS | dict(also or {})
    points = {
        INITIAL: 0,
        boundary_point(EARLIER): EARLIER,
        boundary_point(BOUNDARY): BOUNDARY,
        FINAL: STEPS,
    }
    snapshots = {
        point: {name: Tensor(kind, value(name, done, kind)) for name, kind in kinds.items()}
        for point, done in points.items()
    }
    facts = Facts(
        role="control",
        job="job",
        restore=None,
        seed=0,
        schedule=Schedule(STEPS, BOUNDARY, steps_per_epoch=3),
        first_step=0,
        evaluations=[(done, 1 / done) for done in (EARLIER, BOUNDARY, 6, STEPS)],
        saved=[EARLIER, BOUNDARY],
        environment={"python": "3.12.1"},
        hash_seed="1",
        process=1,
        started=1.0,
        finished=True,
    )
    return Run(Path("control"), facts, tuple(map(_step, range(STEPS))), snapshots)


def _step(number: int) -> StepRecord:
    return StepRecord(
        number,
        loss=2 / (number + 1),
        rate=0.1,
        batch=f"batch-{number}",
        draws=(f"draw-{number}",),
        hyperparameters={"decay": 0.01},
    )


def resumed(control: Run) -> Run:
    """Return a run resumed from a control, equal to it from the boundary on."""
    facts = replace(
        control.facts,
        role="resumed",
        restore="all",
        first_step=BOUNDARY,
        asked={name: name for name in control.boundary},
        held=list(control.boundary),
        values=[digest(tensor.value) for tensor in control.boundary.values()],
        evaluations=[each for each in control.facts.evaluations if each[0] >= BOUNDARY],
        saved=[],
        hash_seed="2",
        process=2,
        started=2.0,
    )
    own = (Kind.WEIGHT, Kind.SHADOW, Kind.RNG)
    initial = {
        name: Tensor(tensor.kind, fresh(name, tensor.kind)) if tensor.kind in own else tensor
        for name, tensor in control.initial.items()
    }
    kept = {
        point: state
        for point, state in control.snapshots.items()
        if point != boundary_point(EARLIER)
    }
    return Run(Path("resumed"), facts, control.steps[BOUNDARY:], kept | {INITIAL: initial})


def changed(
    run: Run,
    *,
    initial: Values | None = None,
    boundary: Values | None = None,
    after: Values | None = None,
    final: Values | None = None,
    losses: Mapping[int, float] | None = None,
    batches: Mapping[int, str | None] | None = None,
    examples: Mapping[int, tuple[str, ...] | None] | None = None,
    rates: Mapping[int, float | None] | None = None,
    draws: Mapping[int, tuple[str, ...] | None] | None = None,
    hyperparameters: Mapping[int, Mapping[str, float] | None] | None = None,
    evaluations: Mapping[int, float | None] | None = None,
    **facts: Any,
) -> Run:
    """Return a run with changed tensors by point, changed columns by step, evaluations and facts.

    `after` adds the snapshot after the boundary's step. An evaluation of None is removed.
    """
    at = run.facts.schedule.boundary
    tensors = {INITIAL: initial, boundary_point(at): boundary, after_point(at): after, FINAL: final}
    snapshots = dict(run.snapshots)
    for point, values in tensors.items():
        if values is not None:
            snapshots[point] = _with(snapshots.get(point, {}), values)
    columns: dict[str, Mapping[int, Any] | None] = {
        "loss": losses,
        "batch": batches,
        "examples": examples,
        "rate": rates,
    }
    columns |= {"draws": draws, "hyperparameters": hyperparameters}
    known = dict(run.facts.evaluations) | dict(evaluations or {})
    facts["evaluations"] = [(done, loss) for done, loss in known.items() if loss is not None]
    return replace(
        run,
        facts=replace(run.facts, **facts),
        steps=tuple(_changed_step(step, columns) for step in run.steps),
        snapshots=snapshots,
    )


def _with(state: Snapshot, values: Values) -> Snapshot:
    merged = {
        **state,
        **{
            name: _tensor(state.get(name), each)
            for name, each in values.items()
            if each is not None
        },
    }
    return {
        name: tensor
        for name, tensor in merged.items()
        if name not in values or values[name] is not None
    }


def _tensor(known: Tensor | None, new: Array | float | Tensor | None) -> Tensor:
    if isinstance(new, Tensor):
        return new
    kind = known.kind if known else Kind.OTHER
    return Tensor(
        kind,
        new if isinstance(new, np.ndarray) else np.array(new, known.value.dtype if known else None),
    )


def _changed_step(step: StepRecord, columns: Mapping[str, Mapping[int, Any] | None]) -> StepRecord:
    return replace(
        step, **{name: by[step.number] for name, by in columns.items() if by and step.number in by}
    )


def begun_at(run: Run, number: int) -> Run:
    """Return a resumed run whose first step has a different number."""
    steps = tuple(replace(step, number=number + place) for place, step in enumerate(run.steps))
    return replace(run, facts=replace(run.facts, first_step=number), steps=steps)


def of_command(run: Run, further: int = 0) -> Run:
    """Return the run of a command of which all was seen, and that makes some further steps."""
    last = run.steps[-1]
    added = tuple(replace(last, number=last.number + each) for each in range(1, further + 1))
    return replace(run, facts=replace(run.facts, unseen=[]), steps=run.steps + added)


def cut(run: Run, steps: int) -> Run:
    """Return a run cut after its first `steps` steps."""
    return replace(run, steps=run.steps[:steps])


def renamed(run: Run, names: Mapping[str, str]) -> Run:
    """Return a run with renamed tensors, in its process and in its checkpoint."""
    snapshots = {
        point: {names.get(name, name): tensor for name, tensor in state.items()}
        for point, state in run.snapshots.items()
    }
    asked = {
        names.get(name, name): names.get(key, key) for name, key in (run.facts.asked or {}).items()
    }
    held = [names.get(key, key) for key in run.facts.held or ()]
    return replace(run, facts=replace(run.facts, asked=asked, held=held), snapshots=snapshots)
