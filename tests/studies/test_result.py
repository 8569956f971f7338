"""What is measured of the runs of a study."""

import json

import numpy as np

from ckptcheck import Study
from ckptcheck.studies.catalogue import definition
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
        "The loss of 1 of 2 runs became NaN or infinite, bn-nn seed 0 among them."
    ]
    assert np.isnan(found.spread("bn-nn", "final_validation_loss").median)
    assert json.loads(found.to_json())["variants"][0]["final_validation_loss"] == {
        "median": None,
        "low": None,
        "high": None,
    }
    plot_study(found).canvas.draw()
