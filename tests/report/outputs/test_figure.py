"""The figure: an exact match and a small drift look different, and missing curves are named."""

import numpy as np
import pytest

from ckptcheck import Report, plot, verify
from ckptcheck.report.outputs.figure import EXACT_LANE, LANE_EDGE
from tests.conftest import toy


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


@pytest.mark.parametrize("name", ["ControlRaises", "NoState", "TurnsNaN", "Missing", "TensorGone"])
def test_inconclusive_cases_can_be_drawn(name: str) -> None:
    figure = plot(verify(toy(name), steps=21, boundary=9))
    figure.canvas.draw()
    texts = [text.get_text() for text in figure.texts]
    assert ("No control finished, so there are no curves." in texts) == (name == "ControlRaises")
