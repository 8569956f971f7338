"""What callbacks remember: named, and with a remedy that changes no training."""

from pathlib import Path

import pytest

from ckptcheck import Case, Report, verify
from ckptcheck.diagnosis.cause import Diagnosis

pytestmark = pytest.mark.trials

FILE = Path(__file__).with_name("callbacks.py")
JOBS = (
    "KeepsNumbers",
    "UpdatesAfterTheSave",
    "NeverImproves",
    "InCallsOfFit",
    "InCallsOfFitToo",
    "ShufflesAnew",
)
FIX = " `ckptcheck explain {} --framework keras` prints a fix."


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    return verify([f"{FILE}:{job}" for job in JOBS], folder=tmp_path_factory.mktemp("runs"))


def case(report: Report, job: str, restore: str | None = None) -> Case:
    return next(
        each
        for each in report.cases
        if each.job.endswith(f":{job}") and restore in (None, each.restore)
    )


def only(report: Report, job: str, restore: str | None = None) -> Diagnosis:
    (found,) = case(report, job, restore).diagnoses
    return found


def test_the_best_weights_are_python_state(report: Report) -> None:
    found = only(report, "KeepsNumbers")
    assert (found.cause, found.tensors, found.severity) == (
        "python-state-lost",
        ("callbacks/EarlyStopping/best_weights",),
        "changes the trajectory",
    )
    assert found.sentence == (
        "State outside the variables was not restored: callbacks/EarlyStopping/best_weights "
        "differs from the control's."
    )
    assert found.remedy == (
        "Write `best`, `wait` and `best_epoch` of EarlyStopping to a file after each epoch, "
        "pickle.dumps(state), and set them again at the end of on_train_begin. With "
        "restore_best_weights=True, keep `best_weights`, too. List the callback before those that "
        "save." + FIX.format("python-state-lost")
    )


def test_state_that_is_updated_after_the_save(report: Report) -> None:
    found = case(report, "UpdatesAfterTheSave").diagnoses[0]
    assert (found.cause, found.severity) == ("updated-after-save", "changes the trajectory")
    assert "memory" in found.tensors
    assert "were updated after the save: the checkpoint holds their values after 8 steps." in (
        found.sentence
    )
    assert found.detail == "The other tensors are of step 16, as they should be."
    assert found.remedy == (
        "Update this state before the save. List the callback that updates it before all that "
        "save: model.fit(…, callbacks=[updating, *callbacks])."
    )


def test_an_intended_infinity_is_not_accused(report: Report) -> None:
    causes = {each.cause for each in case(report, "NeverImproves").diagnoses}
    assert "not-finite" not in causes
    assert causes


def test_a_backup_that_fit_deletes(report: Report) -> None:
    why = (
        "BackupAndRestore deletes its backup at the end of each call of fit: call fit once for all "
        "epochs."
    )
    assert case(report, "InCallsOfFit").reason == (
        "The checkpoint is missing: the control's save wrote no file into the folder it was given. "
        + why
    )
    assert case(report, "InCallsOfFitToo", "keras").outcome == "recovered"
    found = only(report, "InCallsOfFitToo", "backup")
    assert (found.cause, found.stage) == ("nothing-restored", "omitted at save")
    assert found.remedy == f"{why} That is model.fit(…, epochs=EPOCHS)."


def test_the_order_of_an_epoch_is_derived_in_one_call_of_fit(report: Report) -> None:
    found = only(report, "ShufflesAnew")
    assert found.sentence == (
        "The resumed run repeats the data order of epoch 0 instead of that of epoch 2."
    )
    assert found.remedy == (
        "Derive the order from the number of the epoch: a keras.utils.PyDataset that permutes with "
        "np.random.default_rng((seed, self.epoch)), and a callback that sets its epoch in "
        "on_epoch_begin. Call fit once for all epochs: each call resets EarlyStopping and other "
        "callbacks." + FIX.format("data-order")
    )
