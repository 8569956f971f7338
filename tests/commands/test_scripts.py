"""Ten scripts in ten styles: each recovers as it is, and with one option loses what it names."""

import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from ckptcheck import verify

pytestmark = pytest.mark.commands

SCRIPTS = Path(__file__).with_name("scripts")


@dataclass(frozen=True)
class Script:
    """A script, the words by which it resumes wrongly, and the causes to be named then."""

    words: tuple[str, ...]
    wrong: tuple[str, ...]
    causes: tuple[str, ...]
    folder: str = "."


SCRIPT = {
    "fit with BackupAndRestore and EarlyStopping": Script(
        ("keras_fit.py",), ("--reduce-lr",), ("python-state-lost",)
    ),
    "fit with ModelCheckpoint and load_model": Script(
        ("keras_model_checkpoint.py",), ("--weights-only",), ("slots-lost", "step-lost")
    ),
    "a tf.function loop with a checkpointed iterator": Script(
        ("tf_function_loop.py",), ("--no-iterator",), ("data-order",)
    ),
    "an eager loop that saves npz": Script(
        ("eager_npz.py",), ("--weights-only",), ("slots-lost", "step-lost")
    ),
    "a session with a Saver": Script(
        ("tf1_session.py",), ("--trainable-only",), ("moving-statistics-lost", "slots-lost")
    ),
    "a MonitoredTrainingSession": Script(("tf1_monitored.py",), ("--stream",), ("data-order",)),
    "Keras 2, one fit an epoch": Script(
        ("tf_keras_fit.py",), ("--h5",), ("slots-lost", "step-lost")
    ),
    "a package with a YAML config": Script(
        ("-m", "yaml_app", "--config", "config.yaml"),
        ("--config", "config_small_checkpoints.yaml"),
        ("shadows-lost",),
        "yaml_app",
    ),
    "fit with logs and a schedule": Script(
        ("logged_fit.py",), ("--count-from-zero",), ("learning-rate-differs",)
    ),
    "a launcher that trains in a subprocess": Script(
        ("launcher.py",), ("--reseed",), ("generators-restarted",)
    ),
}


@pytest.mark.parametrize("style", SCRIPT)
def test_a_right_script_recovers(style: str, monkeypatch: pytest.MonkeyPatch) -> None:
    script = SCRIPT[style]
    monkeypatch.chdir(SCRIPTS / script.folder)
    report = verify(command=[sys.executable, *script.words, "--out", "{run}"])
    (case,) = report.cases
    assert (case.outcome, case.reason) == ("recovered", None)
    assert not case.diagnoses


@pytest.mark.parametrize("style", SCRIPT)
def test_a_wrong_script_is_found(style: str, monkeypatch: pytest.MonkeyPatch) -> None:
    script = SCRIPT[style]
    monkeypatch.chdir(SCRIPTS / script.folder)
    report = verify(command=[sys.executable, *script.words, *script.wrong, "--out", "{run}"])
    (case,) = report.cases
    assert (case.outcome, case.reason) == ("diverged", None)
    assert tuple(each.cause for each in case.diagnoses) == script.causes
