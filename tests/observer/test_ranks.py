"""How the ranks of one job keep in step, as threads and processes without a framework."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from ckptcheck.observer.ranks import Meeting, Rank
from ckptcheck.observer.request import Request
from ckptcheck.run.folder import of_rank
from ckptcheck.run.snapshots import StoredSnapshots
from tests.observer.test_observation import PROLOGUE


@pytest.fixture
def meetings(tmp_path: Path) -> tuple[Meeting, Meeting]:
    return Meeting(tmp_path, Rank(0, 2)), Meeting(tmp_path, Rank(1, 2))


def in_thread(call: Callable[[], object]) -> tuple[threading.Thread, list[object]]:
    returned: list[object] = []
    thread = threading.Thread(target=lambda: returned.append(call()))
    thread.start()
    return thread, returned


def test_a_rank_waits_for_the_word_of_rank_0(meetings: tuple[Meeting, Meeting]) -> None:
    first, second = meetings
    for step, is_due in enumerate([False, True, False], start=1):
        thread, returned = in_thread(partial(second.begins, step, is_due=True))
        thread.join(0.02)
        assert thread.is_alive()  # whatever it saved itself, rank 0 decides
        assert first.begins(step, is_due=is_due) is is_due
        if is_due:
            first.gather()
            assert thread.is_alive()  # the copy is not made yet
            first.tell()
        thread.join()
        assert returned == [is_due]
        assert second.is_boundary(step) is is_due


def test_rank_0_copies_once_all_have_come(meetings: tuple[Meeting, Meeting]) -> None:
    first, second = meetings
    first.begins(1, is_due=True)
    gathering, _ = in_thread(first.gather)
    gathering.join(0.02)
    assert gathering.is_alive()
    waiting, _ = in_thread(lambda: second.begins(1, is_due=False))
    gathering.join()
    first.tell()
    waiting.join()


def test_a_rank_that_comes_to_a_step_again_is_in_doubt(meetings: tuple[Meeting, Meeting]) -> None:
    first, second = meetings
    first.begins(1, is_due=False)
    assert not second.begins(1, is_due=False)
    assert second.begins(1, is_due=False)
    assert not second.is_boundary(1)
    first.begins(1, is_due=True)
    first.tell()
    assert second.is_boundary(1)


def test_ranks_that_do_not_keep_in_step_do_not_wait_for_ever(
    meetings: tuple[Meeting, Meeting],
) -> None:
    _, second = meetings
    second._left = 0.1
    began = time.monotonic()
    assert second.begins(1, is_due=False)  # in doubt, its state is read
    assert second.begins(2, is_due=False)
    assert time.monotonic() - began < 5


def test_no_rank_waits_for_one_that_has_ended(meetings: tuple[Meeting, Meeting]) -> None:
    first, second = meetings
    first.leave()
    assert not second.begins(1, is_due=False)
    ending, _ = in_thread(first.wait_for_all)
    ending.join(0.02)
    assert ending.is_alive()
    second.leave()
    ending.join()


LEAVES = """
import os, pathlib, signal, sys
from ckptcheck.observer.ranks import Meeting, Rank
meeting = Meeting(pathlib.Path(sys.argv[1]), Rank(int(sys.argv[2]), 2))
if meeting.follows:
    meeting._mine = 1
else:
    meeting.begins(1, is_due=False)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("is_reaped", [True, False])
@pytest.mark.parametrize("gone", [0, 1])
def test_no_rank_waits_for_one_that_was_killed(tmp_path: Path, gone: int, is_reaped: bool) -> None:
    killed = subprocess.Popen([sys.executable, "-c", LEAVES, tmp_path, str(gone)])
    # Without WNOWAIT, its parent would have asked for it: then it is no more.
    os.waitid(os.P_PID, killed.pid, os.WEXITED | os.WNOWAIT)
    if is_reaped:
        killed.wait()
    left, began = Meeting(tmp_path, Rank(1 - gone, 2)), time.monotonic()
    left.begins(1, is_due=True)
    left.gather()
    assert left.begins(2, is_due=True)
    left.gather()
    left.leave()
    left.wait_for_all()
    assert time.monotonic() - began < 5
    killed.wait()


ALONE = "Observation(Request.of(json.loads(pathlib.Path(sys.argv[1]).read_text())), Reading, dict)"
AS_RANK = PROLOGUE.replace(
    ALONE, ALONE.replace("dict)", "dict, rank=lambda: Rank(rank, 2))")
).replace(
    "class Reading",
    "from ckptcheck.observer.ranks import Rank\nrank = int(sys.argv[3])\nclass Reading",
)
# Rank 0 saves after the second step. Rank 1 writes a file of its own, which takes long.
PROGRAM = """
import time
w = 1.0 + 2 * rank
step(); step()
if rank == 0:
    save()
else:
    time.sleep(0.5)
    save("own.ckpt")
step()
time.sleep(0.5 * rank)
step()
"""


def start(top: Path, rank: int, program: str = PROGRAM, **asked: Any) -> "subprocess.Popen[str]":
    request = Request(
        "control", "job", None, str(top / "control"), str(top / "run"), str(top), **asked
    )
    (top / "request.json").write_text(json.dumps(asdict(request)))
    return subprocess.Popen(
        [sys.executable, "-c", AS_RANK + program, top / "request.json", top / "run", str(rank)],
        env=os.environ | {"PYTHONHASHSEED": "1"},
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("max_steps", [0, 4])
def test_each_rank_records_its_state_at_the_save_of_rank_0(tmp_path: Path, max_steps: int) -> None:
    for name in ("control", "run"):
        (tmp_path / name).mkdir()
    processes = [start(tmp_path, rank, max_steps=max_steps) for rank in (0, 1)]
    # One that is ended after its last step waits for the others: it may end them, too.
    processes[0].wait()
    assert (tmp_path / "control" / "rank-1" / "run.json").exists() or not max_steps
    for process in processes:
        printed = process.communicate()[1]
        assert process.returncode == bool(max_steps), printed
    image = tmp_path / "crash-image@2"
    assert sorted(each.name for each in image.iterdir()) == ["model.ckpt", "own.ckpt"]
    assert (image / "own.ckpt").read_text() == "12.0"
    for rank, value in ((0, 4.0), (1, 12.0)):
        held = StoredSnapshots(of_rank(tmp_path / "control", rank))
        assert sorted(name for name in held if name.startswith("boundary")) == ["boundary-2"]
        assert float(held["boundary-2"]["w"].value) == value


def test_two_processes_of_one_rank_are_not_the_ranks_of_a_job(tmp_path: Path) -> None:
    for name in ("control", "run"):
        (tmp_path / name).mkdir()
    for process in [start(tmp_path, 1, "step()"), start(tmp_path, 1, "step()")]:
        process.communicate()
    note = (tmp_path / "control" / "trouble.txt").read_text()
    assert note.startswith("More than one process of the command trains, and they are not the")
