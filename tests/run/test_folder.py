"""A run is read back from its folder as it was recorded."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ckptcheck import NotVerifiedError, Step
from ckptcheck.job.schedule import Schedule
from ckptcheck.run.digests import digest
from ckptcheck.run.folder import MOST_PENDING, Recorder, number, read
from ckptcheck.run.run import Facts, Failure


def facts(**changes: Any) -> Facts:
    return Facts(
        **(
            {
                "role": "control",
                "job": "j",
                "restore": None,
                "seed": 0,
                "schedule": Schedule(4, 2, 2),
            }
            | changes
        )
    )


def test_a_run_is_read_back_as_recorded(tmp_path: Path) -> None:
    changed = {"boundary-2": {"count": (None, 1.0), "level": (0.0, math.inf)}}
    recorder = Recorder(
        tmp_path,
        facts(
            evaluations=[(2, 0.1)],
            failure=Failure("train", "E", "text", 3),
            held=["k"],
            attributes_changed_by_evaluation=changed,
        ),
    )
    losses: list[Any] = [
        np.float32(0.1),
        math.nan,
        math.inf,
        -math.inf,
        float(np.float32(0.3)),
        5e-324,
    ]
    for index, loss in enumerate(losses):
        recorder.step(index, Step(loss, [np.full(3, index)], 0.5 if index else None))
    recorder.close()
    run = read(tmp_path)
    assert repr(run.losses) == repr(tuple(float(loss) for loss in losses))
    assert [step.number for step in run.steps] == [0, 1, 2, 3, 4, 5]
    assert [step.rate for step in run.steps] == [None, 0.5, 0.5, 0.5, 0.5, 0.5]
    assert run.steps[1].batch == digest(np.full(3, 1))
    assert run.facts == recorder.facts


def test_a_run_without_the_field_of_changed_attributes(tmp_path: Path) -> None:
    Recorder(tmp_path, facts()).close()
    file = tmp_path / "run.json"
    text = file.read_text()
    assert ' "attributes_changed_by_evaluation": {},\n' in text
    file.write_text(text.replace(' "attributes_changed_by_evaluation": {},\n', ""))
    assert read(tmp_path).facts == facts()


def test_a_run_in_a_different_format(tmp_path: Path) -> None:
    Recorder(tmp_path, facts()).close()
    file = tmp_path / "run.json"
    file.write_text(file.read_text().replace('"format_version": 4', '"format_version": 5'))
    with pytest.raises(
        NotVerifiedError,
        match=r"^The run was recorded in format 5, but this version of ckptcheck reads format 4\. Record it again\.$",
    ):
        read(tmp_path)


def test_a_batch_in_a_reused_buffer(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, facts())
    buffer = np.zeros(3)
    for index in range(3):
        buffer[:] = index
        recorder.step(index, Step(0.0, [buffer]))
    recorder.close()
    assert [step.batch for step in read(tmp_path).steps] == [
        digest(np.full(3, float(index))) for index in range(3)
    ]


def test_steps_are_written_regularly(tmp_path: Path) -> None:
    def written() -> int:
        return len((tmp_path / "steps.jsonl").read_text().splitlines())

    recorder = Recorder(tmp_path, facts())
    for index in range(MOST_PENDING):
        assert written() == 0
        recorder.step(index, Step(0.0, [np.zeros(3)]))
    assert written() == MOST_PENDING
    recorder.close()


@pytest.mark.parametrize(("value", "shown"), [("0.5", "'0.5'"), (True, "True"), (b"1", "b'1'")])
def test_a_value_that_is_not_a_number(value: object, shown: str) -> None:
    with pytest.raises(TypeError) as caught:
        number(value, "loss")
    assert str(caught.value) == f"the loss is {shown}, which is not a number"
