"""Steps are counted in a separate process."""

import os
from collections.abc import Callable

import pytest

from ckptcheck.errors import NotVerifiedError
from ckptcheck.run.step_count import StepCounter


def test_another_process_counts() -> None:
    here = os.getpid()
    counter = StepCounter(lambda: 7 if os.getpid() != here else 0)
    assert counter.count() == 7
    counter.close()


def test_a_process_that_is_not_asked_ends() -> None:
    counter = StepCounter(lambda: 7)
    counter.close()  # would wait for it


def fails() -> int:
    raise ValueError("no data")


def leaves() -> int:
    os._exit(1)


@pytest.mark.parametrize(("count", "why"), [(fails, ": ValueError: no data"), (leaves, "")])
def test_a_count_that_fails(count: Callable[[], int], why: str) -> None:
    counter = StepCounter(count)
    with pytest.raises(NotVerifiedError) as caught:
        counter.count()
    assert str(caught.value) == (
        f"the length of an epoch could not be counted{why}. Set steps_per_epoch to the number of "
        "batches in an epoch"
    )
    counter.close()
