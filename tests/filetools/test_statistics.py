"""Statistics of values."""

import math
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from ckptcheck.arrays import Array
from ckptcheck.filetools.inspect import inspect
from ckptcheck.filetools.statistics import Statistics, of_chunks
from tests.checkpoints.bundles import Value, write


def of(folder: Path, **tensors: Value) -> dict[str, Statistics]:
    return {entry.name: found for entry, found in inspect(write(folder / "x", tensors)).tensors}


def test_statistics(tmp_path: Path) -> None:
    found = of(
        tmp_path,
        floats=np.array([0.0, -1, 3, math.nan, math.inf, -math.inf], "float32"),
        half=np.array([0.5, 1.5], ml_dtypes.bfloat16),
        small=np.array([-8, 7], ml_dtypes.int4),
        whole=np.array([-(2**63), 2**63 - 1]),
        flags=np.array([True, False, True, True]),
        complex=np.array([0, 1j, complex(math.nan, 0)], "complex64"),
        nothing=np.zeros((0, 3), "float32"),
        nan=np.array([math.nan]),
        text=[b"one", b""],
        step=np.array(7),
    )
    assert found["floats"].std == pytest.approx(math.sqrt(26) / 3)
    assert found == {
        "floats": Statistics(-1.0, 3.0, 2 / 3, found["floats"].std, 1, 1, 2),
        "half": Statistics(0.5, 1.5, 1.0, 0.5, 0, 0, 0),
        "small": Statistics(-8, 7, -0.5, 7.5, 0, 0, 0),
        "whole": Statistics(-(2**63), 2**63 - 1, 0.0, 2.0**63, 0, 0, 0),
        "flags": Statistics(False, True, 0.75, math.sqrt(3) / 4, 1, 0, 0),
        "complex": Statistics(None, None, None, None, 1, 1, 0),
        "nothing": Statistics(None, None, None, None, 0, 0, 0),
        "nan": Statistics(None, None, None, None, 0, 1, 0),
        "text": Statistics(None, None, None, None, None, None, None),
        "step": Statistics(7, 7, 7.0, 0.0, 0, 0, 0),
    }


@given(
    arrays.arrays(np.float32, st.integers(1, 50), elements=st.floats(-1e6, 1e6, width=32)),
    st.integers(1, 20),
)
def test_chunks_do_not_change_statistics(values: Array, size: int) -> None:
    found = of_chunks(values[at : at + size] for at in range(0, len(values), size))
    exact = values.astype("float64")
    assert (found.min, found.max, found.zeros) == (
        exact.min(),
        exact.max(),
        int((exact == 0).sum()),
    )
    assert found.mean == pytest.approx(exact.mean(), rel=1e-12, abs=1e-12 * abs(exact).max())
    assert found.std == pytest.approx(exact.std(), rel=1e-9, abs=1e-12 * abs(exact).max())


def test_a_small_deviation_from_a_large_mean() -> None:
    """The mean square minus the squared mean would be off by more than the deviation."""
    values = 1e8 + np.arange(4.0)
    assert of_chunks([values[:1], values[1:]]).std == pytest.approx(math.sqrt(5) / 2, rel=1e-6)
