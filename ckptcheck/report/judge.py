"""What a case's two processes left behind becomes a case with its outcome: compared, diagnosed, judged."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from ckptcheck.arrays import same
from ckptcheck.comparison.compare import Comparison, compare
from ckptcheck.comparison.noise_floor import Noise, measure, within, without_saves, without_seeds
from ckptcheck.diagnosis import experiments as trials
from ckptcheck.diagnosis.allowances import of_pattern, reach
from ckptcheck.diagnosis.catalogue import Reach
from ckptcheck.diagnosis.cause import Diagnosis, diagnosis
from ckptcheck.diagnosis.diagnose import (
    beyond,
    first_sentence,
    is_of_restore,
    missing_keys,
    of_comparison,
    of_raising,
    of_refusal,
    on,
    unjudged,
    why_inconclusive,
    why_nothing_compared,
)
from ckptcheck.diagnosis.terms import STRICT, Terms
from ckptcheck.kinds import Kind
from ckptcheck.outcomes import DIVERGED, INCONCLUSIVE, RECOVERED, REFUSED
from ckptcheck.report.report import Case, Report, RestoreError
from ckptcheck.run import environment, run
from ckptcheck.run.digests import snapshot_digest
from ckptcheck.run.run import Run
from ckptcheck.tolerance import Tolerance

# What may have gone wrong before a resumed run had anything to do with the checkpoint.
BEFORE_THE_RESTORE = ("build", "state")

NO_CHECKPOINT = "No checkpoint was seen: the control's save left no file in the folder it was given."


@dataclass(frozen=True)
class Evidence:
    """What is left of one job: the folder with its runs, and what kept which of them, by its folder's name, from finishing.

    Without a folder there are only the two runs at hand.
    `repeats` is the number of times its control was run again; `noise_asked` whether somebody asked for that.
    """

    folder: Path | None
    trouble: Mapping[str, str]
    repeats: int = 0
    noise_asked: bool = False
    # Runs that several cases look at, by folder and boundary: what they hold is read once.
    _read: dict[tuple[str, int | None], tuple[Run | None, str | None]] = field(default_factory=dict, repr=False, compare=False)

    def run(self, folder: Path, boundary: int | None = None) -> tuple[Run | None, str | None]:
        """Return a run, and what kept it from its end; a control as a run sees it that is resumed from a boundary."""
        key = folder.name, boundary
        if key not in self._read:
            found, trouble = _read(folder, self)
            self._read[key] = (found if found is None or boundary is None else found.at(boundary)), trouble
        return self._read[key]

    @cached_property
    def parted_without_saves(self) -> str | None:
        """Where the control parts from one that never saves; None: nowhere, or there is none."""
        if self.folder is None:
            return None
        control, _ = self.run(run.control_of(self.folder))
        unsaved, trouble = self.run(run.unsaved_of(self.folder))
        return None if control is None or unsaved is None or trouble else without_saves(control, unsaved)


@dataclass(frozen=True)
class Question:
    """One case to be judged: a job, a restore, the boundary it is resumed from (None: not known), the outcome expected."""

    job: str
    restore: str
    expected: str
    boundary: int | None = None


def judge(asked: Question, evidence: Evidence, terms: Terms = STRICT) -> Case:
    """Judge one case."""

    def case(outcome: str, **facts: Any) -> Case:
        if "resumed" in facts and outcome != REFUSED:
            facts["not_covered"] = _not_covered(facts["control"], facts["resumed"])
        tolerance, boundary = terms.tolerance, asked.boundary
        return Case(asked.job, asked.restore, asked.expected, outcome, tolerance=tolerance, boundary=boundary, **facts)

    assert evidence.folder is not None
    control, trouble = evidence.run(run.control_of(evidence.folder))
    if control is None or trouble:
        return case(INCONCLUSIVE, reason=f"The control did not finish: {_sentence(trouble)}")
    boundary = control.facts.schedule.boundary if asked.boundary is None else asked.boundary
    control, _ = evidence.run(run.control_of(evidence.folder), boundary)
    assert control is not None
    if not any(each.is_file() for each in run.crash_image_of(evidence.folder, boundary).rglob("*")):
        return case(INCONCLUSIVE, reason=NO_CHECKPOINT, control=control)
    resumed, trouble = _read(run.resumed_of(evidence.folder, asked.restore, boundary), evidence)
    if resumed is None or trouble:
        return case(INCONCLUSIVE, reason=f"The resumed run did not finish: {_sentence(trouble)}", control=control)
    return _judged(case, control, resumed, evidence, terms)


def judge_pair(asked: Question, control: Run, resumed: Run, terms: Terms = STRICT) -> Case:
    """Judge two runs that somebody recorded, whatever made them; there is no crash image to look into."""

    def case(outcome: str, **facts: Any) -> Case:
        return Case(asked.job, asked.restore, asked.expected, outcome, tolerance=terms.tolerance, **facts)

    return _judged(case, control, resumed, Evidence(None, {}), terms)


def needs_repeat(case: Case) -> bool:
    """Return whether only a repetition of the control can tell a fault from a job that varies by itself."""
    if case.noise is not None:
        return False
    found = case.comparison
    return bool(case.parted_without_saves) or (case.outcome == DIVERGED and found is not None and found.equal_at_boundary)


def is_clear(case: Case) -> bool:
    """Return whether nothing more could be run that says more of a case."""
    return not needs_repeat(case) and not trials.needed(case)


def _judged(case: Callable[..., Case], control: Run, resumed: Run, evidence: Evidence, terms: Terms) -> Case:
    tolerance = terms.tolerance
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
    both |= {"digests": _digests(control, resumed)}
    noise, trouble = _noise(control, evidence)
    both |= {"noise": noise, "reason": trouble}
    saving, both["parted_without_saves"] = _saving(control, evidence, noise)
    if noise is not None and not comparison.equal and comparison.equal_at_boundary:
        return _beside_noise(case, comparison, noise, evidence, both, terms)
    if noise is not None and noise.first_difference is not None and not comparison.equal:
        # What was lost at the boundary is no noise; what no seed decides is not lost.
        return _verdict(case, without_seeds(comparison, noise), both, terms, [*saving, _varies(control, noise)], evidence)
    return _verdict(case, comparison, both, terms, saving, evidence)


def _verdict(
    case: Callable[..., Case],
    comparison: Comparison,
    both: dict[str, Any],
    terms: Terms,
    of_control: Sequence[Diagnosis],
    evidence: Evidence,
) -> Case:
    """Diagnose a comparison, leave out what is allowed, and say what is left."""
    control, resumed = both["control"], both["resumed"]
    boundary = comparison.at("boundary")
    matches = terms.allowed.matches(boundary["name"][~boundary["equal"].astype(bool)])
    masked = comparison.allowing({name for names in matches.values() for name in names})
    by_name = [of_pattern(pattern, names) for pattern, names in matches.items() if names]
    found = of_comparison(masked, control.facts.framework, explained=Reach.LATER in reach(by_name, masked))
    tried = _tried(control, resumed, evidence, terms.tolerance)
    found = [on(control.facts.framework, each) for each in trials.explained(found, masked, tried)]
    allowed, others = terms.allowed.part(found)
    # Where a trial shows that the run recovers with what is allowed made good, only what is the control's own is left.
    settled = trials.settles(allowed, tried)
    others = [each for each in others if not (settled and is_of_restore(each))]
    allowed = [*by_name, *allowed]
    if allowed and not settled and not any(map(is_of_restore, others)):
        others = [*beyond(masked, allowed), *others]
    covered = bool(allowed) and not any(map(is_of_restore, others))
    if covered and (late := unjudged(masked)):
        both = both | {"reason": _late(late), "comparison": comparison}
        return case(INCONCLUSIVE, allowed=tuple(allowed), **both)
    recovered = masked.equal or covered
    met = {each.cause for each in allowed}
    return case(
        RECOVERED if recovered else DIVERGED,
        diagnoses=(*others, *of_control),
        allowed=tuple(allowed),
        not_needed=tuple(each for each in (*terms.allowed.causes, *terms.allowed.patterns) if each not in met),
        comparison=comparison,
        **both,
    )


def _late(names: Sequence[str]) -> str:
    return (
        f"{names[0]}{f' and {len(names) - 1} more' if len(names) > 1 else ''} came to be in the first step after the restore, "
        "which what is allowed made another one. Whether the restore filled them cannot be told: let the job show which keys "
        "its restore asks for (Restored), or make them before it."
    )


def _tried(control: Run, resumed: Run, evidence: Evidence, tolerance: Tolerance) -> dict[str, Comparison]:
    """Return what the trials of a restore show, by their names."""
    facts, found = resumed.facts, {}
    if evidence.folder is None or facts.restore is None:
        return {}
    for name in (run.SAME_HASH, run.REMEMBERED):
        again, _ = _read(run.resumed_of(evidence.folder, facts.restore, facts.schedule.boundary, trial=name), evidence)
        if again is not None and again.facts.failure is None:
            found[name] = compare(control, again, tolerance)
    return found


def _saving(control: Run, evidence: Evidence, noise: Noise | None) -> tuple[list[Diagnosis], str | None]:
    """Say whether saving changes the run, by a control that never saves; or where the two part, if that may be noise."""
    first = evidence.parted_without_saves
    if first is None or noise is None or noise.first_difference is not None:
        return [], first
    return [on(control.facts.framework, diagnosis("saving-changes-the-run", first=first))], None


def _noise(control: Run, evidence: Evidence) -> tuple[Noise | None, str | None]:
    """Return the noise of a job, or what kept a repetition of its control from finishing."""
    runs: list[Run] = []
    if evidence.folder is None:
        return None, None
    for repeat in range(1, evidence.repeats + 1):
        found, trouble = evidence.run(run.control_of(evidence.folder, repeat))
        if found is None or trouble:
            return None, f"The control could not be repeated: {_sentence(trouble)}"
        apart = environment.mismatches(control.facts.environment, found.facts.environment)
        if apart:
            return None, f"The control was repeated in another environment: {'; '.join(apart)}."
        runs.append(found)
    return (measure(control, runs), None) if runs else (None, None)


def _beside_noise(
    case: Callable[..., Case],
    comparison: Comparison,
    noise: Noise,
    evidence: Evidence,
    both: dict[str, Any],
    terms: Terms,
) -> Case:
    """Judge a run that is its control's equal at the boundary and not after it, where the control was run again."""
    if noise.first_difference is None:
        saving, parted = _saving(both["control"], evidence, noise)
        return _verdict(case, comparison, both | {"parted_without_saves": parted}, terms, saving, evidence)
    varies = _varies(both["control"], noise)
    if noise.batches_differ or not evidence.noise_asked:
        reason = (
            "The job draws its batches in an order that no seed decides, so which batch comes next cannot be judged."
            if noise.batches_differ
            else "At the boundary every tensor is equal; what comes after it can only be judged against the job's own noise."
        )
        both = both | {"reason": reason, "comparison": comparison}
        return case(INCONCLUSIVE, diagnoses=(varies,), **both)
    return _verdict(case, within(comparison, noise), both, terms, [], evidence)


def _varies(control: Run, noise: Noise) -> Diagnosis:
    return on(control.facts.framework, diagnosis("noise", first=noise.first_difference))


# What no restore need fill: what an epoch reports of itself, and what a program sets or remembers.
_SET_BY_THE_PROGRAM = (Kind.METRIC, Kind.HYPERPARAMETER, Kind.PYTHON)


def _not_covered(control: Run, resumed: Run) -> tuple[str, ...]:
    asked = resumed.facts.asked
    if asked is None:
        return ()
    idle = {name for name, each in control.initial.items() if each.kind is Kind.RNG and _stands_still(name, control)}
    return tuple(
        name
        for name, each in control.boundary.items()
        if name not in asked and each.kind not in _SET_BY_THE_PROGRAM and name not in idle
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
