"""Several boundaries: one control, a crash image at each, every one resumed."""

from pathlib import Path

import pytest

from ckptcheck import Report, UsageError, verify
from ckptcheck.job.schedule import make_schedule
from tests.conftest import toy


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    folder = tmp_path_factory.mktemp("boundaries") / "runs"
    return verify(
        [toy("TwoWays"), toy("Accumulates"), toy("Loops")],
        steps=21,
        boundaries=("first", 9, "epoch", "last"),
        folder=folder,
    )


def outcomes(report: Report, name: str) -> dict[str, str]:
    return {case.label: case.outcome for case in report.cases if case.job == toy(name)}


def test_each_restore_from_each_boundary(report: Report) -> None:
    assert outcomes(report, "TwoWays") == {
        f"{restore} @ {boundary}": outcome
        for restore, outcome in (("all", "recovered"), ("weights", "diverged"))
        for boundary in (1, 9, 12, 20)
    }
    assert outcomes(report, "Loops") == dict.fromkeys(
        (f"all @ {boundary}" for boundary in (1, 9, 12, 20)), "recovered"
    )


def test_a_loss_that_only_some_boundaries_show(report: Report) -> None:
    """Loses a sum that is empty at some boundaries, where no restore can show the loss."""
    assert outcomes(report, "Accumulates") == {
        "all @ 1": "diverged",
        "all @ 9": "recovered",
        "all @ 12": "recovered",
        "all @ 20": "diverged",
    }


def test_every_step_after_the_boundary_is_compared(report: Report) -> None:
    compared = {
        case.label: case.document()["train_loss"]["compared"]
        for case in report.cases
        if case.job == toy("TwoWays")
    }
    assert compared == {
        f"{restore} @ {boundary}": 21 - boundary
        for restore in ("all", "weights")
        for boundary in (1, 9, 12, 20)
    }
    for case in report.cases:
        assert case.resumed is not None
        assert case.resumed.facts.first_step == case.boundary
        assert case.control is not None
        assert case.control.facts.schedule.boundaries == (1, 9, 12, 20)


def test_one_control_leaves_a_crash_image_at_each_boundary(report: Report) -> None:
    assert report.cases[0].control is not None
    folder = report.cases[0].control.folder.parent
    assert sorted(each.name for each in folder.iterdir() if "resumed" not in each.name) == [
        "control",
        *sorted(f"crash-image@{boundary}" for boundary in (1, 9, 12, 20)),
        "unsaved",
    ]


def test_a_warning_of_every_boundary_is_given_once(report: Report) -> None:
    only = Report(tuple(case for case in report.cases if case.job == toy("TwoWays")), {})
    assert only.warnings() == [
        f"{toy('TwoWays')} × weights: the restore does not cover 1 of 6 tensors, which keeps its initial value: w/momentum."
    ]


def test_the_figure_and_the_page_show_every_boundary(report: Report) -> None:
    from ckptcheck import plot
    from ckptcheck.report.html import report_page

    legend = plot(report).axes[0].get_legend()
    assert legend is not None
    labels = [text.get_text() for text in legend.get_texts()]
    assert labels == [
        "control, never interrupted",
        *(f"{label}: {outcome}" for label, outcome in outcomes(report, "TwoWays").items()),
    ]
    page = report_page(report)
    assert "Saved after steps 1, 9, 12 and 20 of 21" in page
    assert "weights @ 12" in page


def test_boundary_and_boundaries_exclude_each_other(tmp_path: Path) -> None:
    with pytest.raises(
        UsageError, match=r"^boundary=3 and boundaries=2 exclude each other\. Give one\.$"
    ):
        verify(toy("Clean"), boundary=3, boundaries=2)


@pytest.mark.parametrize(
    ("usual", "steps", "boundary"),
    [(2.5, None, 80), (2.5, 96, 48), (2.0, None, 64), (2.0, 96, 64), (2.0, 30, 15)],
)
def test_the_default_boundary_is_that_of_the_help(
    usual: float, steps: int | None, boundary: int
) -> None:
    """After 2.5 epochs, of Keras jobs after 2; with --steps, near the middle."""
    assert make_schedule(32, steps, usual=usual).boundaries == (boundary,)
