"""The figure: an exact match and a small drift look different, and missing curves are named."""

import warnings
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

from ckptcheck import Case, Report, plot, verify
from ckptcheck.report.evidence import Pair
from ckptcheck.report.judge import Question, judge_pair
from ckptcheck.report.outputs.figure import EXACT_LANE, LANE_EDGE, save_figure
from tests.builder import changed
from tests.conftest import toy
from tests.report.outputs.cases import CONTROL, RESUMED, case

QUESTION = Question("train.py:Train", "keras", "recovered")


def test_an_exact_match_and_a_last_bit_are_drawn_apart() -> None:
    report = verify([toy("Clean"), toy("HiddenInLastLoss")], steps=21, boundary=9)
    clean, drifted = (
        plot(Report((case,), {})).axes[2].lines[0].get_ydata() for case in report.cases
    )
    assert np.asarray(clean).tolist() == [EXACT_LANE] * 12
    assert np.asarray(drifted).tolist()[:11] == [EXACT_LANE] * 11
    assert np.asarray(drifted)[11] > LANE_EDGE


def test_a_drift_of_1e_7_lies_outside_the_lane() -> None:
    assert EXACT_LANE < LANE_EDGE < 1e-7 / 100


def test_default_figure(default_report: Report) -> None:
    figure = plot(default_report)
    assert len(figure.axes) == 12
    legends = [axis.get_legend() for axis in figure.axes[:3]]
    labels = [[text.get_text() for text in legend.get_texts()] for legend in legends if legend]
    assert labels == [
        ["control, never interrupted", "saver: recovered", "ema: refused, no curve"],
        ["control, never interrupted", "saver: recovered", "trainable: diverged"],
        ["control, never interrupted", "saver: recovered", "ema: diverged"],
    ]
    control, resumed = figure.axes[0].lines[:2]
    assert np.array_equal(np.asarray(control.get_ydata())[-44:], resumed.get_ydata())
    assert np.array_equal(np.asarray(control.get_xdata())[-44:], resumed.get_xdata())


INCONCLUSIVE = ("ControlRaises", "NoState", "TurnsNaN", "Missing", "TensorGone")


@pytest.fixture(scope="module")
def inconclusive() -> dict[str, Case]:
    cases = verify([toy(name) for name in INCONCLUSIVE], steps=21, boundary=9).cases
    return dict(zip(INCONCLUSIVE, cases, strict=True))


@pytest.mark.parametrize("name", INCONCLUSIVE)
def test_inconclusive_cases_can_be_drawn(name: str, inconclusive: dict[str, Case]) -> None:
    figure = plot(Report((inconclusive[name],), {}))
    figure.canvas.draw()
    texts = [text.get_text() for text in figure.texts]
    assert ("No control finished, so there are no curves." in texts) == (name == "ControlRaises")


@pytest.mark.parametrize("loss", [1e308, -1e308, 1e-320])
def test_extreme_losses_can_be_drawn(loss: float, tmp_path: Path) -> None:
    run = changed(RESUMED, losses={6: loss, 7: 1e308}, evaluations={6: loss})
    with warnings.catch_warnings(action="error"):
        save_figure(plot(Report((case(run),), {})), tmp_path, "curves")


@pytest.mark.parametrize(
    ("losses", "scale"),
    [({}, "log"), ({6: 0.0}, "linear"), ({5: -1.0, 6: -2.0, 7: -3.0}, "linear")],
)
def test_losses_without_a_logarithm_have_a_linear_scale(
    losses: dict[int, float], scale: str
) -> None:
    run = changed(RESUMED, losses=losses, evaluations=losses | {8: 0.125})
    with warnings.catch_warnings(action="error"):
        figure = plot(Report((case(run),), {}))
        figure.canvas.draw()
    training, validation, *_ = figure.axes
    assert (training.get_yscale(), validation.get_yscale()) == (scale, scale)
    drawn = np.asarray(training.lines[1].get_ydata()).tolist()
    assert drawn == [losses.get(step, 2 / (step + 1)) for step in (5, 6, 7)]


def test_a_job_whose_losses_are_all_negative_is_drawn_without_a_warning() -> None:
    control = changed(
        CONTROL,
        losses=dict.fromkeys(range(8), -1.0),
        evaluations=dict.fromkeys((3, 5, 6, 8), -1.0),
    )
    run = changed(
        RESUMED, losses=dict.fromkeys((5, 6, 7), -1.0), evaluations=dict.fromkeys((5, 6, 8), -1.0)
    )
    with warnings.catch_warnings(action="error"):
        figure = plot(Report((judge_pair(QUESTION, Pair(control, run)),), {}))
        figure.canvas.draw()
    assert figure.axes[0].get_yscale() == "linear"


def test_names_of_any_characters_can_be_drawn(tmp_path: Path) -> None:
    named = case(job="od\udcff/jobs.py:Job\x1b", restore="all\udcff \x1b[31m")
    figure = plot(Report((named,), {}))
    save_figure(figure, tmp_path, "curves")
    legend = figure.axes[0].get_legend()
    assert legend is not None
    assert legend.get_texts()[1].get_text() == "all\ufffd \ufffd[31m: recovered"
    assert "\x1b" not in (tmp_path / "curves.svg").read_text()


def test_losses_that_were_not_seen_are_not_drawn() -> None:
    """A command whose step returns nothing has no loss; the recorded 0.0 stands for none."""
    runs = [
        changed(each, evaluations=dict.fromkeys(range(9)), unseen=["batches", "losses"])
        for each in (CONTROL, RESUMED)
    ]
    unseen = judge_pair(QUESTION, Pair(runs[0], runs[1]))
    assert unseen.outcome == "recovered"
    training, validation, difference, _ = plot(Report((unseen,), {})).axes
    for axis in (training, validation, difference):
        assert not any(len(np.asarray(line.get_ydata())) > 2 for line in axis.lines)
    assert "no training loss was seen" in [text.get_text() for text in training.texts]
    assert "no validation loss was seen" in [text.get_text() for text in validation.texts]


def test_losses_over_many_decades_have_ticks() -> None:
    control = changed(CONTROL, losses={6: 1e-6, 7: 100.0})
    run = changed(RESUMED, losses={6: 1e-6, 7: 100.0})
    figure = plot(Report((judge_pair(QUESTION, Pair(control, run)),), {}))
    low, high = figure.axes[0].get_ylim()
    ticks = figure.axes[0].yaxis.get_majorticklocs()
    assert sum(low <= tick <= high for tick in ticks) >= 3


def test_statistics_of_different_dtypes_can_be_drawn() -> None:
    """A model in bfloat16 counts the batches of batch norm in int64."""
    statistics = {"mean": np.ones((2, 3), ml_dtypes.bfloat16), "w/variance": np.array([3])}
    runs = [changed(each, boundary=statistics) for each in (CONTROL, RESUMED)]
    figure = plot(Report((judge_pair(QUESTION, Pair(runs[0], runs[1])),), {}))
    assert np.asarray(figure.axes[3].lines[0].get_xdata()).size == 7
