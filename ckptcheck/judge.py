"""What a case's two processes left behind becomes a case with its outcome: compared, diagnosed, judged."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ckptcheck import environment, run
from ckptcheck.compare import compare
from ckptcheck.diagnose import (
    first_sentence,
    missing_keys,
    of_comparison,
    of_raising,
    of_refusal,
    why_inconclusive,
    why_nothing_compared,
)
from ckptcheck.outcomes import DIVERGED, INCONCLUSIVE, RECOVERED, REFUSED
from ckptcheck.report import Case, Report, RestoreError
from ckptcheck.run import Run, snapshot_digest

# What may have gone wrong before a resumed run had anything to do with the checkpoint.
BEFORE_THE_RESTORE = ("build", "state")

NO_CHECKPOINT = "No checkpoint was seen: the control's save left no file in the folder it was given."


@dataclass(frozen=True)
class Evidence:
    """What is left of one job: the folder with its runs, and what kept which of them from finishing (None: the control)."""

    folder: Path
    trouble: Mapping[str | None, str]


def judge(job: str, restore: str, expected: str, evidence: Evidence, *, equal_nan: bool = False) -> Case:
    """Judge one case."""

    def case(outcome: str, **facts: Any) -> Case:
        if "resumed" in facts and outcome != REFUSED:
            facts["not_covered"] = _not_covered(facts["control"], facts["resumed"])
        return Case(job, restore, expected, outcome, **facts)

    control, trouble = _read(evidence, None)
    if control is None or trouble:
        return case(INCONCLUSIVE, reason=f"The control did not finish: {_sentence(trouble)}")
    if not any(each.is_file() for each in run.crash_image_of(evidence.folder).rglob("*")):
        return case(INCONCLUSIVE, reason=NO_CHECKPOINT, control=control)
    resumed, trouble = _read(evidence, restore)
    if resumed is None or trouble:
        return case(INCONCLUSIVE, reason=f"The resumed run did not finish: {_sentence(trouble)}", control=control)
    both: dict[str, Any] = {"control": control, "resumed": resumed}
    reason = why_inconclusive(control, resumed, equal_nan=equal_nan)
    if reason:
        return case(INCONCLUSIVE, reason=reason, **both)
    failure = resumed.facts.failure
    if failure is not None:
        return _failed(case, failure, both)
    comparison = compare(control, resumed, equal_nan=equal_nan)
    reason = why_nothing_compared(comparison)
    if reason:
        return case(INCONCLUSIVE, reason=reason, **both)
    return case(
        RECOVERED if comparison.exact else DIVERGED,
        diagnoses=tuple(of_comparison(comparison)),
        comparison=comparison,
        digests=_digests(control, resumed),
        **both,
    )


def _not_covered(control: Run, resumed: Run) -> tuple[str, ...]:
    asked = resumed.facts.asked
    return () if asked is None else tuple(name for name in control.boundary if name not in asked)


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


def _read(evidence: Evidence, restore: str | None) -> tuple[Run | None, str | None]:
    """Read a run; say what kept it from its end, for a control including an exception of the job."""
    if restore in evidence.trouble:
        return None, evidence.trouble[restore]
    try:
        found = run.read(run.folder_of(evidence.folder, restore))
    except FileNotFoundError:
        return None, "its process left no record"
    failure = found.facts.failure
    if restore is None and failure is not None:
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
