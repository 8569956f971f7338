"""A recorded `fit` gets the remedies of Keras."""

import subprocess
import sys
from pathlib import Path

import pytest

import ckptcheck

pytestmark = pytest.mark.trials


def test_a_recorded_fit(tmp_path: Path) -> None:
    script = Path(__file__).with_name("recorded_fit.py")
    for folder, *mode in (["control"], ["resumed", "resume"]):
        command = [sys.executable, script, tmp_path / folder, tmp_path / "{epoch}.keras", *mode]
        subprocess.run(list(map(str, command)), check=True, capture_output=True)
    (case,) = ckptcheck.compare_runs(tmp_path / "control", tmp_path / "resumed").cases
    (found,) = case.diagnoses
    assert found.cause == "generators-reseeded"
    assert found.remedy == (
        "Save the state of each seed generator in a tf.train.Checkpoint(model=model, "
        "optimizer=model.optimizer, seed=layer.seed_generator.state). Some layers call their "
        "generator layer.generator. No file of Keras holds its state. Or accept that random layers "
        "draw different numbers. `ckptcheck explain generators-reseeded --framework keras` prints "
        "a fix."
    )
