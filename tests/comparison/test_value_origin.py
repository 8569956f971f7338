"""What a resumed value equals instead: each word is planted once, and nothing is guessed."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from ckptcheck.comparison.value_origin import Origin, OriginLookup
from ckptcheck.job import Kind, Tensor
from ckptcheck.job.schedule import Schedule
from ckptcheck.run.run import Facts, Run

DRAW = np.random.default_rng(0)
WEIGHT = DRAW.normal(size=(3, 4)).astype("float32")
STATES = {
    "initial": {
        "w": WEIGHT * 0 + 1,
        "v": WEIGHT[::-1] + 3,
        "w/average": WEIGHT * 0,
        "scale": np.array(1.0),
        "ones": np.ones(3),
    },
    "boundary-4": {
        "w": WEIGHT + 1,
        "v": WEIGHT + 4,
        "w/average": WEIGHT / 2,
        "scale": np.array(1.5),
        "ones": np.ones(3),
    },
    "boundary-9": {
        "w": WEIGHT,
        "v": WEIGHT[::-1] * 2,
        "w/average": WEIGHT / 3,
        "scale": np.array(2.5),
        "ones": np.full(3, 7.0),
    },
}
KINDS = {
    "w": Kind.WEIGHT,
    "v": Kind.WEIGHT,
    "w/average": Kind.SHADOW,
    "scale": Kind.OTHER,
    "ones": Kind.OTHER,
}


def holding(states: dict[str, dict[str, np.ndarray]], saved: Sequence[int] = ()) -> Run:
    """Return a run with these values at these points."""
    snapshots = {
        point: {name: Tensor(KINDS[name], value) for name, value in state.items()}
        for point, state in states.items()
    }
    return Run(
        Path(),
        Facts("control", "job", None, 0, Schedule(20, 9, 10), saved=list(saved)),
        (),
        snapshots,
    )


@pytest.fixture
def lookup() -> OriginLookup:
    fresh = {name: value + 10 for name, value in STATES["initial"].items()}
    return OriginLookup(
        holding(STATES, [4, 9]), holding({"initial": fresh, "boundary-9": STATES["boundary-9"]})
    )


def found(lookup: OriginLookup, name: str, value: np.ndarray) -> Origin:
    return lookup.of(
        name, Tensor(KINDS[name], STATES["boundary-9"][name]), Tensor(KINDS[name], value)
    )


@pytest.mark.parametrize(
    ("name", "value", "what", "other", "number", "older"),
    [
        ("w", WEIGHT * 0 + 1, "initial", "", None, None),
        ("w", WEIGHT * 0 + 11, "fresh", "", None, None),
        ("w", np.zeros_like(WEIGHT), "zero", "", None, None),
        ("w", WEIGHT / 3, "tensor", "w/average", None, None),
        ("w", WEIGHT[::-1] * 2, "tensor", "v", None, None),
        ("w", WEIGHT + 1, "older", "", None, 4),
        ("w", WEIGHT.astype("float16").astype("float32"), "narrower", "float16", None, None),
        ("w", np.nextafter(WEIGHT, 9), "rounding", "", None, None),
        ("w", WEIGHT * np.float32(0.99), "factor", "", 0.99, None),
        ("w", WEIGHT + 0.01, "", "", None, None),
        ("w", WEIGHT[::-1], "", "", None, None),
        # Many tensors may hold one number throughout, or a scalar.
        ("scale", np.array(7.0), "", "", None, None),
        ("ones", np.full(3, 5.0), "", "", None, None),
        # The value of the earlier save is the initial one: both are known.
        ("ones", np.ones(3), "initial", "", None, 4),
    ],
)
def test_words(
    lookup: OriginLookup,
    name: str,
    value: np.ndarray,
    what: str,
    other: str,
    number: float | None,
    older: int | None,
) -> None:
    instead = found(lookup, name, value)
    assert (instead.what, instead.name, instead.older) == (what, other, older)
    if number is not None:
        assert instead.value == pytest.approx(number)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_rounded_or_cut_to_a_narrower_dtype(dtype: str) -> None:
    import ml_dtypes

    narrow = np.dtype(getattr(ml_dtypes, dtype, dtype))
    wide = DRAW.normal(size=50)
    run = holding({"initial": {}, "boundary-9": {}})
    rounded = wide.astype(narrow)
    cut = np.where(
        np.abs(rounded.astype("float64")) > np.abs(wide),
        np.nextafter(rounded, narrow.type(0)),
        rounded,
    )
    for value in (rounded, cut):
        instead = OriginLookup(run, run).of(
            "x", Tensor(Kind.WEIGHT, wide), Tensor(Kind.WEIGHT, value.astype("float64"))
        )
        assert (instead.what, instead.name) == ("narrower", dtype)


def test_integers_through_float32() -> None:
    run = holding({"initial": {}, "boundary-9": {}})
    control, resumed = np.array([2**24 + 1]), np.array([2**24])
    assert (
        OriginLookup(run, run)
        .of("n", Tensor(Kind.COUNTER, control), Tensor(Kind.COUNTER, resumed))
        .name
        == "float32"
    )
