"""Random generators that no step draws from, in whole runs and in runs that were cut."""

import random
from typing import Any

import numpy as np
import pytest

from ckptcheck.adapters.torch.generators import of_numpy, of_python
from ckptcheck.arrays import Array
from ckptcheck.comparison.compare import compare
from ckptcheck.comparison.comparison import Comparison, TensorComparison
from ckptcheck.comparison.equality import Equality
from ckptcheck.job.protocol import Tensor
from ckptcheck.kinds import Kind
from ckptcheck.run.run import Run
from ckptcheck.run.snapshots import FINAL, INITIAL, boundary_point
from tests.builder import BOUNDARY, Values, changed, control, resumed

CONTROL = control()
RESUMED = resumed(CONTROL)
SEED = np.array([1, 0], np.uint64)
DRAWN = np.array([1, 4], np.uint64)
OTHER = np.array([2, 0], np.uint64)


def with_generator(run: Run, *states: Array, name: str = "rng", **facts: Any) -> Run:
    """Return a run with a generator in its states at the start, the boundary and the end."""
    first, here, last = ({name: Tensor(Kind.RNG, state)} for state in states)
    return changed(run, initial=first, boundary=here, final=last, **facts)


def idle(run: Run, state: Array, **changes: Any) -> Run:
    return with_generator(run, state, state, state, **changes)


def row(comparison: Comparison, name: str = "rng") -> TensorComparison:
    return next(each for each in comparison.boundary if each.name == name)


def test_a_generator_that_is_never_drawn_from_is_unread() -> None:
    comparison = compare(idle(CONTROL, SEED), idle(RESUMED, OTHER))
    found = row(comparison)
    assert (found.equal, found.identical, found.unread) == (True, False, True)
    assert comparison.exact


@pytest.mark.parametrize("drawing", ["control", "resumed"])
def test_a_generator_that_one_run_draws_from_is_read(drawing: str) -> None:
    ours, theirs = idle(CONTROL, SEED), idle(RESUMED, OTHER)
    moved: Values = {"rng": np.array([3, 9], np.uint64)}
    if drawing == "control":
        ours = changed(ours, final=moved)
    else:
        theirs = changed(theirs, final=moved)
    found = row(compare(ours, theirs))
    assert (found.equal, found.unread) == (False, False)


def test_a_generator_that_was_drawn_from_before_a_run_is_cut_is_undecided() -> None:
    ours, theirs = idle(CONTROL, DRAWN), idle(RESUMED, SEED)
    assert compare(ours, theirs).undecided == ()
    comparison = compare(changed(ours, is_cut=True), theirs)
    assert comparison.undecided == ("rng",)
    assert comparison.equal
    # A generator in the state of the control's proves nothing wrong.
    assert compare(changed(ours, is_cut=True), idle(RESUMED, DRAWN)).undecided == ()
    # The user knows that nothing draws from it.
    accepted = compare(changed(ours, is_cut=True), theirs, Equality(left_out=("rn?",)))
    assert (accepted.undecided, accepted.left_out) == ((), {"rn?": ("rng",)})


def test_a_generator_that_is_drawn_from_for_nothing_before_the_end_is_decided() -> None:
    """As a loader of PyTorch's does at the start of an epoch."""
    name = "random/torch"
    cut = with_generator(CONTROL, SEED, SEED + 1, SEED + 2, name=name, is_cut=True)
    comparison = compare(cut, with_generator(RESUMED, OTHER, OTHER, OTHER + 1, name=name))
    assert comparison.undecided == ()
    assert comparison.equal
    # One that was last drawn from before the save may be drawn from in the next epoch.
    cut = with_generator(CONTROL, SEED, SEED + 1, SEED + 1, name=name, is_cut=True)
    comparison = compare(cut, with_generator(RESUMED, OTHER, OTHER, OTHER, name=name))
    assert comparison.undecided == (name,)
    assert comparison.equal


def _python(draws: int) -> Array:
    generator = random.Random(draws)
    for _ in range(draws):
        generator.getrandbits(32)
    return of_python(generator.getstate())


def _numpy(draws: int, *, of_normal: bool = False) -> Array:
    generator = np.random.RandomState()
    generator.randint(2**32, size=draws, dtype=np.uint64)
    if of_normal:
        generator.normal()
    return of_numpy(generator.get_state(legacy=True))


@pytest.mark.parametrize(
    ("name", "state", "is_fresh"),
    [
        ("random/python", _python(0), True),
        ("random/python", _python(1), False),
        ("random/python", _python(624), False),
        ("random/numpy", _numpy(0), True),
        ("random/numpy", _numpy(1), False),
        ("random/numpy", _numpy(625), False),
        ("random/numpy", _numpy(0, of_normal=True), False),
        ("random/numpy", np.arange(16, dtype=np.uint8), False),  # with a different algorithm
        ("dropout/seed_generator_state", np.array([7, 0], np.int64), True),
        ("dropout/seed_generator_state", np.array([7, 1], np.int64), False),
        ("tf.random.Generator", np.array([0, 0, 7], np.int64), True),
        ("tf.random.Generator", np.array([256, 0, 7], np.int64), False),
        ("random/torch", np.arange(5056, dtype=np.uint8), False),
    ],
)
def test_a_generator_that_nothing_has_drawn_from_is_idle(
    name: str, state: Array, is_fresh: bool
) -> None:
    """Two processes seed it differently, unless their program does."""
    cut = idle(CONTROL, state, name=name, is_cut=True)
    theirs = idle(RESUMED, state + state.dtype.type(1), name=name)
    assert compare(cut, theirs).undecided == (() if is_fresh else (name,))


HERE = boundary_point(BOUNDARY)


@pytest.mark.parametrize(
    ("control", "resumed", "undecided"),
    [
        ("abb", "a", ("numpy.random",)),
        ("abb", "b", ()),
        ("abc", "a", ()),  # drawn from after the save, without an effect
        ("aaa", "b", ()),  # a program that seeds nothing
    ],
)
def test_generators_that_are_known_by_digests(
    control: str, resumed: str, undecided: tuple[str, ...]
) -> None:
    points = zip((INITIAL, HERE, FINAL), control, strict=True)
    states = {point: {"numpy.random": state} for point, state in points}
    cut = changed(CONTROL, generators=states, is_cut=True)
    theirs = changed(RESUMED, generators={HERE: {"numpy.random": resumed}})
    assert compare(cut, theirs).undecided == undecided
    # Where the state itself is known, it decides.
    ours, same = (idle(run, SEED, name="random/numpy") for run in (cut, theirs))
    assert compare(ours, same).undecided == ()
