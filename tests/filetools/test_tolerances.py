"""Tolerances on the command line."""

from pathlib import Path

import numpy as np
import pytest

from ckptcheck import Tolerance, UsageError
from ckptcheck.filetools.tolerances import tolerances
from ckptcheck.kinds import Kind
from tests.filetools.differing import TENSORS, between


def test_tolerances_of_kinds(tmp_path: Path) -> None:
    scaled = ("dense/kernel", "dense/kernel/Adam")
    b = TENSORS | {name: np.asarray(TENSORS[name]) * np.float32(1.001) for name in scaled}
    overall, by_kind = tolerances(["slot=0.01"], [], False)
    assert [
        pair.a.name
        for pair in between(tmp_path, TENSORS, b, tolerance=overall, by_kind=by_kind).different
    ] == ["dense/kernel"]
    overall, by_kind = tolerances(["0.01", "moving-statistic=0"], [], False)
    assert between(tmp_path, TENSORS, b, tolerance=overall, by_kind=by_kind).same


def test_invalid_tolerances() -> None:
    assert tolerances(["1e-3"], ["moving_statistic=2"], True) == (
        Tolerance(1e-3, 0.0, True),
        {Kind.MOVING_STATISTIC: Tolerance(1e-3, 2.0, True)},
    )
    with pytest.raises(
        UsageError,
        match=r"^--rtol 'much' is neither a number, such as 1e-6, nor a kind and a number, such as slot=1e-6\.$",
    ):
        tolerances(["much"], [], False)
    with pytest.raises(
        UsageError, match=r"^There is no kind of tensor called 'slots'\. Did you mean slot\?"
    ):
        tolerances(["slots=1"], [], False)
    with pytest.raises(UsageError, match=r"^rtol=0 and atol=-1 are not valid tolerances: "):
        tolerances([], ["weight=-1"], False)
