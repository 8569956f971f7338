"""Why nothing can be said of a case: a verdict needs two runs that can be compared, and something compared in them."""

import math

from ckptcheck.comparison.comparison import Comparison
from ckptcheck.comparison.noise_floor import NoiseFloor
from ckptcheck.run import environment
from ckptcheck.run.run import RECORDED, Run

NO_CHECKPOINT = (
    "No checkpoint was seen: the control's save left no file in the folder it was given."
)


def why_not_comparable(control: Run, resumed: Run, *, equal_nan: bool = False) -> str | None:
    """Return why nothing can be said of two finished runs, or None."""
    if (control.facts.process, control.facts.started) == (
        resumed.facts.process,
        resumed.facts.started,
    ):
        return "Control and resumed run are one process: nothing was restored in a fresh one."
    recorded = control.facts.role == RECORDED  # then a warning says so
    if control.facts.hash_seed == resumed.facts.hash_seed != "random" and not recorded:
        return f"The resumed run had the control's hash seed, PYTHONHASHSEED={control.facts.hash_seed}; it needs another one."
    differences = environment.mismatches(control.facts.environment, resumed.facts.environment)
    if differences:
        return f"The two runs had different environments: {'; '.join(differences)}."
    return None if equal_nan else _not_finite(control)


def _not_finite(control: Run) -> str | None:
    for step in control.steps:
        if not math.isfinite(step.loss):
            return f"The control's training loss is {step.loss} at step {step.number}: there is no run to go on with."
    for done, loss in control.facts.evaluations:
        if not math.isfinite(loss):
            return f"The control's evaluation loss is {loss} after {done} steps: there is no run to go on with."
    return None


def why_nothing_compared(
    comparison: Comparison, *, may_lack_evaluation: bool = False
) -> str | None:
    """Return why a comparison proves nothing, or None. A script that records itself need not evaluate."""
    boundary, steps = comparison.boundary, comparison.steps
    final = {row.name for row in comparison.final}
    gone = sorted({row.name for row in boundary} - final)
    if not boundary:
        return "No state tensor was compared: the job showed none."
    if not final:
        return "No state tensor was compared after the last step: the job showed none there."
    if gone:
        return f"{len(gone)} state tensors were not shown after the last step, {gone[0]} for one."
    if not steps:
        return "No training step was compared: the resumed run executed none."
    if len(steps) != comparison.steps_after:
        return f"Only {len(steps)} of the control's {comparison.steps_after} steps after the boundary were compared."
    if not comparison.evaluations and not may_lack_evaluation:
        return "No evaluation was compared."
    if not any(row.poisoned for row in boundary):
        return (
            "Nothing shows that the restore did anything: before it, every tensor of the new process was already equal to "
            "the control's at the boundary."
        )
    return None


def why_noise_decides(noise: NoiseFloor, *, asked: bool) -> str | None:
    """Return why a run that is its control's equal at the boundary cannot be judged by what comes after it, or None.

    `asked`: whether somebody asked for the job's noise to be measured, and so for a verdict that is held against it.
    """
    if noise.batches_differ:
        return "The job draws its batches in an order that no seed decides, so which batch comes next cannot be judged."
    if not asked:
        return "At the boundary every tensor is equal; what comes after it can only be judged against the job's own noise."
    return None


def why_unjudged(late: list[str]) -> str:
    """Say that tensors that came to be in the first step may, or may not, have been restored."""
    return (
        f"{late[0]}{f' and {len(late) - 1} more' if len(late) > 1 else ''} came to be in the first step after the restore, "
        "which what is allowed made another one. Whether the restore filled them cannot be told: let the job show which keys "
        "its restore asks for (Restored), or make them before it."
    )
