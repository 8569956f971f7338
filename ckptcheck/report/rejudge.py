"""Runs that lie on disk are judged anew, without training: those of a verification, or two that somebody recorded."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from ckptcheck.diagnosis.allowances import Terms, parse
from ckptcheck.errors import UsageError, unknown
from ckptcheck.outcomes import EXPECTABLE, RECOVERED
from ckptcheck.report.evidence import Evidence, Pair
from ckptcheck.report.judge import Question, judge, judge_pair, report
from ckptcheck.report.report import Report
from ckptcheck.run.folder import FORMAT_VERSION, check_format, read
from ckptcheck.run.run import Run
from ckptcheck.run.snapshots import boundary_point
from ckptcheck.tolerance import EXACT, Tolerance

QUESTIONS = "cases.json"
RUNS = "runs"


def write_questions(top: Path, jobs: Mapping[str, Evidence], questions: Sequence[Question]) -> None:
    """Write beside the runs of a verification what was asked of them, so that it can be asked again."""
    document = {
        "format_version": FORMAT_VERSION,
        "jobs": {name: _document(evidence) for name, evidence in jobs.items()},
        "cases": [asdict(question) for question in questions],
    }
    (top / QUESTIONS).write_text(json.dumps(document, indent=1), encoding="utf-8")


def _document(evidence: Evidence) -> dict[str, Any]:
    document = {
        "folder": evidence.folder.name,
        "repeats": evidence.repeats,
        "noise_asked": evidence.noise_asked,
    }
    return document | {"trouble": dict(evidence.trouble)}


def judge_folder(
    folder: Path | str,
    restore: Sequence[str] = (),
    *,
    expect: str | None = None,
    tolerance: Tolerance = EXACT,
    allow: Sequence[str] = (),
) -> Report:
    """Judge the runs that a verification left, as if it had been asked otherwise.

    Args:
        folder: the output folder of `ckptcheck verify`, or the folder given to `verify(folder=…)`.
        restore: the restores to judge; default: all.
        expect: the outcome to expect of them; default: what was expected when they were run.
        tolerance: how far apart equal values may be.
        allow: differences that are expected: causes of the catalogue, or patterns of tensor names.

    Raises:
        UsageError: the folder holds no runs, or not of that restore; or what is to be allowed is no cause.
        NotVerifiedError: the runs were recorded by a version that writes another format.
    """
    terms = _terms(expect, tolerance, allow)
    top = Path(folder)
    top = top / RUNS if (top / RUNS / QUESTIONS).is_file() else top
    try:
        document = json.loads((top / QUESTIONS).read_text(encoding="utf-8"))
        check_format(document["format_version"])
        jobs = {
            name: Evidence(
                top / facts["folder"], facts["trouble"], facts["repeats"], facts["noise_asked"]
            )
            for name, facts in document["jobs"].items()
        }
        questions = [Question(**facts) for facts in document["cases"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"{folder} holds no runs of a verification ({type(error).__name__}: {error}). Name the folder that "
            "`ckptcheck verify --out` wrote."
        ) from error
    known = {question.restore for question in questions}
    for name in restore:
        if name not in known:
            raise unknown("restore among these runs", name, known)
    wanted = [question for question in questions if not restore or question.restore in restore]
    wanted = [replace(question, expected=expect or question.expected) for question in wanted]
    return report([judge(question, jobs[question.job], terms) for question in wanted])


def _terms(expect: str | None, tolerance: Tolerance, allow: Sequence[str]) -> Terms:
    if expect is not None and expect not in EXPECTABLE:
        raise unknown("outcome to expect", expect, EXPECTABLE)
    return Terms(tolerance, parse(allow))


def compare_runs(
    control: Path | str,
    resumed: Path | str,
    *,
    expect: str = RECOVERED,
    tolerance: Tolerance = EXACT,
    allow: Sequence[str] = (),
) -> Report:
    """Compare two recorded runs: one that was never interrupted, and one that was restored from its checkpoint.

    Args:
        control, resumed: folders that `ckptcheck.record` wrote, or a verification.
        expect: the outcome to expect.
        tolerance: how far apart equal values may be.
        allow: differences that are expected: causes of the catalogue, or patterns of tensor names.

    Raises:
        UsageError: a folder holds no run, or the control recorded no state at the step that the resumed run begins with.
        NotVerifiedError: a run was recorded by a version that writes another format.
    """
    terms = _terms(expect, tolerance, allow)
    whole, come_back = (_read(Path(each)) for each in (control, resumed))
    if not come_back.steps:
        raise UsageError(
            f"The run in {resumed} recorded no step after its restore: there is nothing to compare."
        )
    boundary = come_back.facts.schedule.boundary
    if boundary_point(boundary) not in whole.snapshots:
        raise UsageError(
            f"The resumed run begins after {boundary} steps, but the control in {control} recorded its state after "
            f"{_listed(whole.facts.schedule.boundaries)}. Record it where the checkpoint is saved."
        )
    _check_lengths(whole, come_back, boundary)
    question = Question(come_back.facts.job, come_back.facts.restore or Path(resumed).name, expect)
    return report([judge_pair(question, Pair(whole.at(boundary), come_back), terms)])


def _check_lengths(control: Run, resumed: Run, boundary: int) -> None:
    ours, theirs = (
        len([step for step in control.steps if step.number >= boundary]),
        len(resumed.steps),
    )
    if not ours:
        raise UsageError(
            f"The control in {control.folder} ends after {boundary} steps, where the resumed run begins. Let it go on."
        )
    if theirs > ours:
        raise UsageError(
            f"The resumed run in {resumed.folder} made {theirs} steps, the control {ours} from there on. Let both end at the "
            "same step, so that their final states can be compared."
        )


def _listed(boundaries: Sequence[int]) -> str:
    return ", ".join(map(str, boundaries)) + " steps" if boundaries else "no step at all"


def _read(folder: Path) -> Run:
    try:
        run = read(folder)
    except (OSError, ValueError, KeyError, TypeError) as error:
        what = (
            "it has no run.json, which is written when a run ends"
            if isinstance(error, OSError)
            else str(error)
        )
        raise UsageError(f"{folder} holds no recorded run: {what}.") from error
    if not run.facts.finished:
        failure = run.facts.failure
        why = f"{failure.type}: {failure.message}" if failure else "it stopped before its end"
        raise UsageError(
            f"The run in {folder} did not finish ({why}): there is nothing to compare."
        )
    if run.facts.role == "unsaved":
        raise UsageError(
            f"The run in {folder} is a control that ended after its last boundary: there is nothing to compare."
        )
    return run
