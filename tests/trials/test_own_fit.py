"""What the user's own `fit` does besides training: it writes files, or raises."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import pytest
import tensorflow as tf

from ckptcheck import Report, verify
from ckptcheck.adapters.keras import FitJob
from ckptcheck.report.answer import answer
from tests.trials.base import F

pytestmark = [pytest.mark.trials, pytest.mark.timeout(300)]


class WritesElsewhere(F):
    """It writes into the working directory, in every run, and once while an epoch is counted."""

    def mine(self, callbacks: Any) -> Any:
        Path("scratch").write_text("gone at once")
        Path("scratch").unlink()
        return [
            keras.callbacks.ModelCheckpoint("mine/best.keras"),
            keras.callbacks.CSVLogger("mine.csv"),
            *callbacks,
        ]


class WritesInside(F):
    restores: Any = ("keras", "backup")

    def mine(self, callbacks: Any) -> Any:
        return [
            keras.callbacks.ModelCheckpoint(str(self.folder / "best.keras")),
            keras.callbacks.CSVLogger(str(self.folder / "mine.csv")),
            *callbacks,
        ]


class Branches(keras.Model):
    def __init__(self) -> None:
        super().__init__()
        self.dense = keras.layers.Dense(1)

    @tf.autograph.experimental.do_not_convert
    def call(self, inputs: Any) -> Any:
        if tf.reduce_sum(inputs) > 0:  # this line raises
            return self.dense(inputs)
        return -self.dense(inputs)


class Raises(FitJob):
    """Its number of batches is unknown to Keras, so that an epoch is trained to count them."""

    def model(self) -> Any:
        model = Branches()
        model.compile("adam", "mse")
        return model

    def fit(self, model: Any, callbacks: Any, initial_epoch: int) -> None:
        data = F().data()
        unknown = data.filter(lambda *_: True)
        model.fit(unknown, epochs=4, callbacks=callbacks, initial_epoch=initial_epoch)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("work")
    (folder / "mine").mkdir()
    (folder / "mine" / "best.keras").write_text("of the last training")
    return folder


@pytest.fixture(scope="module")
def report(folder: Path) -> Iterator[Report]:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        yield verify([target(each) for each in (WritesElsewhere, WritesInside, Raises)])


def target(job: type) -> str:
    return f"{__file__}:{job.__name__}"


def warnings_of(report: Report, job: type) -> list[str]:
    return [each for each in report.warnings() if each.startswith(target(job))]


def test_files_elsewhere_are_named(report: Report) -> None:
    assert warnings_of(report, WritesElsewhere) == [
        f"{target(WritesElsewhere)}: the job also writes outside its checkpoint folder: mine.csv "
        "(new), mine/best.keras (changed). Every run does, and ckptcheck puts no file back. Write "
        "such files into `self.folder`."
    ]


def test_files_in_its_own_folder_are_not(report: Report, folder: Path) -> None:
    assert warnings_of(report, WritesInside) == []
    outcomes = {each.outcome for each in report.cases if each.job == target(WritesInside)}
    assert outcomes == {"recovered"}
    assert {each.name for each in folder.iterdir()} == {"mine", "mine.csv"}


def test_an_error_while_an_epoch_is_counted(report: Report) -> None:
    (case,) = (each for each in report.cases if each.job == target(Raises))
    line = next(
        number
        for number, text in enumerate(Path(__file__).read_text().splitlines(), 1)
        if text.endswith("# this line raises")
    )
    reason = (
        "The control did not finish: counting the batches of an epoch raised "
        "OperatorNotAllowedInGraphError: Using a symbolic `tf.Tensor` as a Python `bool` is not "
        "allowed. You can attempt the following resolutions to the problem: If you are running in "
        f"Graph mode, use Eager execution mode or decorate this f… (test_own_fit.py:{line})."
    )
    assert case.reason is not None
    assert case.reason == reason
    assert answer([case]) == f"Whether Raises recovers is unknown. {reason}"
