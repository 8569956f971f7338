"""The measures of a study's runs."""

import json

import numpy as np

from ckptcheck import Study
from ckptcheck.studies.catalogue import definition
from ckptcheck.studies.html import study_page
from ckptcheck.studies.plot import plot_study
from tests.studies.examples import CALM, FAST, trained


def test_epochs_to_an_accuracy() -> None:
    assert trained("bn-nn", 0, CALM, FAST, CALM).epochs_to(0.96) == 2
    assert trained("bn-nn", 0, CALM, FAST, CALM).epochs_to(0.999) == float("inf")


def test_a_loss_that_turns_nan() -> None:
    broken = trained("bn-nn", 0, [*CALM[:7], float("nan"), *CALM[8:-1], float("nan")], FAST, CALM)
    found = Study(
        definition("bn-ablation"), (0.95,), (broken, trained("bn-nn", 1, CALM, FAST, CALM))
    )
    assert found.warnings() == [
        "The validation loss became NaN or infinite in 1 of 2 runs: bn-nn seed 0."
    ]
    assert np.isnan(found.spread("bn-nn", "final_validation_loss").median)
    assert json.loads(found.to_json())["variants"][0]["final_validation_loss"] == {
        "median": None,
        "low": None,
        "high": None,
    }
    plot_study(found).canvas.draw()


def test_many_broken_losses() -> None:
    broken = tuple(trained("bn-nn", seed, [float("nan")] * 20, FAST, CALM) for seed in range(5))
    assert Study(definition("bn-ablation"), (0.95,), broken).warnings() == [
        "The validation loss became NaN or infinite in 5 of 5 runs: bn-nn seed 0, bn-nn seed 1, bn-nn seed 2, …."
    ]


def test_a_page_of_one_epoch() -> None:
    one = tuple(trained(name, 0, [1.0], [0.5], [1.0]) for name in ("bn-nn", "epsilon"))
    found = Study(definition("bn-ablation"), (0.95,), one)
    assert "Runs of 1 epoch are too short for a hump." in study_page(found)
    lines = plot_study(found).axes[0].lines
    assert [line.get_marker() for line in lines] == ["o", "o"]  # a line needs two points
