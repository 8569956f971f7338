"""What a resumed value equals instead: every word is planted once, and nothing is guessed."""

from pathlib import Path

import numpy as np
import pytest

from ckptcheck.comparison.rename_matching import match
from ckptcheck.comparison.value_origin import Origin, OriginLookup
from ckptcheck.job import Kind, Tensor
from ckptcheck.job.schedule import Schedule
from ckptcheck.run.folder import Recorder, read
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
    "boundary-4": {"w": WEIGHT + 1, "v": WEIGHT + 4, "w/average": WEIGHT / 2, "scale": np.array(1.5), "ones": np.ones(3)},
    "boundary-9": {
        "w": WEIGHT,
        "v": WEIGHT[::-1] * 2,
        "w/average": WEIGHT / 3,
        "scale": np.array(2.5),
        "ones": np.full(3, 7.0),
    },
}
KINDS = {"w": Kind.WEIGHT, "v": Kind.WEIGHT, "w/average": Kind.SHADOW, "scale": Kind.OTHER, "ones": Kind.OTHER}


def recorded(folder: Path, states: dict[str, dict[str, np.ndarray]], saved: list[int]) -> Run:
    folder.mkdir()
    recorder = Recorder(folder, Facts("control", "job", None, 0, Schedule(20, 9, 10), saved=saved))
    for point, state in states.items():
        recorder.snapshot(point, {name: Tensor(KINDS[name], value) for name, value in state.items()})
    recorder.close()
    return read(folder)


@pytest.fixture
def lookup(tmp_path: Path) -> OriginLookup:
    control = recorded(tmp_path / "control", STATES, [4, 9])
    fresh = {name: value + 10 for name, value in STATES["initial"].items()}
    return OriginLookup(control, recorded(tmp_path / "resumed", {"initial": fresh, "boundary-9": STATES["boundary-9"]}, []))


def found(lookup: OriginLookup, name: str, value: np.ndarray) -> Origin:
    return lookup.of(name, Tensor(KINDS[name], STATES["boundary-9"][name]), Tensor(KINDS[name], value))


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
        # One number all over, or a scalar, is many a tensor's value.
        ("scale", np.array(7.0), "", "", None, None),
        ("ones", np.full(3, 5.0), "", "", None, None),
        # What was empty at the earlier save is what it is initially; both are known.
        ("ones", np.ones(3), "initial", "", None, 4),
    ],
)
def test_words(
    lookup: OriginLookup, name: str, value: np.ndarray, what: str, other: str, number: float | None, older: int | None
) -> None:
    instead = found(lookup, name, value)
    assert (instead.what, instead.name, instead.older) == (what, other, older)
    if number is not None:
        assert instead.value == pytest.approx(number)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_rounded_or_cut_to_a_narrower_dtype(tmp_path: Path, dtype: str) -> None:
    import ml_dtypes

    narrow = np.dtype(getattr(ml_dtypes, dtype, dtype))
    wide = DRAW.normal(size=50)
    run = recorded(tmp_path / "run", {"initial": {}, "boundary-9": {}}, [])
    rounded = wide.astype(narrow)
    cut = np.where(np.abs(rounded.astype("float64")) > np.abs(wide), np.nextafter(rounded, narrow.type(0)), rounded)
    for value in (rounded, cut):
        instead = OriginLookup(run, run).of("x", Tensor(Kind.WEIGHT, wide), Tensor(Kind.WEIGHT, value.astype("float64")))
        assert (instead.what, instead.name) == ("narrower", dtype)


def test_whole_numbers_through_float32(tmp_path: Path) -> None:
    run = recorded(tmp_path / "run", {"initial": {}, "boundary-9": {}}, [])
    control, resumed = np.array([2**24 + 1]), np.array([2**24])
    assert OriginLookup(run, run).of("n", Tensor(Kind.COUNTER, control), Tensor(Kind.COUNTER, resumed)).name == "float32"


def tensors(**values: np.ndarray) -> dict[str, Tensor]:
    return {name: Tensor(Kind.WEIGHT, value) for name, value in values.items()}


def test_renamed_tensors_are_matched_by_value_then_by_order() -> None:
    control = tensors(a=np.array([1.0, 2.0]), b=np.array([3.0, 4.0]), c=np.zeros(2), d=np.ones((2, 2)))
    resumed = tensors(x=np.array([3.0, 4.0]), y=np.array([1.0, 2.0]), z=np.zeros(2), d=np.ones((2, 2)))
    assert match([control], [resumed]) == {"x": "b", "y": "a", "z": "c"}
    resumed = tensors(x=np.array([9.0, 9.0]), y=np.array([1.0, 2.0]), z=np.array([8.0, 8.0]), d=np.ones((2, 2)))
    assert match([control], [resumed]) == {"y": "a", "x": "b", "z": "c"}


def test_what_is_there_once_more_or_of_another_shape_is_not_matched() -> None:
    control = tensors(a=np.zeros(2))
    assert match([control], [tensors(x=np.zeros(2), y=np.zeros(2))]) == {}
    assert match([control], [tensors(x=np.zeros(3))]) == {}
    assert match([control], [tensors(x=np.zeros(2, np.float32))]) == {}
