"""Steps are counted in a separate process."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from ckptcheck.errors import CkptcheckError, NotVerifiedError, UsageError
from ckptcheck.run.step_count import StepCounter
from ckptcheck.run.writes import Writes


def test_another_process_counts() -> None:
    here = os.getpid()
    counter = StepCounter(lambda: 7 if os.getpid() != here else 0, Writes())
    assert counter.count() == 7
    counter.close()


def test_a_process_that_is_not_asked_ends() -> None:
    counter = StepCounter(lambda: 7, Writes())
    counter.close()  # would wait for it


def fails() -> int:
    raise ValueError("no data.\n\n" + 3000 * "Look at the data. ")


def lacks_callbacks() -> int:
    raise NotVerifiedError("`fit` did not pass `callbacks`")


def is_wrong() -> int:
    raise UsageError("There is no restore 'kears'.")


def leaves() -> int:
    os._exit(1)


LINE = fails.__code__.co_firstlineno + 1


@pytest.mark.parametrize(
    ("count", "kind", "why"),
    [
        (fails, NotVerifiedError, f"counting the batches of an epoch raised ValueError: no data (test_step_count.py:{LINE})"),
        (lacks_callbacks, NotVerifiedError, "`fit` did not pass `callbacks`"),
        (is_wrong, UsageError, "There is no restore 'kears'."),
        (
            leaves,
            NotVerifiedError,
            "the length of an epoch could not be counted: the process that counts it ended without an answer. "
            "Set the attribute steps_per_epoch of the job to the number of batches in an epoch",
        ),
    ],
)  # fmt: skip
def test_a_count_that_fails(count: Callable[[], int], kind: type[CkptcheckError], why: str) -> None:
    counter = StepCounter(count, Writes())
    with pytest.raises(kind) as caught:
        counter.count()
    assert str(caught.value) == why
    counter.close()


def test_what_counting_writes_counts_as_written(tmp_path: Path) -> None:
    file, writes = tmp_path / "log.csv", Writes()
    writes._here = tmp_path
    counter = StepCounter(lambda: file.write_text("1"), writes)
    assert counter.count() == 1
    file.write_text("22")
    counter.close()
    assert writes.outside(tmp_path / "runs") == {"log.csv": ("new", 0.0)}
