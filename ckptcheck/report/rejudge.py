"""Judge runs on disk without training: those of a verification, or two recorded runs."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from ckptcheck.diagnosis.allowances import Terms, parse
from ckptcheck.errors import UsageError, unknown
from ckptcheck.outcomes import EXPECTABLE, RECOVERED
from ckptcheck.report.evidence import Evidence, Pair
from ckptcheck.report.judge import Question, judge_pair, report
from ckptcheck.report.ranks import judge_all
from ckptcheck.report.report import Report
from ckptcheck.run.folder import FORMAT_VERSION, check_format, read
from ckptcheck.run.run import Run
from ckptcheck.run.snapshots import boundary_point
from ckptcheck.tolerance import EXACT, Tolerance

QUESTIONS = "cases.json"
RUNS = "runs"


def write_questions(top: Path, jobs: Mapping[str, Evidence], questions: Sequence[Question]) -> None:
    """Write the cases of a verification beside its runs, so that they can be judged again."""
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
        "reason": evidence.reason,
        "not_twice": evidence.not_twice,
    }
    return document | {"trouble": dict(evidence.trouble)}


def judge_folder(
    folder: Path | str,
    restore: Sequence[str] = (),
    *,
    expect: str | None = None,
    tolerance: Tolerance = EXACT,
    allow: Sequence[str] | Mapping[str, str] = (),
) -> Report:
    """Judge the runs of a verification again, on other terms.

    Args:
        folder: the output folder of `ckptcheck verify`, or the folder given to `verify(folder=…)`.
        restore: the restores to judge; default: all.
        expect: the expected outcome; default: the one expected when the cases were run.
        tolerance: how far equal values may differ.
        allow: differences to accept: causes of the catalogue, or patterns of tensor names; or a
            mapping of these to reasons, which the report shows.

    Raises:
        UsageError: the folder holds no runs, no such restore, or `allow` names an unknown cause.
        NotVerifiedError: the runs have the format of a different version.
    """
    terms = _terms(expect, tolerance, allow)
    top = Path(folder)
    top = top / RUNS if (top / RUNS / QUESTIONS).is_file() else top
    try:
        document = json.loads((top / QUESTIONS).read_text(encoding="utf-8"))
        check_format(document["format_version"])
        jobs = {
            name: Evidence(
                top / facts["folder"],
                facts["trouble"],
                facts["repeats"],
                facts["noise_asked"],
                facts.get("reason"),
                facts.get("not_twice"),
            )
            for name, facts in document["jobs"].items()
        }
        questions = [Question(**facts) for facts in document["cases"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"{folder} holds no runs of a verification, or {QUESTIONS} there is damaged. Give the "
            "folder that `ckptcheck verify --out` wrote."
        ) from error
    known = {question.restore for question in questions}
    for name in restore:
        if name not in known:
            raise unknown("restore among these runs", name, known)
    wanted = [question for question in questions if not restore or question.restore in restore]
    if expect not in (None, RECOVERED):  # a second resume of what fails shows nothing of its own
        wanted = [question for question in wanted if not question.after]
    wanted = [replace(question, expected=expect or question.expected) for question in wanted]
    return report(judge_all(wanted, jobs, terms))


def _terms(
    expect: str | None, tolerance: Tolerance, allow: Sequence[str] | Mapping[str, str]
) -> Terms:
    if expect is not None and expect not in EXPECTABLE:
        raise unknown("outcome to expect", expect, EXPECTABLE)
    return Terms(tolerance, parse(allow))


def compare_runs(
    control: Path | str,
    resumed: Path | str,
    *,
    expect: str = RECOVERED,
    tolerance: Tolerance = EXACT,
    allow: Sequence[str] | Mapping[str, str] = (),
) -> Report:
    """Compare two recorded runs: one never interrupted, and one restored from its checkpoint.

    Args:
        control, resumed: folders that `ckptcheck.record` wrote, or a verification.
        expect: the expected outcome.
        tolerance: how far equal values may differ.
        allow: differences to accept: causes of the catalogue, or patterns of tensor names; or a
            mapping of these to reasons, which the report shows.

    Raises:
        UsageError: a folder holds no run, or the control recorded no state where the resumed run
            begins.
        NotVerifiedError: a run has the format of a different version.
    """
    terms = _terms(expect, tolerance, allow)
    whole, restored = (_read(Path(each)) for each in (control, resumed))
    if not restored.steps:
        raise UsageError(
            f"The resumed run in {resumed} recorded no step after its restore. Let it train on."
        )
    boundary = restored.facts.schedule.boundary
    if boundary_point(boundary) not in whole.snapshots:
        raise UsageError(
            f"The resumed run begins after {boundary} steps, but the control in {control} recorded "
            f"its state after {_listed(whole.facts.schedule.boundaries)}. Record the control's "
            "state where it saves the checkpoint."
        )
    _check_lengths(whole, restored, boundary)
    question = Question(restored.facts.job, restored.facts.restore or Path(resumed).name, expect)
    return report([judge_pair(question, Pair(whole.at(boundary), restored), terms)])


def _check_lengths(control: Run, resumed: Run, boundary: int) -> None:
    ours, theirs = (
        len([step for step in control.steps if step.number >= boundary]),
        len(resumed.steps),
    )
    if not ours:
        raise UsageError(
            f"The control in {control.folder} ends after {boundary} steps, where the resumed run "
            "begins. Let the control train on."
        )
    if theirs > ours:
        raise UsageError(
            f"The resumed run in {resumed.folder} made {theirs} steps, the control only {ours} "
            "after the boundary. Let both end at the same step: their final states are compared."
        )


def _listed(boundaries: Sequence[int]) -> str:
    return ", ".join(map(str, boundaries)) + " steps" if boundaries else "no step at all"


def _read(folder: Path) -> Run:
    if not folder.is_dir():
        raise UsageError(
            f"There is no folder {folder}. Let the script record the run into it with "
            "ckptcheck.record."
        )
    try:
        run = read(folder)
    except (OSError, ValueError, KeyError, TypeError) as error:
        what = (
            "run.json is missing, which is written when a run ends"
            if isinstance(error, OSError)
            else str(error)
        )
        raise UsageError(f"{folder} holds no recorded run: {what}.") from error
    if not run.facts.finished:
        failure = run.facts.failure
        why = f"{failure.type}: {failure.message}" if failure else "it stopped before its end"
        raise UsageError(f"The run in {folder} did not finish ({why}). Record a whole run.")
    if run.facts.role == "unsaved":
        raise UsageError(
            f"The run in {folder} is a control without saves, which ends at the last boundary. "
            "Give the folder of the control itself."
        )
    return run
