"""Values of options as people write them."""

import math
import re

import click
import pytest

from ckptcheck.cli.options import seconds


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("300", 300),
        ("5m", 300),
        ("1.5h", 5400),
        ("90s", 90),
        ("1e2", 100),
        (30.0, 30),
        ("-1m", -60),
    ],
)
def test_a_time(text: str | float, value: float) -> None:
    assert seconds(text) == value


def test_a_time_without_end() -> None:
    assert math.isinf(seconds("inf"))


@pytest.mark.parametrize("text", ["", "m", "5x", "5 minutes", "1:30"])
def test_what_is_not_a_time_is_shown(text: str) -> None:
    message = f"'{text}' is not a time. Write seconds, minutes or hours: 300, 5m, 1h."
    with pytest.raises(click.BadParameter, match=f"^{re.escape(message)}$"):
        seconds(text)
