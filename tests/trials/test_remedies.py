"""Remedies fit what failed: the file's lack, the restore that asked for less, the user's own file."""

from pathlib import Path

import pytest

from ckptcheck import Case, Report, verify
from ckptcheck.diagnosis.cause import Diagnosis

pytestmark = pytest.mark.trials

FILE = Path(__file__).with_name("remedies.py")
JOBS = (
    "HiddenLayers",
    "NestedLists",
    "Wrapped",
    "RestoresWeights",
    "RestoresWithoutCompiling",
    "OwnFile",
    "OwnFileOfWeights",
    "OwnFileUnknown",
    "Best",
    "Lagging",
    "NotLagging",
)
LAGS = "its moving statistics lag behind the batches"


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    return verify([f"{FILE}:{job}" for job in JOBS], folder=tmp_path_factory.mktemp("runs"))


def case(report: Report, job: str, restore: str | None = None) -> Case:
    return next(
        each
        for each in report.cases
        if each.job.endswith(f":{job}") and restore in (None, each.restore)
    )


def found(report: Report, job: str, cause: str, restore: str | None = None) -> Diagnosis:
    return next(
        each for each in case(report, job, restore).diagnoses if each.cause.startswith(cause)
    )


@pytest.mark.parametrize("restore", ["keras", "weights", "backup"])
def test_hidden_sublayers_are_named_and_the_restore_is_not(report: Report, restore: str) -> None:
    lost = found(report, "HiddenLayers", "weights-lost", restore)
    assert lost.stage == "omitted at save"
    assert lost.remedy == (
        "The checkpoint holds nothing of `hidden/dense` and `hidden/dense_1`: nothing in the model "
        "leads there. Make them attributes: self.hidden = keras.layers.Dense(8). An attribute "
        "called `_layers` hides Keras's own: rename it. A list inside a list hides its layers from "
        "tf.train.Checkpoint(…): keep lists flat."
    )


def test_a_list_inside_a_list_is_named(report: Report) -> None:
    for lost in case(report, "NestedLists").diagnoses:
        assert "A list inside a list hides its layers" in lost.remedy
        assert "`dense_1`" in lost.remedy
        assert "in one tf.train.Checkpoint" not in lost.remedy


def test_a_wrapped_optimizer_is_named(report: Report) -> None:
    lost = found(report, "Wrapped", "slots-lost")
    assert "A wrapper hides its inner optimizer unless it is an attribute" in lost.remedy


@pytest.mark.parametrize("job", ["RestoresWeights", "RestoresWithoutCompiling", "OwnFile"])
@pytest.mark.parametrize("cause", ["slots-lost", "step-lost"])
def test_the_checkpoint_holds_what_the_restore_did_not_ask_for(
    report: Report, job: str, cause: str
) -> None:
    lost = found(report, job, cause)
    assert lost.stage == "not applied at load"
    assert lost.remedy.startswith("The checkpoint holds the lost ")
    assert "restore did not ask for them" in lost.remedy


def test_own_files_are_never_told_of_checkpoints(report: Report) -> None:
    for job in ("OwnFile", "OwnFileOfWeights", "OwnFileUnknown"):
        for lost in case(report, job).diagnoses:
            assert "tf.train.Checkpoint" not in lost.remedy
            assert "np." in lost.remedy or "variable.assign(" in lost.remedy


def test_a_file_that_lacks_the_values_omits_them(report: Report) -> None:
    for cause in ("slots-lost", "step-lost"):
        lost = found(report, "OwnFileOfWeights", cause)
        assert lost.stage == "omitted at save"
        assert lost.remedy.startswith("Write the lost variables into your file, too, np.savez(")


def test_an_unknown_file_may_hold_anything(report: Report) -> None:
    assert {each.stage for each in case(report, "OwnFileUnknown").diagnoses} == {None}


def test_the_best_value_is_passed_again(report: Report) -> None:
    lost = found(report, "Best", "python-state-lost")
    assert lost.tensors == ("callbacks/ModelCheckpoint/best",)
    assert "initial_value_threshold=best" in lost.remedy
    assert lost.remedy.endswith(
        "`ckptcheck explain python-state-lost --framework keras` prints a fix."
    )


def test_statistics_that_lag_are_not_the_restores_fault(report: Report) -> None:
    assert case(report, "Lagging").outcome == "recovered"
    warned = [text for text in report.warnings() if LAGS in text]
    assert len(warned) == 1
    assert ":Lagging × keras: the evaluation loss at the boundary is " in warned[0]
    assert "The restore is not at fault: the control evaluates as badly, " in warned[0]
