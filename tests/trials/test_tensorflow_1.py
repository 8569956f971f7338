"""TensorFlow 1: a recorded graph, and sessions that restore less than they should."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf

import ckptcheck
from ckptcheck import verify
from tests.clean import graph as clean

pytestmark = pytest.mark.trials
tf1 = tf.compat.v1


class Reinitialised(clean.MonitoredWithScaffold):
    """A scaffold whose local initialiser initialises every variable after the restore."""

    def settings(self) -> Mapping[str, Any]:
        scaffold = tf1.train.Scaffold(
            local_init_op=tf.group(tf1.global_variables_initializer(), self.iterator.initializer)
        )
        return {"save_checkpoint_steps": 8, "scaffold": scaffold}


class WithoutSlots(clean.SaverOfEverything):
    """A `Saver` over the weights and the step."""

    def settings(self) -> Mapping[str, Any]:
        return {"var_list": [*tf1.trainable_variables(), tf1.train.get_global_step()]}


def test_sessions_and_savers_that_lose_state() -> None:
    report = verify([f"{__file__}:Reinitialised", f"{__file__}:WithoutSlots"])
    causes = {
        case.job.rpartition(":")[2]: {d.cause for d in case.diagnoses} for case in report.cases
    }
    assert causes == {"Reinitialised": {"nothing-restored"}, "WithoutSlots": {"slots-lost"}}


def test_a_recorded_graph(tmp_path: Path) -> None:
    script = Path(__file__).with_name("recorded_graph.py")
    for arguments in (["control"], ["resumed", "resume"]):
        folder, *mode = arguments
        command = [sys.executable, script, tmp_path / folder, tmp_path / "model.ckpt", *mode]
        subprocess.run(list(map(str, command)), check=True, capture_output=True)
    case = ckptcheck.compare_runs(tmp_path / "control", tmp_path / "resumed").cases[0]
    assert {found.cause: set(found.tensors) for found in case.diagnoses} == {
        "moving-statistics-lost": {"bn/moving_mean"},
        "shadows-lost": {"w1/ExponentialMovingAverage"},
        "slots-lost": {"beta1_power", "beta2_power", "w1/Adam", "w1/Adam_1"},
    }
    remedies = {found.cause: found.remedy for found in case.diagnoses}
    assert remedies["slots-lost"].startswith(
        "Save the optimizer's variables, too: create tf.train.Saver() after optimizer.minimize(…)."
    )
