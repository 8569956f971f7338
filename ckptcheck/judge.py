"""What a case's two processes left behind becomes a case with its outcome: compared, diagnosed, judged."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ckptcheck import environment, run
from ckptcheck.arrays import same
from ckptcheck.compare import Comparison, compare
from ckptcheck.diagnose import (
    first_sentence,
    missing_keys,
    of_comparison,
    of_raising,
    of_refusal,
    why_inconclusive,
    why_nothing_compared,
)
from ckptcheck.job import Kind
from ckptcheck.noise import MARGIN, Noise, measure
from ckptcheck.outcomes import DIVERGED, INCONCLUSIVE, RECOVERED, REFUSED
from ckptcheck.report import Case, Report, RestoreError
from ckptcheck.run import Run, snapshot_digest
from ckptcheck.tolerance import EXACT, Tolerance

# What may have gone wrong before a resumed run had anything to do with the checkpoint.
BEFORE_THE_RESTORE = ("build", "state")

NO_CHECKPOINT = "No checkpoint was seen: the control's save left no file in the folder it was given."


@dataclass(frozen=True)
class Evidence:
    """What is left of one job: the folder with its runs, and what kept which of them, by its folder's name, from finishing.

    `repeats` is the number of times its control was run again; `noise_asked` whether somebody asked for that.
    """

    folder: Path
    trouble: Mapping[str, str]
    repeats: int = 0
    noise_asked: bool = False


@dataclass(frozen=True)
class Question:
    """One case to be judged: a job, a restore, the boundary it is resumed from (None: not known), the outcome expected."""

    job: str
    restore: str
    expected: str
    boundary: int | None = None


def judge(asked: Question, evidence: Evidence, tolerance: Tolerance = EXACT) -> Case:
    """Judge one case."""

    def case(outcome: str, **facts: Any) -> Case:
        if "resumed" in facts and outcome != REFUSED:
            facts["not_covered"] = _not_covered(facts["control"], facts["resumed"])
        return Case(asked.job, asked.restore, asked.expected, outcome, tolerance=tolerance, boundary=asked.boundary, **facts)

    control, trouble = _read(run.control_of(evidence.folder), evidence)
    if control is None or trouble:
        return case(INCONCLUSIVE, reason=f"The control did not finish: {_sentence(trouble)}")
    boundary = control.facts.schedule.boundary if asked.boundary is None else asked.boundary
    control = control.at(boundary)
    if not any(each.is_file() for each in run.crash_image_of(evidence.folder, boundary).rglob("*")):
        return case(INCONCLUSIVE, reason=NO_CHECKPOINT, control=control)
    resumed, trouble = _read(run.resumed_of(evidence.folder, asked.restore, boundary), evidence)
    if resumed is None or trouble:
        return case(INCONCLUSIVE, reason=f"The resumed run did not finish: {_sentence(trouble)}", control=control)
    return _judged(case, control, resumed, evidence, tolerance)


def judge_pair(asked: Question, control: Run, resumed: Run, tolerance: Tolerance = EXACT) -> Case:
    """Judge two runs that somebody recorded, whatever made them; there is no crash image to look into."""

    def case(outcome: str, **facts: Any) -> Case:
        return Case(asked.job, asked.restore, asked.expected, outcome, tolerance=tolerance, **facts)

    return _judged(case, control, resumed, Evidence(control.folder.parent, {}), tolerance)


def needs_repeat(case: Case) -> bool:
    """Return whether only a repetition of the control can tell a fault of the restore from a job that varies by itself."""
    found = case.comparison
    return case.outcome == DIVERGED and case.noise is None and found is not None and found.equal_at_boundary


def _judged(case: Callable[..., Case], control: Run, resumed: Run, evidence: Evidence, tolerance: Tolerance) -> Case:
    both: dict[str, Any] = {"control": control, "resumed": resumed}
    reason = why_inconclusive(control, resumed, equal_nan=tolerance.equal_nan)
    if reason:
        return case(INCONCLUSIVE, reason=reason, **both)
    failure = resumed.facts.failure
    if failure is not None:
        return _failed(case, failure, both)
    comparison = compare(control, resumed, tolerance)
    reason = why_nothing_compared(comparison, may_lack_evaluation=control.facts.role == run.RECORDED)
    if reason:
        return case(INCONCLUSIVE, reason=reason, **both)
    framework = control.facts.framework
    both |= {"comparison": comparison, "digests": _digests(control, resumed)}
    noise, trouble = _noise(control, evidence)
    if noise is not None and not comparison.equal and comparison.equal_at_boundary:
        return _beside_noise(case, comparison, noise, evidence, both)
    return case(
        RECOVERED if comparison.equal else DIVERGED,
        diagnoses=tuple(of_comparison(comparison, framework)),
        noise=noise,
        reason=trouble,
        **both,
    )


def _noise(control: Run, evidence: Evidence) -> tuple[Noise | None, str | None]:
    """Return the noise of a job, or what kept a repetition of its control from finishing."""
    runs = []
    for repeat in range(1, evidence.repeats + 1):
        found, trouble = _read(run.control_of(evidence.folder, repeat), evidence)
        if found is None or trouble:
            return None, f"The control could not be repeated: {_sentence(trouble)}"
        apart = environment.mismatches(control.facts.environment, found.facts.environment)
        if apart:
            return None, f"The control was repeated in another environment: {'; '.join(apart)}."
        runs.append(found)
    return (measure(control, runs), None) if runs else (None, None)


def _beside_noise(
    case: Callable[..., Case], comparison: Comparison, noise: Noise, evidence: Evidence, both: dict[str, Any]
) -> Case:
    """Judge a run that is its control's equal at the boundary and not after it, where the control was run again."""
    framework = both["control"].facts.framework
    if noise.first_difference is None:
        return case(DIVERGED, diagnoses=tuple(of_comparison(comparison, framework)), noise=noise, **both)
    alone = f"The job does not reproduce itself: when its control is run again, {noise.first_difference}."
    if noise.batches_differ:
        reason = (
            f"{alone} It draws its batches in an order that no seed decides, so which batch comes next cannot be judged. "
            "Seed it, or let it depend on the step"
        )
        return case(INCONCLUSIVE, reason=f"{reason}.", noise=noise, **both)
    if not evidence.noise_asked:
        reason = (
            f"{alone} At the boundary every tensor is equal; what comes after it can only be judged against the job's own "
            "noise: --repeat N measures it"
        )
        return case(INCONCLUSIVE, reason=f"{reason}.", noise=noise, **both)
    within = comparison.within(MARGIN * noise.training_loss, MARGIN * noise.evaluation_loss, noise.final, MARGIN)
    outcome = RECOVERED if within.equal else DIVERGED
    return case(outcome, diagnoses=tuple(of_comparison(within, framework)), noise=noise, **both | {"comparison": within})


def _not_covered(control: Run, resumed: Run) -> tuple[str, ...]:
    asked = resumed.facts.asked
    if asked is None:
        return ()
    idle = {name for name, each in control.initial.items() if each.kind is Kind.RNG and _stands_still(name, control)}
    return tuple(
        name
        for name, each in control.boundary.items()
        if name not in asked and each.kind is not Kind.METRIC and name not in idle
    )


def _stands_still(name: str, control: Run) -> bool:
    """Return whether nothing was drawn from a generator."""
    return name in control.final and same(control.initial[name].value, control.final[name].value)


def report(cases: Sequence[Case]) -> Report:
    """Put cases together, with the environment that their controls share."""
    found = [case.control.facts.environment for case in cases if case.control]
    # What they do not share is left out, and stands in each `run.json`.
    shared = dict(set.intersection(*(set(each.items()) for each in found))) if found else environment.fingerprint()
    return Report(tuple(cases), dict(sorted(shared.items())))


def _failed(case: Callable[..., Case], failure: run.Failure, both: dict[str, Any]) -> Case:
    resumed: Run = both["resumed"]
    if failure.during == "restore":
        error = RestoreError(failure.type, failure.message, tuple(missing_keys(resumed)))
        return case(REFUSED, diagnoses=(of_refusal(failure, both["control"], resumed),), error=error, **both)
    if failure.during in BEFORE_THE_RESTORE and resumed.facts.first_step is None:
        return case(INCONCLUSIVE, reason=f"The resumed run did not get to its restore: {_told(failure)}.", **both)
    return case(DIVERGED, diagnoses=(of_raising(failure),), **both)


def _read(folder: Path, evidence: Evidence) -> tuple[Run | None, str | None]:
    """Read a run; say what kept it from its end, for a control including an exception of the job."""
    if folder.name in evidence.trouble:
        return None, evidence.trouble[folder.name]
    try:
        found = run.read(folder)
    except FileNotFoundError:
        return None, "its process left no record"
    failure = found.facts.failure
    if found.facts.restore is None and failure is not None:
        return None, _told(failure)
    return found, None if found.facts.finished or failure else "its process stopped before the last step"


def _sentence(text: str | None) -> str:
    return f"{(text or 'nobody knows why').rstrip('.')}."


def _told(failure: run.Failure) -> str:
    step = f", step {failure.step}," if failure.step is not None else ""
    place = f" ({failure.place})" if failure.place else ""
    return f"{failure.during}{step} raised {failure.type}: {first_sentence(failure.message).rstrip('.')}{place}"


def _digests(control: Run, resumed: Run) -> dict[str, dict[str, str]]:
    return {
        "boundary": {"control": snapshot_digest(control.boundary), "resumed": snapshot_digest(resumed.boundary)},
        "final": {"control": snapshot_digest(control.final), "resumed": snapshot_digest(resumed.final)},
    }
