"""State outside variables: found by a walk, compared where declared, set for an experiment."""

import random
from dataclasses import dataclass
from typing import Any

import numpy as np

from ckptcheck.kinds import Kind
from ckptcheck.run.python_state import (
    attribute_tensors,
    attribute_values,
    changed_attributes,
    generator_digests,
    generators_kept,
    put,
)


class Inner:
    patience = 3  # of the class

    def __init__(self) -> None:
        self.best: float | None = 0.5
        self.wait, self._hidden, self.name = 2, 7, "inner"


@dataclass(frozen=True)
class Frozen:
    size: int = 3


class Job:
    """Holds numbers, nested objects, an object that forbids changes, and other values."""

    def __init__(self) -> None:
        self.epoch, self.factor, self.done, self.rate = 4, 0.25, False, np.float32(0.5)
        self.callbacks = [Inner()]
        self.parts = {"left": Inner()}
        self.frozen = Frozen()
        self.array, self.text, self.nothing = np.zeros(3), "text", None
        self.of_fit = Inner()

    def remembers(self) -> dict[str, Any]:
        return {"Callback": self.of_fit}


class Decides(Job):
    """Declares the attributes that change its training."""

    def decisive(self) -> dict[str, str]:
        return {
            "callbacks/Callback/best": "Callback.best",
            "rate": "rate",
            "missing": "Callback.missing",
        }


class RaisesWhenAsked(Job):
    def remembers(self) -> dict[str, Any]:
        raise RuntimeError("not yet")


SEEN = {
    "epoch": 4.0,
    "factor": 0.25,
    "done": 0.0,
    "rate": 0.5,
    "callbacks[0].patience": 3.0,
    "callbacks[0].best": 0.5,
    "callbacks[0].wait": 2.0,
    "parts['left'].patience": 3.0,
    "parts['left'].best": 0.5,
    "parts['left'].wait": 2.0,
    "frozen.size": 3.0,
    "of_fit.patience": 3.0,
    "of_fit.best": 0.5,
    "of_fit.wait": 2.0,
    "Callback.patience": 3.0,
    "Callback.best": 0.5,
    "Callback.wait": 2.0,
}


def test_numbers_are_found_by_name() -> None:
    assert attribute_values(Job()) == SEEN


def test_a_job_whose_remembers_raises() -> None:
    seen = attribute_values(RaisesWhenAsked())
    assert seen == {name: value for name, value in SEEN.items() if not name.startswith("Callback.")}


def test_a_set_attribute_keeps_its_type() -> None:
    job = Job()
    raised = {name: value + 1 for name, value in SEEN.items()}
    put(job, raised | {"of_fit.wait": 9.0, "Callback.wait": 9.0, "text": 1.0, "missing": 1.0})
    assert attribute_values(job) == raised | {
        "of_fit.wait": 9.0,
        "Callback.wait": 9.0,
        "done": 1.0,
        "frozen.size": 3.0,
    }
    kept = (job.epoch, job.done, job.rate, job.callbacks[0].wait, job.of_fit.wait)
    assert [type(value) for value in kept] == [int, bool, np.float32, int, int]
    assert job.text == "text"


def test_decisive_attributes_become_tensors() -> None:
    job = Decides()
    assert attribute_tensors(Job()) == {}
    assert {
        name: (tensor.kind, tensor.value.dtype.name, float(tensor.value))
        for name, tensor in attribute_tensors(job).items()
    } == {
        "callbacks/Callback/best": (Kind.PYTHON, "float64", 0.5),
        "rate": (Kind.PYTHON, "float64", 0.5),
        "missing": (Kind.PYTHON, "float64", np.inf),
    }
    job.of_fit.best = None
    assert attribute_tensors(job)["callbacks/Callback/best"].value == np.inf


class OfFramework(Inner):
    """Poses as an object of a framework, whose numbers record what has been built."""

    __module__ = "keras.src.layers"


def test_changed_attributes_have_both_values() -> None:
    job = Job()
    made: Any = job.callbacks
    made.append(OfFramework())
    before = attribute_values(job)
    assert changed_attributes(job, before) == {}
    job.epoch, job.rate, job.callbacks[0].wait, made[1].wait = 5, np.float32("nan"), 9, 9
    job.callbacks[0].__dict__["found"] = 1.5
    changed = changed_attributes(job, before)
    assert repr(changed.pop("rate")) == "(0.5, nan)"
    assert changed == {
        "epoch": (4.0, 5.0),
        "callbacks[0].wait": (2.0, 9.0),
        "callbacks[0].found": (None, 1.5),
    }


def test_global_generators_are_restored() -> None:
    before = generator_digests()
    with generators_kept():
        random.random()
        np.random.rand()
        assert not set(before.items()) & set(generator_digests().items())
    assert generator_digests() == before
