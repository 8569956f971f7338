"""Why the runs of a command cannot be judged, in whole sentences."""

from pathlib import Path
from typing import Any

import pytest

from ckptcheck.command.command import Command
from ckptcheck.command.launch import OUTPUT
from ckptcheck.command.reasons import (
    why_failed,
    why_no_step,
    why_not_observed,
    why_saved_elsewhere,
    why_unclear,
)

HINT = "If it needs arguments to resume, add them with --resume"


@pytest.mark.parametrize(
    ("status", "printed", "hint", "said"),
    [
        (2, "", "", "it exited with status 2, and printed nothing"),
        (2, "Refusing.\n", HINT, f"it exited with status 2: Refusing. {HINT}"),
        (1, "NameError: did you mean 'f'?", HINT, f"it exited with status 1: NameError: did you mean 'f'? {HINT}"),
        (-9, "step 3", "", "it was killed by SIGKILL: step 3"),
        (-99, "", "", "it was killed by signal 99, and printed nothing"),
    ],
)  # fmt: skip
def test_how_a_run_failed(tmp_path: Path, status: int, printed: str, hint: str, said: str) -> None:
    (tmp_path / OUTPUT).write_text(printed)
    assert why_failed(status, tmp_path, hint) == said


def test_a_disk_that_is_full() -> None:
    assert why_not_observed("first\nsecond\n") == "first"
    unwritten = "The record of the command could not be written: is the disk full?"
    assert why_not_observed("") == unwritten


def test_a_python_that_cannot_be_observed(tmp_path: Path) -> None:
    command = Command(("python", "-I", "train.py", "{run}"))
    assert why_no_step(tmp_path, command) == (
        "Python with -I ignores PYTHONPATH, by which ckptcheck observes it. Start the command without it."
    )


def test_a_checkpoint_that_a_thread_wrote_is_that_of_an_earlier_step() -> None:
    control: dict[str, list[Any]] = {"written_aside": [8], "saves": []}
    resumed: dict[str, list[Any]] = {"read_late": [], "restores": []}
    assert why_unclear(control, resumed, 8, 5) == (
        "A thread wrote the checkpoint while training went on, so that it is of step 5 and not of step 8. Let the training wait for the thread."
    )
    assert not why_unclear(control, resumed, 8, 8)
    assert not why_unclear({**control, "written_aside": []}, resumed, 8, 5)


def test_a_checkpoint_elsewhere_is_that_of_a_later_step() -> None:
    saves = [{"path": "/a/c-2", "is_inside": False}, {"path": "/run/c-1", "is_inside": True}]
    control = {"written_aside": [], "saves": saves}
    for path, is_clear in (("/a/c-2", False), ("/run/c-1", True), ("/b", True)):
        resumed = {"read_late": [], "restores": [{"path": path}]}
        reason = why_unclear(control, resumed, 8, 8)
        assert reason == (
            ""
            if is_clear
            else "The restarted run restored /a/c-2, which the control wrote outside of its folder: a run that was killed at the save would not find it so. Let the command save it into its folder, too."
        )


@pytest.mark.parametrize(("saved", "named"), [([25], "step 25"), ([25, 35], "steps 25, 35")])
def test_a_resumed_run_that_saves_at_other_steps(saved: list[int], named: str) -> None:
    assert why_saved_elsewhere(30, saved) == (
        f"The control saves after step 30, the resumed run after {named}, where the control's state is unknown. Save by the total of steps, not by those since the resume."
    )
