"""Models that change within `fit` are recorded; what is not there at the restore is named."""

from pathlib import Path

import pytest

from ckptcheck import Case, Report, verify

# One verification of all jobs, which a busy machine takes minutes for.
pytestmark = [pytest.mark.trials, pytest.mark.timeout(900)]

JOBS = Path(__file__).with_name("changing_models.py")
RIGHT = (
    "RemadeEachEpoch × keras",
    "RecompiledEachEpoch × keras",
    "OfFixedBatches × checkpoint",
    "ValidatesTwoBatches × keras",
    "Called × backup",
    "Lora × checkpoint",
    "NamedLoss × keras",
    "SavesWords × checkpoint",
)
WRONG = ("Turned", "BuiltInName", "LambdaLoss", "SaveRaises", "CountsWords")


@pytest.fixture(scope="module")
def cases() -> dict[str, Case]:
    names = dict.fromkeys([*(name.partition(" ")[0] for name in RIGHT), *WRONG])
    report: Report = verify([f"{JOBS}:{name}" for name in names], unsaved=False)
    return {case.name.rpartition(":")[2]: case for case in report.cases}


@pytest.mark.parametrize("name", RIGHT)
def test_right_jobs_recover(name: str, cases: dict[str, Case]) -> None:
    case = cases[name]
    assert (case.outcome, case.reason) == ("recovered", None), case.diagnoses
    document = case.document()
    assert document["batches"]["compared"] == document["batches"]["equal"] >= 8
    assert case.control is not None
    assert len({step.loss for step in case.control.steps}) > 8


def test_a_fault_of_the_data_is_seen(cases: dict[str, Case]) -> None:
    case = cases["Turned × keras"]
    assert [each.cause for each in case.diagnoses] == ["data-order"]
    assert case.document()["batches"] == {"compared": 12, "equal": 0}


def test_variables_that_are_made_in_the_first_step(cases: dict[str, Case]) -> None:
    (found,) = cases["BuiltInName × backup"].diagnoses
    assert found.cause == "resumed-run-raised"
    assert found.sentence.startswith(
        "The restore raised nothing, but the resumed run raised in train, step 16: ValueError: "
        "Unknown variable: "
    )
    assert found.remedy == (
        "Create every variable before the model is compiled: call it on a batch, model(x[:1]). A "
        "subclass without a `build` of its own creates none in model.build(shape), so that the "
        "restore skips its weights and its optimizer with a warning."
    )


@pytest.mark.parametrize("restore", ["keras", "weights", "backup"])
def test_merged_weights(restore: str, cases: dict[str, Case]) -> None:
    found = cases[f"Lora × {restore}"].diagnoses
    assert [(each.cause, each.stage, each.tensors) for each in found] == [
        ("weights-lost", "omitted at save", ("dense/lora_kernel_a", "dense/lora_kernel_b")),
        ("state-lost", "omitted at save", ("dense/kernel",)),
    ]
    assert {each.remedy for each in found} == {
        "Save a tf.train.Checkpoint(model=model, optimizer=model.optimizer). Keras's own files "
        "hold the kernel of a layer with enable_lora with its LoRA weights merged into it: after a "
        "restore, neither is what it was."
    }


def test_a_lambda(cases: dict[str, Case]) -> None:
    (found,) = cases["LambdaLoss × keras"].diagnoses
    assert (found.cause, found.remedy) == (
        "restore-raised",
        "Give the function a name and register it, @keras.saving.register_keras_serializable(), in "
        "place of the lambda. keras.models.load_model(path, safe_mode=False) takes a lambda, but "
        "then it finds no name that is defined outside of it.",
    )


def test_a_save_that_raises(cases: dict[str, Case]) -> None:
    assert cases["SaveRaises × weights"].reason == (
        "The control did not finish: the save for keras failed. To judge the others, write "
        "restores = ('weights', 'checkpoint'). The error is NotImplementedError: no config."
    )


def test_a_table_is_state(cases: dict[str, Case]) -> None:
    found = cases["CountsWords × checkpoint"].diagnoses
    assert [(each.cause, each.tensors) for each in found] == [
        ("state-lost", ("words/contents",)),
        ("batches-differ", ()),
    ]
