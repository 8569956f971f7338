"""Exceptions of the restore, or of the run after it, become diagnoses."""

import numpy as np
import pytest

from ckptcheck.diagnosis.catalogue import CAUSES, remedy
from ckptcheck.diagnosis.refusals import missing_keys, of_raising, of_refusal
from ckptcheck.job.protocol import Tensor
from ckptcheck.kinds import Kind
from ckptcheck.run.run import Failure, Run
from ckptcheck.text_safety import first_sentence
from tests.builder import changed, control, resumed

CONTROL = control({"v": Kind.WEIGHT})
RESUMED = resumed(CONTROL)
NOT_FOUND = Failure(
    "restore",
    "NotFoundError",
    "Key w/ExponentialMovingAverage not found in checkpoint\n\t [[node save]]",
)


def asked(keys: dict[str, str], *, held: tuple[str, ...] = ("w", "v", "mean")) -> Run:
    return changed(RESUMED, asked=keys, held=list(held))


def test_missing_keys() -> None:
    assert missing_keys(RESUMED) == []
    assert missing_keys(asked({"w": "w", "mean": "layer/mean", "v": "a/v"})) == [
        "a/v",
        "layer/mean",
    ]
    assert missing_keys(changed(RESUMED, asked=None)) == []
    assert missing_keys(changed(RESUMED, held=None)) == []


@pytest.mark.parametrize(
    ("type", "message"),
    [
        ("DataLossError", "Checksum does not match"),
        ("OutOfRangeError", "Read less bytes than requested"),
        ("BadZipFile", "File is not a zip file"),
        ("EOFError", "Ran out of input"),
        ("UnpicklingError", "pickle data was truncated"),
        ("JSONDecodeError", "Expecting value: line 1 column 1 (char 0)"),
        ("OSError", "Unable to open file (truncated file: eof = 96)"),
        ("OSError", "Unable to open file (File signature not found)"),
        ("ValueError", "zlib: the stream is CORRUPT"),
        ("OSError", "[Errno 22] Invalid argument"),
        ("SafetensorError", "Error while deserializing header: incomplete metadata"),
    ],
)
def test_a_damaged_file(type: str, message: str) -> None:
    # With any missing keys.
    found = of_refusal(Failure("restore", type, message), CONTROL, asked({"w": "gone"}))
    assert (found.cause, found.stage, found.tensors) == ("checkpoint-damaged", None, ())
    assert found.sentence == f"The checkpoint cannot be read: {type}: {message}."


def test_a_file_that_pytorch_refuses_is_not_damaged() -> None:
    message = (
        "Weights only load failed. This file can still be loaded, to do so you have two options.\n"
        "\tWeightsUnpickler error: Unsupported global: GLOBAL numpy.ndarray was not an allowed "
        "global by default. Please use `torch.serialization.add_safe_globals`."
    )
    found = of_refusal(Failure("restore", "UnpicklingError", message), CONTROL, RESUMED)
    assert (found.cause, found.sentence) == (
        "restore-raised",
        "The restore raised UnpicklingError: Weights only load failed: Unsupported global: GLOBAL "
        "numpy.ndarray was not an allowed global by default.",
    )
    told = remedy(CAUSES[found.cause], None, "torch", "torch.load", (), found.sentence)
    assert "torch.load(path, weights_only=False)" in told


def test_keys_that_pytorch_misses_are_named() -> None:
    message = 'Error(s) in loading state_dict for Linear:\n\tMissing key(s): "bias". '
    found = of_refusal(Failure("restore", "RuntimeError", message), CONTROL, RESUMED)
    assert found.sentence == (
        "The restore raised RuntimeError: Error(s) in loading state_dict for Linear: Missing "
        'key(s): "bias".'
    )
    told = remedy(CAUSES[found.cause], None, "torch", "torch.load", (), found.sentence)
    assert told.startswith("Build the model of the run that saved")


def test_no_key_is_missing() -> None:
    found = of_refusal(Failure("restore", "ValueError", "shapes differ\n(more)"), CONTROL, RESUMED)
    assert (found.cause, found.sentence) == (
        "restore-raised",
        "The restore raised ValueError: shapes differ.",
    )


def test_a_message_that_ends_as_a_sentence_gets_no_second_full_stop() -> None:
    found = of_refusal(Failure("restore", "ValueError", "Shapes differ."), CONTROL, RESUMED)
    assert found.sentence == "The restore raised ValueError: Shapes differ."


def test_keys_are_missing() -> None:
    found = of_refusal(NOT_FOUND, CONTROL, asked({"w": "w", "mean": "layer/mean", "v": "layer/v"}))
    assert (found.cause, found.tensors) == ("keys-not-in-checkpoint", ("layer/mean", "layer/v"))
    assert (
        found.sentence
        == "The restore asked for 2 keys that the checkpoint does not hold, such as layer/mean."
    )


AVERAGES = {"w": "w/EMA", "v": "v/EMA"}
SHADOWS = (
    "ema.variables_to_restore() maps every trainable variable to its shadow, even if the moving "
    "average was never applied to it."
)


def test_shadows_that_never_existed() -> None:
    found = of_refusal(NOT_FOUND, CONTROL, asked(AVERAGES))
    assert (found.cause, found.tensors) == ("shadows-not-in-checkpoint", ("v/EMA", "w/EMA"))
    assert found.sentence == (
        "The restore asked for 2 shadow variables that the checkpoint does not hold, such as v/EMA."
    )
    assert found.detail == (
        f"{SHADOWS} Here it was applied to the batch means and variances only, so these shadows "
        "never existed."
    )


def test_shadows_that_never_existed_without_batch_norm() -> None:
    plain = changed(CONTROL, boundary={"mean": None})
    assert of_refusal(NOT_FOUND, plain, asked(AVERAGES)).detail.endswith(
        " Here it was applied to other variables, so these shadows never existed."
    )


def test_shadows_that_the_save_left_out() -> None:
    live = changed(CONTROL, boundary={"w/EMA": Tensor(Kind.SHADOW, np.ones(3))})
    found = of_refusal(NOT_FOUND, live, asked({"w": "w/EMA", "v": "v"}))
    assert (found.cause, found.tensors) == ("shadows-not-in-checkpoint", ("w/EMA",))
    assert found.sentence == (
        "The restore asked for 1 shadow variable that the checkpoint does not hold: w/EMA."
    )
    assert found.detail.endswith(
        " Here they are live in the run that saved, but the save left them out."
    )


@pytest.mark.parametrize(
    "keys",
    [
        {"w": "w/EMA", "v": "v"},  # one weight of two: a layer may have been renamed
        {"w": "w/EMA", "v": "v/average"},  # in two ways
        {"w": "first", "v": "second"},  # not made of the weight's name
        {"mean": "mean/EMA", "w": "w", "v": "v"},  # no weight
        {"w": "w/EMA", "v": "v/EMA", "step": "counter"},  # another key is missing, too
        {"w": "w", "v": "v", "step": "step"},  # under its own name
    ],
)
def test_keys_that_are_not_shadows(keys: dict[str, str]) -> None:
    assert of_refusal(NOT_FOUND, CONTROL, asked(keys)).cause == "keys-not-in-checkpoint"


def test_one_weight_is_enough_where_there_is_one() -> None:
    assert of_refusal(
        NOT_FOUND, control(), asked({"w": "w/EMA", "step": "step"}, held=("step",))
    ).cause == ("shadows-not-in-checkpoint")


@pytest.mark.parametrize(
    ("failure", "sentence"),
    [
        (
            Failure("train", "ValueError", "no slot", 5, "job.py:12"),
            "The restore raised nothing, but the resumed run raised in train, step 5: ValueError: no slot (job.py:12).",
        ),
        (
            Failure("evaluate", "KeyError", "'mean'"),
            "The restore raised nothing, but the resumed run raised in evaluate: KeyError: 'mean'.",
        ),
        (
            Failure("train", "ValueError", "", 0),
            "The restore raised nothing, but the resumed run raised in train, step 0: ValueError: (no text).",
        ),
    ],
)
def test_a_run_that_raises(failure: Failure, sentence: str) -> None:
    found = of_raising(failure)
    assert (found.cause, found.sentence, found.stage, found.tensors) == (
        "resumed-run-raised",
        sentence,
        None,
        (),
    )


GRAPH_ERROR = """Graph execution error:

Detected at node AssignVariableOp defined at (most recent call last):
  File "/site-packages/keras/src/layers/rnn/rnn.py", line 382, in call
  File "/site-packages/keras/src/backend/common/variables.py", line 1, in assign

Cannot update variable with shape [8,3] using a Tensor with shape [32,3]
\t [[{{node AssignVariableOp}}]] [Op:__inference_one_step_on_iterator_1]
"""


@pytest.mark.parametrize(
    ("message", "line"),
    [
        ("one\ntwo", "one"),
        ("\n  one  \ntwo", "one  "),
        ("", "(no text)"),
        (" \n ", "(no text)"),
        ("x" * 200, "x" * 200),
        (
            "Exception encountered when calling Net.call().\n\n\x1b[1mNo `bool` here.\x1b[0m\n\nArguments:",
            "No `bool` here.",
        ),
        (
            'in user code:\n\n    File "train.py", line 5, in call  *\n        x: int = f(y)\n\n'
            "    ValueError: Exception encountered when calling Dense.call().\n\n    No bool.\n",
            "No bool.",
        ),
        (
            "Exception encountered when calling Net.call().",
            "Exception encountered when calling Net.call().",
        ),
        ("x" * 201, "x" * 199 + "…"),
        (GRAPH_ERROR, "Cannot update variable with shape [8,3] using a Tensor with shape [32,3]"),
        (
            "Graph execution error:\n\nAttempting to use uninitialized value v\n\t [[{{node v}}]]",
            "Attempting to use uninitialized value v",
        ),
        (
            "Graph execution error:\n\n2 root error(s) found.\n  (0) INVALID_ARGUMENT:  Need more "
            "rows\n\t [[{{node a}}]]\n  (1) CANCELLED:  Stopped\n\t [[{{node b}}]]",
            "Need more rows",
        ),
        ("Graph execution error:", "Graph execution error:"),
        (
            "Exception encountered when calling Dense.call().\n\n\x1b[1mNo shape.\x1b[0m\n\n"
            "Arguments received by Dense.call():\n  • x=1",
            "No shape.",
        ),
        (
            'in user code:\n\n    File "job.py", line 3, in train_step  *\n        x + y\n\n'
            "    ValueError: Shapes differ.\n",
            "Shapes differ.",
        ),
    ],
)
def test_first_sentence(message: str, line: str) -> None:
    assert first_sentence(message) == line
