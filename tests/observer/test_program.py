"""What a program keeps outside of its framework: globals, locals of its functions, arrays."""

import contextlib
import gc
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ckptcheck.observer.program import Program


class _Trainer:
    def __init__(self) -> None:
        self.average = np.ones(2)


def held() -> Any:
    best, trainer, sums = 0.5, _Trainer(), [np.zeros(1), np.ones(1)]
    by_name = {"w": np.full(3, 2.0)}
    seen = vars(Program()), Program().arrays()
    return (*seen, best, trainer, sums, by_name)


def test_the_locals_of_running_functions_are_named_after_them() -> None:
    attributes = held()[0]
    assert attributes["held.best"] == 0.5
    assert isinstance(attributes["held.trainer"], _Trainer)
    inner = [name for name in attributes if name.startswith("test_the_locals_of")]
    assert not inner  # it holds nothing yet


def test_the_outermost_function_comes_first() -> None:
    """What it passes on has one name, whichever function is running below it."""

    def step(best: Any) -> list[str]:
        return list(Program().arrays())

    def passing(model: Any) -> list[str]:
        return step(model)

    names = [name for name in passing(np.ones(1)) if name.endswith((".model", ".best"))]
    assert names == ["passing.model", "step.best"]


def test_arrays_in_lists_dictionaries_and_objects_are_seen() -> None:
    arrays = held()[1]
    own = {name: value.tolist() for name, value in arrays.items() if name.startswith("held.")}
    assert own == {
        "held.trainer.average": [1.0, 1.0],
        "held.sums[0]": [0.0],
        "held.sums[1]": [1.0],
        "held.by_name['w']": [2.0] * 3,
    }


def test_arrays_in_objects_of_libraries_are_not_the_program_s(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(_Trainer, "__module__", "numpy")
    assert "held.trainer.average" not in held()[1]


class _Slotted:
    __slots__ = ("__private", "average", "unset")

    def __init__(self) -> None:
        self.average = np.ones(1)
        self.__private = np.zeros(1)

    def update(self) -> None:
        self.average += self.__private


def averaging() -> Any:
    average = np.full(2, 5.0)

    def update() -> Any:
        return average, unset

    if average.size > 2:
        unset = 0
    return update


@contextlib.contextmanager
def decorated() -> Iterator[None]:
    yield


def hidden() -> Any:
    slotted, update = _Slotted(), averaging()
    method, wrapped = slotted.update, decorated()(update)
    return Program().arrays(), slotted, update, method, wrapped


def test_arrays_in_slots_methods_and_closures_are_seen() -> None:
    found = {name: each.tolist() for name, each in hidden()[0].items()}
    assert {name: each for name, each in found.items() if name.startswith("hidden.")} == {
        "hidden.slotted.average": [1.0],
        "hidden.slotted._Slotted__private": [0.0],
        "hidden.update.average": [5.0, 5.0],
        "hidden.method.average": [1.0],
        "hidden.method._Slotted__private": [0.0],
        "hidden.wrapped.average": [5.0, 5.0],
    }


def large() -> Any:
    data = np.zeros(1 << 20)
    seen = Program()
    before = seen.arrays()["large.data"]
    data[-1] = 1
    return before, seen.arrays()["large.data"]


def test_of_a_large_array_the_digest_is_kept() -> None:
    before, after = large()
    assert before.shape == after.shape == (32,)
    assert (before != after).any()


def unusual(tmp_path: Path) -> Any:
    masked = np.ma.masked_array([1.0, 2.0], [True, False])
    file = np.memmap(tmp_path / "small", np.uint8, "w+", shape=3)
    large = np.memmap(tmp_path / "large", np.uint8, "w+", shape=(1 << 22) + 1)
    return Program().arrays(), masked, file, large


def test_masked_arrays_and_files(tmp_path: Path) -> None:
    found = {name: each for name, each in unusual(tmp_path)[0].items() if name[:8] == "unusual."}
    assert {name: type(each) for name, each in found.items()} == {
        "unusual.masked": np.ndarray,
        "unusual.file": np.ndarray,
    }


def train(program: Program, steps: int) -> None:
    average = np.zeros(1)
    for _ in range(steps):
        step(program)
    average += steps


def step(program: Program) -> None:
    inner = np.zeros(1)
    program.at_step()
    assert inner is not None


def test_what_ran_at_every_step_is_read_when_it_has_returned() -> None:
    program = Program()
    train(program, 2)
    found = program.arrays()
    assert found["train.average"].tolist() == [2.0]
    assert "step.inner" not in found
    train(program, 1)
    assert "train.average" not in program.arrays()


def test_nothing_is_held_after_the_end() -> None:
    program = Program()
    train(program, 2)
    program.close()
    assert "train.average" not in program.arrays()


class _Tensor:
    values = np.full(2, 3.0)


def of_framework() -> Any:
    average = _Tensor()
    seen = Program(lambda value: value.values if isinstance(value, _Tensor) else None).arrays()
    return seen, average


def test_a_framework_s_arrays_are_seen() -> None:
    assert of_framework()[0]["of_framework.average"].tolist() == [3.0, 3.0]


def asking() -> Any:
    config, best = locals(), 0.5
    config["rate"] = 0.1
    return vars(Program()), config, best


def test_a_function_that_has_asked_for_its_locals_is_left_alone() -> None:
    seen, config, _ = asking()
    assert config == {"rate": 0.1}
    assert not [name for name in seen if name.startswith("asking.")]


def test_what_is_read_can_be_freed() -> None:
    def replaced() -> bool:
        thing = _Trainer()
        gone = weakref.ref(thing)
        vars(Program())
        thing = _Trainer()
        gc.collect()
        return gone() is None and thing is not None

    assert replaced()


def test_a_library_is_not_the_program(tmp_path: Path) -> None:
    seen: list[Any] = []

    def convert(_: str) -> float:
        seen.append(vars(Program()))
        return 0.0

    (tmp_path / "a.txt").write_text("1\n")
    np.loadtxt(tmp_path / "a.txt", converters={0: convert})
    assert not [name for name in seen[0] if name.startswith("loadtxt.")]
