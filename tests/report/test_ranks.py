"""Cases of processes that train together: who lost state, and who only follows its gradients."""

from dataclasses import asdict, replace
from pathlib import Path

import pytest

from ckptcheck import Case
from ckptcheck.diagnosis.allowances import STRICT, Terms, parse
from ckptcheck.report.answer import answer, verdict_line
from ckptcheck.report.evidence import Evidence, Missing, Pair, gather
from ckptcheck.report.judge import Question
from ckptcheck.report.ranks import follows, judge_all
from ckptcheck.report.rejudge import judge_folder, write_questions
from ckptcheck.run.folder import control_of, crash_image_of, of_rank, resumed_of
from ckptcheck.run.run import Failure, Run
from tests.builder import BOUNDARY, changed
from tests.report.outputs.cases import CONTROL, HIDDEN, RESUMED, SLOTS_LOST, case
from tests.report.test_evidence import record


def judged(top: Path, *runs: Run, terms: Terms = STRICT) -> list[Case]:
    """Judge runs, each resumed by one rank of a job."""
    job = top / "job"
    for rank, run in enumerate(runs):
        record(of_rank(control_of(job), rank), CONTROL)
        record(of_rank(resumed_of(job, "restart", BOUNDARY), rank), run)
    crash_image_of(job, BOUNDARY).mkdir()
    (crash_image_of(job, BOUNDARY) / "model.ckpt").write_bytes(b"model")
    questions = [Question("job", "restart", "recovered", rank=rank) for rank in range(len(runs))]
    evidence = {"job": Evidence(job, {})}
    write_questions(top, evidence, questions)
    return judge_all(questions, evidence, terms)


def test_every_rank_recovers(tmp_path: Path) -> None:
    cases = judged(tmp_path, RESUMED, RESUMED)
    assert [(each.label, each.outcome) for each in cases] == [
        ("restart (rank 0)", "recovered"),
        ("restart (rank 1)", "recovered"),
    ]
    assert answer(cases) == (
        "job recovers with `restart` on every rank: it continues bit for bit as if never "
        "interrupted."
    )
    assert verdict_line(cases) == "PASS: 2 of 2 cases recovered."


def test_a_rank_that_follows_another_is_not_accused(tmp_path: Path) -> None:
    cases = judged(tmp_path, HIDDEN, SLOTS_LOST)
    assert [each.outcome for each in cases] == ["diverged", "diverged"]
    assert [follows(each) for each in cases] == [True, False]
    assert cases[0].reason == (
        "Rank 0 differs only after its first loss: the ranks share their gradients, and rank 1 "
        "lost state. Fix rank 1 first."
    )
    assert answer(cases) == (
        "job does not recover with `restart`: it loses the optimizer state on rank 1."
    )
    again = judge_folder(tmp_path).cases
    assert [asdict(each)["reason"] for each in again] == [each.reason for each in cases]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        # No other rank lost anything.
        (HIDDEN, RESUMED),
        (HIDDEN, HIDDEN),
        # It differs in its first loss, on which no gradient has acted yet.
        (changed(RESUMED, losses={BOUNDARY: 0.5}), SLOTS_LOST),
    ],
)
def test_what_no_other_rank_explains_stays_unexplained(
    tmp_path: Path, first: Run, second: Run
) -> None:
    cases = judged(tmp_path, first, second)
    assert [each.cause for each in cases[0].diagnoses] == ["unexplained"]
    assert not follows(cases[0])


def test_a_rank_follows_one_whose_loss_is_accepted(tmp_path: Path) -> None:
    terms = Terms(allowed=parse(["slots-lost"]))
    cases = judged(tmp_path, HIDDEN, SLOTS_LOST, terms=terms)
    assert [each.told_outcome for each in cases] == ["recovered, as allowed"] * 2
    assert verdict_line(cases) == "PASS: 2 of 2 cases recovered, apart from accepted differences."


def test_a_rank_raises_because_another_one_has_ended(tmp_path: Path) -> None:
    key = Failure("train", "RuntimeError", "Missing key(s)")
    closed = Failure("train", "RuntimeError", "Connection closed by peer")
    # Runs are recorded one after the other, and end then.
    lost, later = (changed(RESUMED, failure=each, started=1.0) for each in (key, closed))
    cases = judged(tmp_path / "a", lost, later)
    assert [each.outcome for each in cases] == ["diverged", "diverged"]
    assert [each.cause for each in cases[0].diagnoses] == ["resumed-run-raised"]
    assert cases[1].reason == "Rank 1 raised an exception only after rank 0 did. Fix rank 0 first."
    assert follows(cases[1])
    # The same exception on every rank has the same cause.
    for each in judged(tmp_path / "b", lost, changed(later, failure=key)):
        assert [found.cause for found in each.diagnoses] == ["resumed-run-raised"]


def test_a_rank_that_recorded_nothing_is_unknown(tmp_path: Path) -> None:
    judged(tmp_path, RESUMED)
    evidence = Evidence(tmp_path / "job", {"resumed-restart@5/rank-1": "it was killed"})
    assert isinstance(gather(evidence.of_rank(0), "restart", None), Pair)
    assert gather(evidence.of_rank(1), "restart", None) == Missing(
        "The control did not finish: its process recorded nothing."
    )
    record(of_rank(control_of(tmp_path / "job"), 1), CONTROL)
    evidence = Evidence(evidence.folder, evidence.trouble)
    found = gather(evidence.of_rank(1), "restart", None)
    assert isinstance(found, Missing)
    assert found.reason == "The resumed run did not finish: it was killed."


def test_ranks_and_boundaries_in_prose() -> None:
    """A job recovers from a boundary if every rank does."""
    cases = [
        replace(case(run, "train.py", "restart"), boundary=boundary, rank=rank)
        for boundary in (5, 10)
        for rank in (0, 1)
        for run in [SLOTS_LOST if (boundary, rank) == (10, 1) else RESUMED]
    ]
    assert answer(cases) == (
        "train.py recovers with `restart` from step 5, but not from 10: it loses the optimizer "
        "state on rank 1."
    )
    unknown = [
        replace(each, outcome="inconclusive", reason="It is unclear.") if each.rank else each
        for each in cases[:2]
    ]
    assert answer(unknown) == (
        "Whether train.py recovers with `restart` on rank 1 is unknown. It is unclear."
    )
