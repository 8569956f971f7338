"""Jobs that do not reproduce themselves: what is noise, and what is still a loss."""

from typing import Any

import pytest

from ckptcheck import Case, UsageError, verify
from ckptcheck.comparison.noise_floor import MARGIN
from tests.conftest import toy
from tests.rows import at_boundary


@pytest.fixture(scope="module")
def cases() -> dict[str, Case]:
    names = ["Clean", "Jitters", "JittersAndLoses", "JittersAndDrifts", "Unseeded", "HiddenInLastLoss"]
    report = verify([toy(name) for name in names], steps=21, boundary=9, repeat=4)
    return dict(zip(names, report.cases, strict=True))


def test_within_the_noise_is_recovered(cases: dict[str, Case]) -> None:
    case = cases["Jitters"]
    assert (case.outcome, case.diagnoses) == ("recovered", ())
    assert case.noise is not None
    assert case.comparison is not None
    assert case.noise.repeats == 4
    assert 0 < case.noise.training_loss < 1e-6
    assert not case.comparison.exact
    assert all(row.identical for row in case.comparison.boundary)
    apart = max(abs(row.diff) for row in case.comparison.steps)
    assert 0 < apart <= MARGIN * case.noise.training_loss
    document = case.document()
    assert document["noise"]["training_loss"] == case.noise.training_loss
    assert document["noise"]["first_difference"].startswith("the training loss of step 1 is ")


def test_a_loss_at_the_boundary_is_no_noise(cases: dict[str, Case]) -> None:
    assert cases["JittersAndLoses"].outcome == "diverged"
    # That the job does not reproduce itself either is told beside it.
    assert [each.cause for each in cases["JittersAndLoses"].diagnoses] == ["slots-lost", "noise"]


def test_a_difference_above_the_noise_is_none_either(cases: dict[str, Case]) -> None:
    assert cases["JittersAndDrifts"].outcome == "diverged"


def test_batches_that_no_seed_decides(cases: dict[str, Case]) -> None:
    assert cases["Unseeded"].outcome == "inconclusive"


def test_a_job_that_reproduces_itself_has_none(cases: dict[str, Case]) -> None:
    clean = cases["Clean"].noise
    assert clean is not None
    assert (clean.training_loss, clean.evaluation_loss, clean.first_difference) == (0.0, 0.0, None)
    assert set(clean.final.values()) == {0.0}
    assert cases["Clean"].outcome == "recovered"
    # One unit in the last place of one loss is a divergence still.
    assert cases["HiddenInLastLoss"].outcome == "diverged"


def test_the_control_is_repeated_only_where_that_can_tell() -> None:
    report = verify([toy(name) for name in ("Clean", "SlotsLost", "HiddenInLastLoss")], steps=21, boundary=9)
    assert [case.noise is not None for case in report.cases] == [False, False, True]
    (case,) = verify(toy("HiddenInLastLoss"), steps=21, boundary=9, repeat=0).cases
    assert (case.outcome, case.noise) == ("diverged", None)


def test_tolerance_is_what_somebody_asks_for() -> None:
    (exact,) = verify(toy("Rounds"), steps=21, boundary=9).cases
    (within,) = verify(toy("Rounds"), steps=21, boundary=9, rtol=1e-5, atol=1e-7).cases
    assert (exact.outcome, within.outcome) == ("diverged", "recovered")
    row = at_boundary(within)["v"]
    assert (row.equal, row.identical) == (True, False)
    assert within.document()["tolerance"] == {"rtol": 1e-5, "atol": 1e-7, "equal_nan": False}
    # Whole numbers have none: a lost step stays one.
    assert verify(toy("StepLost"), steps=21, boundary=9, rtol=0.9, atol=100).cases[0].outcome == "diverged"


@pytest.mark.parametrize(
    ("asked", "text"),
    [
        ({"rtol": -1}, "A tolerance is not negative, and rtol is below 1; asked for were rtol=-1 and atol=0."),
        ({"rtol": 1.0}, "A tolerance is not negative, and rtol is below 1; asked for were rtol=1 and atol=0."),
        ({"atol": float("nan")}, "A tolerance is not negative, and rtol is below 1; asked for were rtol=0 and atol=nan."),
        ({"repeat": -1}, "A control is repeated 0 times or more, not -1."),
    ],
)
def test_wrong_requests(asked: dict[str, Any], text: str) -> None:
    with pytest.raises(UsageError) as caught:
        verify(toy("Clean"), **asked)
    assert str(caught.value) == text
