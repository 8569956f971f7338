"""What a second resume shows, given the first."""

import pytest

from ckptcheck.arrays import Array
from ckptcheck.comparison.compare import compare
from ckptcheck.comparison.comparison import Comparison
from ckptcheck.diagnosis import second_resume
from ckptcheck.diagnosis.catalogue import CAUSES, diagnosis
from ckptcheck.diagnosis.diagnose import diagnose
from ckptcheck.kinds import Kind
from tests.builder import BOUNDARY, EARLIER, changed, control, resumed, value

CONTROL = control()
# The count of the steps since a first resume is that of an earlier save.
AFTER = BOUNDARY - EARLIER


def compared(**values: Array) -> Comparison:
    return compare(CONTROL, changed(resumed(CONTROL), boundary=values, first_step=EARLIER))


def causes(comparison: Comparison) -> list[str]:
    return [each.cause for each in diagnose(comparison)]


def test_a_count_since_the_resume_is_not_that_of_an_older_save() -> None:
    comparison = compared(step=value("step", EARLIER))
    assert causes(comparison) == ["older-checkpoint"]
    assert causes(second_resume.counted_anew(comparison, AFTER)) == ["step-lost"]
    assert second_resume.counted_anew(comparison, AFTER + 1) == comparison


def test_an_older_checkpoint_stays_one() -> None:
    older = {name: value(name, EARLIER) for name in ("w", "mean", "step")}
    comparison = compared(**older)
    assert second_resume.counted_anew(comparison, AFTER) == comparison
    exact = compare(CONTROL, resumed(CONTROL))
    assert second_resume.counted_anew(exact, AFTER) == exact
    assert {row.kind for row in comparison.boundary} > {Kind.COUNTER}


@pytest.mark.parametrize("first", ["diverged", "refused", "inconclusive"])
def test_a_first_resume_that_does_not_recover(first: str) -> None:
    assert second_resume.why_unjudged(first).startswith(
        "Whether" if first == "inconclusive" else "The first resume does not recover"
    )
    assert not second_resume.why_unjudged("recovered")


@pytest.mark.parametrize("once", ["diverged", "refused"])
def test_a_fault_that_a_first_resume_shows_there_keeps_its_remedy(once: str) -> None:
    found = [diagnosis("slots-lost", ["m"], count=1, total=1, where="is lost")]
    assert second_resume.with_remedies(found, once) == tuple(found)
    assert second_resume.with_remedies(found, None) != tuple(found)
    assert "step 8" in second_resume.reason(once, 8)


def test_faults_of_the_job_keep_their_remedy() -> None:
    found = [diagnosis("noise", first="step 3")]
    assert second_resume.with_remedies(found, None) == tuple(found)


def test_every_named_cause_is_in_the_catalogue() -> None:
    named = {
        *second_resume.AS_USUAL,
        *second_resume.ABOUT_KEYS,
        *second_resume.ABOUT_GENERATORS,
        *second_resume.ABOUT_POSITION,
    }
    assert named <= set(CAUSES)
