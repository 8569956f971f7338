"""What to do about noise once settings of the framework were tried."""

from ckptcheck.diagnosis.settings import DIFFERENT, EQUAL, after_trying

CUDNN, ALL = "torch.backends.cudnn.deterministic = True", "torch.use_deterministic_algorithms(True)"


def test_the_setting_that_makes_two_controls_equal_is_named() -> None:
    assert after_trying({CUDNN: DIFFERENT, ALL: EQUAL}, "Seed it.") == (
        "Set torch.use_deterministic_algorithms(True): two controls with it are equal, bit for "
        "bit. Or measure the noise with --repeat N: losses are then judged against it."
    )


def test_settings_that_change_nothing_or_raise_are_named() -> None:
    tried = {CUDNN: DIFFERENT, ALL: "it exited with status 1: RuntimeError: no such kernel"}
    assert after_trying(tried, "Seed it.") == (
        "Two controls differ with torch.backends.cudnn.deterministic = True, too. With "
        "torch.use_deterministic_algorithms(True), it exited with status 1: RuntimeError: no such "
        "kernel. Measure the noise with --repeat N: losses are then judged against it."
    )


def test_nothing_tried_leaves_the_remedy() -> None:
    assert after_trying({}, "Seed it.") == "Seed it."
