"""What is recorded comes back as it was."""

import math
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from ckptcheck import Kind, NotVerifiedError, Step, Tensor
from ckptcheck.arrays import same
from ckptcheck.job.schedule import Schedule
from ckptcheck.run.digests import digest, snapshot_digest
from ckptcheck.run.folder import MOST_PENDING, Recorder, read
from ckptcheck.run.run import Facts, Failure
from ckptcheck.run.snapshots import read_snapshot, write_snapshot

STATE = {
    "a/b": Tensor(Kind.WEIGHT, np.arange(6, dtype=np.float32).reshape(2, 3)),
    "nan": Tensor(Kind.SLOT, np.array([math.nan, -0.0, math.inf])),
    "half": Tensor(Kind.MOVING_STATISTIC, np.array([1.5, -2], ml_dtypes.bfloat16)),
    "step": Tensor(Kind.COUNTER, np.array(7, np.int64)),
    "empty": Tensor(Kind.OTHER, np.empty((0, 3), np.int32)),
    "flag": Tensor(Kind.OTHER, np.array(True)),
    "0": Tensor(Kind.RNG, np.array([1, 2], np.uint64)),
}


def facts(**changes: Any) -> Facts:
    return Facts(**({"role": "control", "job": "j", "restore": None, "seed": 0, "schedule": Schedule(4, 2, 2)} | changes))


def test_snapshot_comes_back(tmp_path: Path) -> None:
    write_snapshot(tmp_path / "s.npz", STATE)
    back = read_snapshot(tmp_path / "s.npz")
    assert list(back) == list(STATE)
    for name, tensor in STATE.items():
        assert back[name].kind is tensor.kind
        assert back[name].value.dtype == tensor.value.dtype
        assert same(back[name].value, tensor.value, equal_nan=True)


def test_snapshot_refuses_objects(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="the state tensor words has dtype object, which cannot be recorded"):
        write_snapshot(tmp_path / "s.npz", {"words": Tensor(Kind.OTHER, np.array(["a", None], object))})
    assert not (tmp_path / "s.npz").exists()


def test_run_comes_back(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, facts(evaluations=[(2, 0.1)], failure=Failure("train", "E", "text", 3), held=["k"]))
    losses: list[Any] = [np.float32(0.1), math.nan, math.inf, -math.inf, float(np.float32(0.3)), 5e-324]
    for index, loss in enumerate(losses):
        recorder.step(index, Step(loss, [np.full(3, index)], 0.5 if index else None))
    recorder.close()
    run = read(tmp_path)
    assert repr(run.losses) == repr(tuple(float(loss) for loss in losses))
    assert [step.number for step in run.steps] == [0, 1, 2, 3, 4, 5]
    assert [step.rate for step in run.steps] == [None, 0.5, 0.5, 0.5, 0.5, 0.5]
    assert run.steps[1].batch == digest(np.full(3, 1))
    assert run.facts == recorder.facts


def test_run_in_another_format(tmp_path: Path) -> None:
    Recorder(tmp_path, facts()).close()
    file = tmp_path / "run.json"
    file.write_text(file.read_text().replace('"format_version": 4', '"format_version": 5'))
    with pytest.raises(NotVerifiedError, match=r"^The run was recorded in format 5; this ckptcheck reads format 4\.$"):
        read(tmp_path)


def test_a_batch_in_a_buffer_that_is_used_again(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, facts())
    buffer = np.zeros(3)
    for index in range(3):
        buffer[:] = index
        recorder.step(index, Step(0.0, [buffer]))
    recorder.close()
    assert [step.batch for step in read(tmp_path).steps] == [digest(np.full(3, float(index))) for index in range(3)]


def test_steps_do_not_pile_up(tmp_path: Path) -> None:
    def written() -> int:
        return len((tmp_path / "steps.jsonl").read_text().splitlines())

    recorder = Recorder(tmp_path, facts())
    for index in range(MOST_PENDING):
        assert written() == 0
        recorder.step(index, Step(0.0, [np.zeros(3)]))
    assert written() == MOST_PENDING
    recorder.close()


def test_digest_sees_bytes_shape_and_dtype() -> None:
    array = np.arange(6, dtype=np.int32)
    assert digest(array) == digest(array.copy())
    others: list[np.ndarray[Any, Any]] = [array[::-1], array.reshape(2, 3), array.astype(np.int64), array.view(np.uint32)]
    assert len({digest(each) for each in [array, *others]}) == 5
    assert digest(np.asfortranarray(np.eye(3)[:2])) == digest(np.eye(3)[:2])


def test_snapshot_digest_sees_names_not_order() -> None:
    shuffled = dict(reversed(STATE.items()))
    renamed = {name.upper(): tensor for name, tensor in STATE.items()}
    assert snapshot_digest(STATE) == snapshot_digest(shuffled) != snapshot_digest(renamed)
