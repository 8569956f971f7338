"""What a program remembers outside of its variables: read, and put back for a trial."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ckptcheck.run.python_state import attributes, put


class Inner:
    patience = 3  # of the class

    def __init__(self) -> None:
        self.best, self.wait, self._hidden, self.name = 0.5, 2, 7, "inner"


@dataclass(frozen=True)
class Frozen:
    size: int = 3


class Job:
    """Numbers, objects in lists and dictionaries, an object that forbids changes, and what no number is."""

    def __init__(self) -> None:
        self.epoch, self.factor, self.done, self.rate = 4, 0.25, False, np.float32(0.5)
        self.callbacks = [Inner()]
        self.parts = {"left": Inner()}
        self.frozen = Frozen()
        self.array, self.text, self.nothing = np.zeros(3), "text", None
        self.of_fit = Inner()

    def remembers(self) -> dict[str, Any]:
        return {"Callback": self.of_fit}


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


def test_numbers_are_seen_by_name() -> None:
    assert attributes(Job()) == SEEN


def test_what_is_put_in_has_the_type_it_had() -> None:
    job = Job()
    others = {name: value + 1 for name, value in SEEN.items()}
    put(job, others | {"of_fit.wait": 9.0, "Callback.wait": 9.0, "gone": 1.0})
    assert attributes(job) == others | {"of_fit.wait": 9.0, "Callback.wait": 9.0, "done": 1.0, "frozen.size": 3.0}
    kept = (job.epoch, job.done, job.rate, job.callbacks[0].wait, job.of_fit.wait)
    assert [type(each) for each in kept] == [int, bool, np.float32, int, int]
