"""The kind that a name shows, of live variables and of tensors in files."""

import itertools
import re

import pytest

from ckptcheck.kinds import Kind, by_name, is_moving_statistic

LIVE = [
    # name, letter, is_single, is_trained
    ("dense/kernel", "f", False, True, Kind.WEIGHT),
    ("dense/table", "f", False, False, Kind.OTHER),
    ("norm/moving_mean", "f", False, False, Kind.MOVING_STATISTIC),
    ("norm/moving_variance", "f", False, True, Kind.MOVING_STATISTIC),
    (
        "norm/moving_mean_1",
        "f",
        False,
        False,
        Kind.OTHER,
    ),  # a name given by the program
    ("norm/moving_mean_1", "f", False, True, Kind.WEIGHT),
    ("StateVar", "i", False, False, Kind.RNG),
    ("dropout/seed_generator/state", "u", False, False, Kind.RNG),
    ("my_state_var", "f", False, True, Kind.WEIGHT),
    ("kernel_average", "f", False, False, Kind.SHADOW),
    ("dense/ema", "f", False, True, Kind.SHADOW),
    ("dense/kernel/ExponentialMovingAverage", "f", False, False, Kind.SHADOW),
    ("dense/ExponentialMovingAverage/kernel", "f", False, False, Kind.SHADOW),
    ("ema_step", "i", True, False, Kind.SHADOW),
    ("step", "i", True, False, Kind.COUNTER),
    ("step", "f", True, False, Kind.OTHER),
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
    assert not is_moving_statistic("norm/moving_mean_1")


# The rules before they were merged; the kind of every name must stay the same.
PARTS = (
    *(
        "kernel",
        "moving_mean",
        "moving_variance",
        "StateVar",
        "seed_generator",
        "_state_var",
        "my_state_var",
        "ema",
        "average",
    ),
    *(
        "emag",
        "kernel_ema",
        "kernel_average",
        "ExponentialMovingAverage",
        "step",
        "_step",
        "global_step",
        "save_counter",
    ),
    *("iteration", "iterations", "epoch", "learning_rate", "beta", "ema_step", ""),
)
NAMES = [
    f"{first}{second}{number}"
    for first, second, number in itertools.product(
        ("", *(f"{part}/" for part in PARTS)), PARTS, ("", "_1", "_23")
    )
]


def live_before(name: str, letter: str, is_single: bool, is_trained: bool) -> Kind:
    last = name.rsplit("/", 1)[-1]
    if last in ("moving_mean", "moving_variance"):
        return Kind.MOVING_STATISTIC
    if last == "StateVar" or "seed_generator" in name:
        return Kind.RNG
    if (
        "ExponentialMovingAverage" in name
        or last.startswith(("ema", "average"))
        or last.endswith(("_ema", "_average"))
    ):
        return Kind.SHADOW
    if is_trained:
        return Kind.WEIGHT
    return Kind.COUNTER if letter in ("i", "u") and is_single else Kind.OTHER


def in_file_before(name: str, letter: str, is_single: bool) -> Kind:
    last = re.sub(r"_\d+$", "", name.rpartition("/")[2])
    if last in ("moving_mean", "moving_variance"):
        return Kind.MOVING_STATISTIC
    if "seed_generator" in name or "_state_var" in name or last == "StateVar":
        return Kind.RNG
    if not letter:
        return Kind.OTHER
    whole = letter in ("i", "u")
    counters = re.compile(r"_?((global_|local_)?step|save_counter|iterations?|epoch)")
    if (whole and is_single) or (is_single and counters.fullmatch(last)):
        return Kind.COUNTER
    if is_single and last == "learning_rate":
        return Kind.HYPERPARAMETER
    if last.startswith(("ema", "average")) or last.endswith(("_ema", "_average")):
        return Kind.SHADOW
    return Kind.OTHER if whole or letter == "b" else Kind.WEIGHT


@pytest.mark.parametrize("letter", ["f", "i", "u", "b", "c", "V", ""])
@pytest.mark.parametrize("is_single", [False, True])
def test_every_name_has_the_kind_it_had(letter: str, is_single: bool) -> None:
    for name in NAMES:
        assert by_name(name, letter, is_single) == in_file_before(name, letter, is_single), name
        for is_trained in (False, True):
            kind = by_name(name, letter, is_single, is_trained)
            assert kind == live_before(name, letter, is_single, is_trained), name
