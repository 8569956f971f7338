"""The sentences that every output shares."""

import math
from dataclasses import replace

import numpy as np
import pytest

from ckptcheck.comparison.compare import compare
from ckptcheck.comparison.equality import Equality
from ckptcheck.diagnosis.allowances import Terms, parse
from ckptcheck.diagnosis.cause import Diagnosis
from ckptcheck.kinds import Kind
from ckptcheck.report.case import Case
from ckptcheck.report.evidence import Pair
from ckptcheck.report.judge import Question, judge_pair
from ckptcheck.report.sentences import (
    apart,
    by_remedy,
    heading,
    headline,
    how_to_accept,
    listed,
    measured,
    numbers,
    of_objects,
    short_names,
    some,
    story,
    where_saved,
    why_accept_more,
)
from ckptcheck.run.run import Run
from ckptcheck.tolerance import Tolerance
from tests.builder import changed, control, resumed

CONTROL = control()
RESUMED = resumed(CONTROL)
ZEROS = np.zeros((2, 3), np.float32)
LOST = changed(RESUMED, boundary={"mean": ZEROS}, evaluations={5: 0.5})
SILENT = changed(RESUMED, evaluations=dict.fromkeys((5, 6, 8)))
BARE = Case(
    "job",
    "all",
    "recovered",
    "inconclusive",
    reason="The control did not finish: the reason is unknown.",
)


def case(run: Run, *allowed: str) -> Case:
    return judge_pair(
        Question("job", "all", "recovered"), Pair(CONTROL, run), Terms(allowed=parse(allowed))
    )


def test_headline() -> None:
    assert headline(case(RESUMED)) == "job × all: recovered"
    assert headline(case(LOST)) == "job × all: diverged, expected recovered"
    assert headline(case(LOST, "moving-statistics-lost")) == "job × all: recovered, as allowed"
    assert (
        headline(replace(BARE, job="a\nb\x1b", boundary=3))
        == "a b� × all @ 3: inconclusive, expected recovered"
    )


def test_heading() -> None:
    assert heading(Diagnosis("slots-lost", None, "", "")) == "slots-lost"
    assert (
        heading(Diagnosis("slots-lost", "omitted at save", "", ""))
        == "slots-lost (omitted at save)"
    )


def test_story_of_a_case_that_diverged() -> None:
    assert story(case(LOST)) == (
        "job × all: diverged, expected recovered\n"
        "  At the boundary, 5 of 6 tensors are bit-equal and the evaluation loss is 0.5 "
        "(control 0.2). After it, 3 of 3 training losses are bit-equal.\n"
        "  moving-statistics-lost (breaks training; overwritten after load): 1 of 1 moving mean "
        "or variance has its initial value. Evaluation normalises with them, so it is wrong from "
        "the restart on. The training loss does not show it, because training normalises with "
        "the batch.\n"
        "    Tensors: mean\n"
        "  Remedy: Assign nothing to the lost tensors after the restore. Run every initialiser "
        "before it: initialise(), then restore(path).\n"
        "  To accept: --allow moving-statistics-lost"
    )


def test_story_of_a_case_that_recovered_as_allowed() -> None:
    lines = story(case(LOST, "moving-statistics-lost")).splitlines()
    assert lines[0] == "job × all: recovered, as allowed"
    assert lines[1].startswith(
        "  Accepted: moving-statistics-lost: 1 of 1 moving mean or variance has its initial"
    )
    assert len(lines) == 3


def test_story_without_a_comparison() -> None:
    assert story(BARE) == (
        "job × all: inconclusive, expected recovered\n"
        "  The control did not finish: the reason is unknown."
    )


def test_story_of_a_diagnosis_without_tensors() -> None:
    raised = replace(
        BARE, reason=None, diagnoses=(Diagnosis("restore-raised", None, "It raised.", "Fix it."),)
    )
    assert story(raised).splitlines()[1:] == ["  restore-raised: It raised.", "  Remedy: Fix it."]


@pytest.mark.parametrize(
    ("names", "listed"),
    [
        ("", ""),
        ("a", "a"),
        ("abcd", "a, b, c, d"),
        ("abcde", "a, b, c, d and 1 more"),
        ("abcdefg", "a, b, c, d and 3 more"),
    ],
)
def test_some(names: str, listed: str) -> None:
    assert some(list(names)) == listed


def test_some_of_a_given_number() -> None:
    assert some(["a", "b", "c"], most=1) == "a and 2 more"


def test_where_a_job_was_saved() -> None:
    assert where_saved(CONTROL) == "saved after step 5 of 8"
    several = replace(CONTROL.facts.schedule, boundaries=(3, 5))
    assert where_saved(changed(CONTROL, schedule=several)) == "saved after steps 3 and 5 of 8"
    left = changed(CONTROL, left="values", unseen=["batches"])
    assert where_saved(left) == "saved before step 5 of the metric"
    assert where_saved(changed(left, unseen=["batches", "losses"])) == ""


def test_what_was_measured_of_a_command() -> None:
    """Its first evaluation may come after the boundary, and its losses may not be seen."""
    later = [
        changed(each, evaluations={5: None}, unseen=["batches"]) for each in (CONTROL, RESUMED)
    ]
    assert measured(compare(later[0], later[1])) == (
        "At the boundary, 6 of 6 tensors are bit-equal. After it, 3 of 3 training losses are "
        "bit-equal, and the evaluation loss after 6 steps is 0.166667 (control 0.166667)."
    )
    unseen = [changed(each, unseen=["losses"]) for each in later]
    assert measured(compare(unseen[0], unseen[1])).startswith(
        "At the boundary, 6 of 6 tensors are bit-equal. After it, 3 training steps follow, whose "
        "losses were not seen, and the evaluation loss after 6 steps is"
    )


def test_what_was_measured() -> None:
    assert measured(compare(CONTROL, RESUMED)) == (
        "At the boundary, 6 of 6 tensors are bit-equal and the evaluation loss is 0.2 "
        "(control 0.2). After it, 3 of 3 training losses are bit-equal."
    )
    assert measured(compare(CONTROL, SILENT)) == (
        "At the boundary, 6 of 6 tensors are bit-equal. After it, 3 of 3 training losses "
        "are bit-equal."
    )
    within = compare(
        CONTROL, changed(RESUMED, losses={6: 2 / 7 * 1.001}), Equality(Tolerance(rtol=0.01))
    )
    assert measured(within) == (
        "At the boundary, 6 of 6 tensors are equal within the tolerance and the evaluation "
        "loss is 0.2 (control 0.2). After it, 3 of 3 training losses are equal within the "
        "tolerance."
    )


def test_numbers_of_python_objects_are_named() -> None:
    one = control({"callbacks/EarlyStopping/best": Kind.PYTHON})
    assert measured(compare(one, resumed(one))) == (
        "At the boundary, 7 of 7 tensors are bit-equal and the evaluation loss is 0.2 (control "
        "0.2). After it, 3 of 3 training losses are bit-equal. 1 of the tensors is a number of a "
        "Python object: callbacks/EarlyStopping/best."
    )
    several = control(dict.fromkeys(("best", "wait", "which"), Kind.PYTHON))
    assert of_objects(compare(several, resumed(several))) == (
        "3 of the tensors are numbers of Python objects: best, wait and 1 more."
    )


def test_numbers() -> None:
    assert numbers(case(RESUMED)) == ("6/6", "0.2 = 0.2", "3/3")
    assert numbers(case(changed(LOST, losses={6: 9.0}))) == ("5/6", "0.5 ≠ 0.2", "2/3")
    assert numbers(case(SILENT)) == ("–", "–", "–")
    assert numbers(BARE) == ("–", "–", "–")
    within = Tolerance(rtol=0.01)
    off = changed(RESUMED, evaluations={5: 0.2001})
    judged = judge_pair(Question("job", "all", "recovered"), Pair(CONTROL, off), Terms(within))
    assert numbers(judged) == ("6/6", "0.2001 ≈ 0.2", "3/3")
    assert numbers(replace(judged, comparison=compare(CONTROL, SILENT))) == ("6/6", "–", "3/3")


def test_what_a_pattern_accepts_is_not_called_equal() -> None:
    judged = case(LOST, "mea*")
    assert judged.comparison is not None
    assert numbers(judged) == ("5/6", "0.5 ≠ 0.2", "3/3")
    assert "At the boundary, 5 of 6 tensors are bit-equal and" in measured(judged.comparison)


# --- Remedies once, and how to accept -----------------------------------------------------------


def test_diagnoses_share_their_remedy() -> None:
    one, two, three = (
        Diagnosis(name, None, "", remedy) for name, remedy in (("a", "x"), ("b", "y"), ("c", "x"))
    )
    assert by_remedy([one, two, three]) == {"x": [one, three], "y": [two]}


def test_how_to_accept() -> None:
    wanted = replace(BARE, acceptance=("slots-lost", "dense/*"))
    assert how_to_accept(wanted) == "--allow slots-lost --allow 'dense/*'"
    assert how_to_accept(BARE) == ""


@pytest.mark.parametrize(
    ("acceptance", "said"),
    [
        ((), ""),
        (("moving-statistics-lost",), ""),
        (
            ("moving-statistics-lost", "data-order"),
            "data-order shows only once moving-statistics-lost is accepted.",
        ),
        (
            ("moving-statistics-lost", "data-order", "learning-rate-differs"),
            "data-order and learning-rate-differs show only once moving-statistics-lost is "
            "accepted.",
        ),
    ],
)
def test_what_is_accepted_besides_the_diagnoses(acceptance: tuple[str, ...], said: str) -> None:
    lossy = replace(case(LOST), acceptance=acceptance)
    assert why_accept_more(lossy) == said
    assert (story(lossy).splitlines()[-1] == f"  {said}") == bool(said)


@pytest.mark.parametrize(
    ("pair", "texts"),
    [
        ((0.037, 0.037), ("0.037", "0.037")),
        ((0.037, 0.037 + 1e-9), ("0.037", "0.037000001")),
        ((0.1 + 0.2, 0.3), ("0.30000000000000004", "0.29999999999999999")),
        ((math.nan, 1.0), ("nan", "1")),
    ],
)
def test_different_numbers_look_different(
    pair: tuple[float, float], texts: tuple[str, str]
) -> None:
    assert apart(*pair, 4) == texts


def test_lists_in_prose() -> None:
    assert [listed("a"), listed("ab"), listed("abc"), listed("abc", "or")] == [
        "a",
        "a and b",
        "a, b and c",
        "a, b or c",
    ]


def test_jobs_are_called_by_their_last_part_where_that_is_unique() -> None:
    cases = [replace(BARE, job=job) for job in ("a.py:Train", "b.py:Train", "c.py:Other", "bn-nn")]
    assert short_names(cases) == {
        "a.py:Train": "a.py:Train",
        "b.py:Train": "b.py:Train",
        "c.py:Other": "Other",
        "bn-nn": "bn-nn",
    }
