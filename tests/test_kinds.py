"""The kind that a name shows, of live variables and of tensors in files."""

import pytest

from ckptcheck.kinds import Kind, by_name, is_moving_statistic

LIVE = [
    # name, letter, is_single, is_trained
    ("dense/kernel", "f", False, True, Kind.WEIGHT),
    ("dense/table", "f", False, False, Kind.OTHER),
    ("norm/moving_mean", "f", False, False, Kind.MOVING_STATISTIC),
    ("norm/moving_variance", "f", False, True, Kind.MOVING_STATISTIC),
    ("norm/moving_mean_1", "f", False, False, Kind.MOVING_STATISTIC),
    ("bn/running_mean", "f", False, False, Kind.MOVING_STATISTIC),
    ("bn/running_var_2", "f", False, False, Kind.MOVING_STATISTIC),
    ("runningVariance", "f", False, False, Kind.MOVING_STATISTIC),
    ("norm/mean", "f", False, False, Kind.OTHER),  # of a Normalization layer: it never moves
    ("StateVar", "i", False, False, Kind.RNG),
    ("dropout/seed_generator/state", "u", False, False, Kind.RNG),
    ("my_state_var", "f", False, True, Kind.WEIGHT),
    ("kernel_average", "f", False, False, Kind.SHADOW),
    ("dense/ema", "f", False, True, Kind.SHADOW),
    ("dense/kernel/ExponentialMovingAverage", "f", False, False, Kind.SHADOW),
    ("dense/ExponentialMovingAverage/kernel", "f", False, False, Kind.SHADOW),
    ("ema/3", "f", False, False, Kind.SHADOW),
    ("polyak_kernel", "f", False, False, Kind.SHADOW),
    ("ema/kernel", "f", False, True, Kind.WEIGHT),  # of a layer called ema
    ("emag", "f", False, False, Kind.OTHER),
    ("grad_acc", "f", False, False, Kind.ACCUMULATOR),
    ("accumulated_gradients_2", "f", False, True, Kind.ACCUMULATOR),
    ("dense/kernel/grad_sum", "f", False, False, Kind.ACCUMULATOR),
    ("accumulator", "f", False, False, Kind.OTHER),  # of what?
    ("ema_step", "i", True, False, Kind.COUNTER),
    ("Variable", "i", True, True, Kind.COUNTER),  # TensorFlow's default is trainable=True
    ("table", "i", False, True, Kind.OTHER),
    ("done", "b", True, True, Kind.OTHER),
    ("words", "", False, True, Kind.OTHER),
    ("step", "i", True, False, Kind.COUNTER),
    ("step", "f", True, False, Kind.COUNTER),
    ("step", "f", True, True, Kind.WEIGHT),  # of a quantiser, which learns it
    ("steps_of_each", "i", False, False, Kind.OTHER),
    ("learning_rate", "f", True, False, Kind.OTHER),
]
IN_FILES = [
    # name, letter, is_single
    ("dense/kernel", "f", False, Kind.WEIGHT),
    ("dense/kernel", "V", False, Kind.WEIGHT),  # bfloat16
    ("dense/classes", "i", False, Kind.OTHER),
    ("dense/mask", "b", False, Kind.OTHER),
    ("dense/words", "", False, Kind.OTHER),
    ("norm/moving_mean_1", "f", False, Kind.MOVING_STATISTIC),
    ("norm/moving_variance", "", False, Kind.MOVING_STATISTIC),
    ("generator/_state_var/StateVar", "i", False, Kind.RNG),
    ("generator/_state_var", "i", False, Kind.RNG),
    ("StateVar_2", "i", False, Kind.RNG),
    ("dropout/seed_generator/state", "u", False, Kind.RNG),
    ("global_step", "i", True, Kind.COUNTER),
    ("anything", "u", True, Kind.COUNTER),
    ("iterations", "f", True, Kind.COUNTER),
    ("_epoch_3", "f", True, Kind.COUNTER),
    ("iterations", "f", False, Kind.WEIGHT),
    ("adam/learning_rate", "f", True, Kind.HYPERPARAMETER),
    ("adam/learning_rate", "f", False, Kind.WEIGHT),
    ("average_7", "f", False, Kind.SHADOW),
    (
        "ema_step",
        "i",
        True,
        Kind.COUNTER,
    ),  # in a file, a single integer counts as a counter first
    (
        "kernel/ExponentialMovingAverage",
        "f",
        False,
        Kind.WEIGHT,
    ),  # other keys show whose average it is
]


@pytest.mark.parametrize(("name", "letter", "is_single", "is_trained", "kind"), LIVE)
def test_of_a_live_variable(
    name: str, letter: str, is_single: bool, is_trained: bool, kind: Kind
) -> None:
    assert by_name(name, letter, is_single, is_trained) == kind


@pytest.mark.parametrize(("name", "letter", "is_single", "kind"), IN_FILES)
def test_of_a_tensor_in_a_file(name: str, letter: str, is_single: bool, kind: Kind) -> None:
    assert by_name(name, letter, is_single) == kind


def test_moving_statistics_by_their_last_part() -> None:
    assert is_moving_statistic("norm/moving_mean")
    assert is_moving_statistic("moving_variance")
    assert not is_moving_statistic("moving_mean/kernel")
    assert not is_moving_statistic("moving_mean_of_it")
