"""Keras jobs in fresh processes: unusual jobs that recover, and wrong jobs with a clear error."""

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from ckptcheck import Case, Report, verify
from ckptcheck.adapters.keras import FitJob
from ckptcheck.errors import UsageError
from ckptcheck.job.protocol import Restored
from tests.conftest import PLANTED
from tests.rows import at_boundary

JOBS = PLANTED / "keras_jobs.py"
FINE = (
    "Unbuilt",
    "OwnTrainStep",
    "TwoInputs",
    "Eager",
    "MixedPrecision",
    "Text",
    "MakesMetrics",
    "TwoStepsAtOnce",
)
WRONG = {
    "OtherSteps × keras": "the job's steps_per_epoch is 7, but an epoch of model.fit has 5 batches. Write steps_per_epoch = 5.",
    "MoreStepsThanSaid × keras": "the job's steps_per_epoch is 4, but an epoch of model.fit has more batches. Correct steps_per_epoch.",
    "FewerStepsThanSaid × keras": "the job's steps_per_epoch is 6, but epoch 0 of model.fit had 5 batches. Correct steps_per_epoch.",
    "NotCompiled × keras": "build raised TypeError: model must return a compiled keras.Model, but its Sequential is not compiled. "
    "Call model.compile before returning it.",
    "NothingToValidateWith × keras": "there is no validation data: pass `validation_data` to model.fit, or override `validation`.",
    "SplitsForValidation × keras": "there is no validation data: validation_split=0.2 of model.fit is not enough. "
    "Pass `validation_data` to model.fit, or override `validation`.",
    "ForgetsCallbacks × keras": "`fit` did not pass `callbacks` to model.fit, so ckptcheck saw 0 steps. "
    "Write model.fit(…, callbacks=callbacks).",
    "TooFewEpochs × keras": "its training loop ended after 10 of 17 steps (2 of 3.4 epochs). Train for more epochs, or reduce --steps.",
    "NoCheckpoint × checkpoint": "build raised TypeError: setup must return a tf.train.Checkpoint, but it returned dict.",
    "WhichStep × checkpoint": "next_step raised TypeError: the next step is unknown, because the job has no optimizer and no attribute `step`. "
    "Count the steps in `self.step`, or override next_step.",
}  # fmt: skip
ALL = [
    *FINE,
    "Attention",
    "SecondModel",
    "ForgetsInitialEpoch",
    *(name.partition(" ")[0] for name in WRONG),
]


@pytest.fixture(scope="module")
def report() -> Report:
    return verify([f"{JOBS}:{name}" for name in ALL], unsaved=False)


@pytest.fixture(scope="module")
def cases(report: Report) -> dict[str, Case]:
    return {case.name.rpartition(":")[2]: case for case in report.cases}


class Nothing(FitJob):
    steps_per_epoch = 5

    def model(self) -> Any:
        raise AssertionError

    def fit(self, model: Any, callbacks: Sequence[Any], initial_epoch: int) -> None:
        raise AssertionError


@pytest.mark.parametrize(
    ("restore", "message"),
    [
        ("keras", "{} holds no file model-STEP.keras"),
        ("weights", "{} holds no file model-STEP.weights.h5"),
        ("model-checkpoint", "{}/model-checkpoint holds no file EPOCH.keras"),
    ],
)
def test_a_folder_without_a_file(restore: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        Nothing().restore(tmp_path, restore)
    assert str(caught.value) == message.format(tmp_path)


@pytest.mark.parametrize("name", FINE)
def test_unusual_jobs_recover(name: str, cases: dict[str, Case]) -> None:
    found = {case.outcome: case for full, case in cases.items() if full.startswith(f"{name} ×")}
    assert list(found) == ["recovered"], found
    document = found["recovered"].document()
    assert document["batches"] == document["learning_rate"] == {"compared": 7, "equal": 7}


@pytest.mark.parametrize("name", WRONG)
def test_errors_of_wrong_jobs(name: str, cases: dict[str, Case]) -> None:
    reason = cases[name].reason or ""
    assert reason.partition(" (keras_jobs.py")[0].rstrip(
        "."
    ) == f"The control did not finish: {WRONG[name]}".rstrip(".")


class Misspelt(Nothing):
    restores = ("keras", "wieghts")


class Overridden(Misspelt):
    def restore(self, folder: Path, restore: str) -> Restored | None:
        return super().restore(folder, restore)


def test_a_restore_without_an_implementation(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as unknown:
        Misspelt().build(0)
    assert str(unknown.value) == (
        "FitJob has no restore called 'wieghts'. Did you mean weights? Known: keras, weights, checkpoint, backup, "
        "model-checkpoint, h5, saved-model. For any other way, override `save` and `restore`."
    )
    with pytest.raises(AssertionError):  # by `model`, so the name is accepted
        Overridden().build(0)
    with pytest.raises(NotImplementedError, match=r"^FitJob has no restore called 'wieghts'"):
        Overridden().restore(tmp_path, "wieghts")


def test_the_remedy_for_a_wrong_epoch_knows_who_sets_it(cases: dict[str, Case]) -> None:
    (found,) = cases["ForgetsInitialEpoch × keras"].diagnoses
    assert found.cause == "wrong-first-step"
    assert found.remedy == (
        "fit was called without initial_epoch. Pass the number of epochs done: model.fit(…, initial_epoch=epochs). `ckptcheck explain wrong-first-step --framework keras` prints a fix."
    )
    # The callback sets the epoch, so nothing is wrong.
    assert cases["ForgetsInitialEpoch × backup"].outcome == "recovered"


def test_layers_inside_layers(cases: dict[str, Case]) -> None:
    for restore in ("keras", "backup"):
        (found,) = cases[f"Attention × {restore}"].diagnoses
        assert (found.cause, found.stage, found.tensors) == (
            "generators-restarted",
            "omitted at save",
            ("multi_head_attention/dropout/seed_generator",),
        )


def test_variables_beside_the_model_are_seen(cases: dict[str, Case]) -> None:
    case = cases["SecondModel × keras"]
    assert case.outcome == "diverged"
    assert [(each.cause, each.tensors) for each in case.diagnoses] == [
        ("shadows-lost", ("kernel_average",))
    ]


def test_names_are_those_of_the_layers(cases: dict[str, Case]) -> None:
    names = list(at_boundary(cases["TwoInputs × keras"]))
    assert names[:4] == ["difference/kernel", "difference/bias", "sum/kernel", "sum/bias"]
    optimizer = {"3.12": "rmsprop"}.get(version("keras")[:4], "rm_sprop")  # what Keras calls it
    assert {
        f"{optimizer}/iteration",
        f"{optimizer}/learning_rate",
        f"{optimizer}/sum/kernel/velocity",
    } < set(names)
