"""Why a case is inconclusive: each reason as a whole sentence."""

import math
from dataclasses import replace
from typing import Any

import pytest

from ckptcheck.comparison.compare import compare
from ckptcheck.comparison.noise_floor import NoiseFloor
from ckptcheck.report.validity import (
    why_noise_decides,
    why_not_comparable,
    why_nothing_compared,
    why_unjudged,
)
from ckptcheck.run.run import RECORDED, Run
from tests.builder import changed, control, cut, resumed

CONTROL = control()
RESUMED = resumed(CONTROL)
SCRIPT = changed(CONTROL, role=RECORDED)
NAMES = list(CONTROL.boundary)


def test_a_clean_pair_can_be_judged() -> None:
    assert why_not_comparable(CONTROL, RESUMED) is None
    assert why_nothing_compared(compare(CONTROL, RESUMED)) is None
    assert why_noise_decides(NoiseFloor(1), asked=True) is None


# --- Two runs that cannot be compared -----------------------------------------------------------


@pytest.mark.parametrize(
    ("control", "resumed", "reason"),
    [
        (
            CONTROL,
            changed(RESUMED, process=1, started=1.0),
            (
                "The control and the resumed run are the same process. Restore in a new "
                "process, so that nothing survives in memory."
            ),
        ),
        (
            CONTROL,
            changed(RESUMED, hash_seed="1"),
            (
                "Both runs had PYTHONHASHSEED=1, so a dependence on the order of sets would not "
                "show. Set a different value for the resumed run."
            ),
        ),
        (
            CONTROL,
            changed(RESUMED, environment={"python": "3.13.0", "numpy": "2.1.0"}),
            (
                "The two runs had different environments: numpy is 2.1.0 (control: unknown); "
                "python is 3.13.0 (control: 3.12.1). Run both in the same environment."
            ),
        ),
        (
            changed(CONTROL, losses={2: math.nan}),
            RESUMED,
            (
                "The control's training loss is nan at step 2, so no training is left to "
                "compare. Fix the job, or count NaN as equal with --equal-nan."
            ),
        ),
        (
            changed(CONTROL, losses={7: -math.inf}),
            RESUMED,
            (
                "The control's training loss is -inf at step 7, so no training is left to "
                "compare. Fix the job, or count NaN as equal with --equal-nan."
            ),
        ),
        (
            changed(CONTROL, evaluations={6: math.inf}),
            RESUMED,
            (
                "The control's evaluation loss is inf after 6 steps, so no training is left to "
                "compare. Fix the job, or count NaN as equal with --equal-nan."
            ),
        ),
    ],
)
def test_runs_that_cannot_be_compared(control: Run, resumed: Run, reason: str) -> None:
    assert why_not_comparable(control, resumed) == reason


@pytest.mark.parametrize(
    ("control", "resumed"),
    [
        (CONTROL, changed(RESUMED, process=1)),  # numbers of processes come again
        (changed(CONTROL, hash_seed="random"), changed(RESUMED, hash_seed="random")),
        (SCRIPT, changed(RESUMED, role=RECORDED, hash_seed="1")),  # then a warning says so
        (CONTROL, changed(RESUMED, losses={6: math.nan})),  # that is what is to be found out
    ],
)
def test_runs_that_can_be_compared(control: Run, resumed: Run) -> None:
    assert why_not_comparable(control, resumed) is None


def test_a_control_with_nan_can_be_judged_on_request() -> None:
    nan = changed(CONTROL, losses={2: math.nan}, evaluations={6: math.nan})
    assert why_not_comparable(nan, RESUMED, equal_nan=True) is None


# --- A comparison that proves nothing -----------------------------------------------------------

GONE = dict.fromkeys(NAMES)


@pytest.mark.parametrize(
    ("control", "resumed", "reason"),
    [
        (
            changed(CONTROL, boundary=GONE),
            changed(RESUMED, boundary=GONE),
            "No state tensor was compared: the job's `state` returned none.",
        ),
        (
            changed(CONTROL, final=GONE),
            changed(RESUMED, final=GONE),
            (
                "No final state was compared: the job's `state` returned no tensor after the "
                "last step."
            ),
        ),
        (
            changed(CONTROL, final={"w": None, "mean": None}),
            changed(RESUMED, final={"w": None, "mean": None}),
            (
                "2 of 6 state tensors are missing after the last step, such as mean. Return "
                "every tensor from the job's `state` each time."
            ),
        ),
        (CONTROL, cut(RESUMED, 0), "No training step was compared: the resumed run executed none."),
        (
            CONTROL,
            cut(RESUMED, 2),
            (
                "Only 2 of the control's 3 steps after the boundary were compared: the resumed "
                "run ended early."
            ),
        ),
        (
            CONTROL,
            changed(RESUMED, evaluations=dict.fromkeys((5, 6, 8))),
            "No evaluation was compared: the runs have none in common.",
        ),
        (
            CONTROL,
            changed(
                RESUMED, initial={name: tensor.value for name, tensor in CONTROL.boundary.items()}
            ),
            (
                "The restore had nothing to do: before it, every tensor of the new process "
                "already equalled the control's at the boundary. Build the job from the seed "
                "that it is given."
            ),
        ),
    ],
)
def test_comparisons_that_prove_nothing(control: Run, resumed: Run, reason: str) -> None:
    assert why_nothing_compared(compare(control, resumed)) == reason


@pytest.mark.parametrize(
    ("tensors", "reason"),
    [
        (
            {"boundary": dict.fromkeys(CONTROL.boundary), "final": dict.fromkeys(CONTROL.final)},
            "No state tensor was compared: the command held no variable.",
        ),
        (
            {"final": dict.fromkeys(CONTROL.final)},
            "No final state was compared: the command held no variable after the last step.",
        ),
        (
            {"final": {"w": None}},
            "1 of 6 state tensors is missing after the last step: w. Keep the model and its optimizer until the program ends.",
        ),
    ],
)
def test_commands_that_prove_nothing(tensors: dict[str, Any], reason: str) -> None:
    comparison = compare(changed(CONTROL, **tensors), changed(RESUMED, **tensors))
    assert why_nothing_compared(comparison, of_command=True) == reason


def test_a_script_need_not_evaluate() -> None:
    comparison = replace(compare(CONTROL, RESUMED), evaluations=())
    assert why_nothing_compared(comparison) == (
        "No evaluation was compared: the runs have none in common."
    )
    assert why_nothing_compared(comparison, may_lack_evaluation=True) is None


def test_one_tensor_is_enough_to_show_a_restore() -> None:
    as_it_will_be = {
        name: tensor.value for name, tensor in CONTROL.boundary.items() if name != "step"
    }
    assert why_nothing_compared(compare(CONTROL, changed(RESUMED, initial=as_it_will_be))) is None


def test_a_tensor_at_the_end_of_one_run_is_enough() -> None:
    assert why_nothing_compared(compare(CONTROL, changed(RESUMED, final={"w": None}))) is None


# --- Noise, and tensors that cannot be judged ---------------------------------------------------


@pytest.mark.parametrize(
    ("noise", "asked", "reason"),
    [
        (
            NoiseFloor(1, batches_differ=True),
            True,
            (
                "The order of batches differs between two controls, so the next batch cannot be "
                "judged. Seed the shuffle order."
            ),
        ),
        (
            NoiseFloor(1, batches_differ=True),
            False,
            (
                "The order of batches differs between two controls, so the next batch cannot be "
                "judged. Seed the shuffle order."
            ),
        ),
        (
            NoiseFloor(1),
            False,
            (
                "Every tensor at the boundary is equal, but the job is not reproducible, so a "
                "difference after it may be noise. Measure the noise with --repeat N."
            ),
        ),
        (NoiseFloor(1, draws_differ=True, hyperparameters_differ=True), True, None),
    ],
)
def test_whether_noise_decides(noise: NoiseFloor, asked: bool, reason: str | None) -> None:
    assert why_noise_decides(noise, asked=asked) == reason


@pytest.mark.parametrize(
    ("names", "which"),
    [(["a"], "a is"), (["a", "b"], "a and 1 more are"), (["a", "b", "c"], "a and 2 more are")],
)
def test_tensors_that_cannot_be_judged(names: list[str], which: str) -> None:
    assert why_unjudged(names) == (
        f"{which} created in the first resumed step, which an accepted difference already "
        f"affected: whether {'it was' if len(names) == 1 else 'they were'} restored is unknown. "
        "Return the requested keys from the job's `restore` (Restored), or create the "
        f"{'tensor' if len(names) == 1 else 'tensors'} before it."
    )


def test_of_files_nothing_is_said_about_the_boundary() -> None:
    noise = NoiseFloor(1, first_difference="the training loss of step 3 differs")
    assert why_noise_decides(noise, asked=True, of_files=True) is None
    assert why_noise_decides(noise, asked=False, of_files=True) == (
        "The command is not reproducible, so a difference after the save may be noise. Measure the noise with --repeat N."
    )
