"""The line of one run, in this process: where records go, and which runs are rejected."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from base import Clean, Loops

from ckptcheck import NotVerifiedError, UsageError
from ckptcheck.job.schedule import Schedule
from ckptcheck.run.execution import Execution
from ckptcheck.run.folder import Recorder, read
from ckptcheck.run.run import Facts, Run
from ckptcheck.run.task import UNEVALUATED, Task

SCHEDULE = Schedule(12, 6, 4, (6,))


def executed(job: Any, task: Task, seed: int = 0) -> Run:
    task.run_folder.mkdir(parents=True)
    recorder = Recorder(task.run_folder, Facts("any", "job", task.restore, seed, SCHEDULE))
    try:
        Execution(job, recorder, task, lambda kind, **facts: None).carry_out()
    finally:
        recorder.close()
    return read(task.run_folder)


def task(folder: Path, **changes: Any) -> Task:
    return replace(Task("job", str(folder), steps=12, boundaries=(6,)), **changes)


def resumed(folder: Path, **changes: Any) -> Task:
    return task(folder, restore="all", boundary=6, **changes)


def test_points_and_evaluations_of_a_control(tmp_path: Path) -> None:
    run = executed(Clean(), task(tmp_path))
    assert set(run.snapshots) == {"initial", f"boundary-{SCHEDULE.earlier}", "boundary-6", "final"}
    assert [done for done, _ in run.facts.evaluations] == [4, 6, 8, 12]
    assert run.facts.saved == [SCHEDULE.earlier, 6]
    assert (tmp_path / "crash-image@6" / "state.npz").is_file()


def test_a_resumed_run_continues_from_a_copy(tmp_path: Path) -> None:
    control = executed(Clean(), task(tmp_path))
    run = executed(Clean(), resumed(tmp_path), seed=1)
    assert run.losses == control.losses[6:]
    assert (run.facts.first_step, run.facts.asked) == (6, {name: name for name in control.boundary})
    assert (tmp_path / "resumed-all@6" / "checkpoints" / "state.npz").is_file()


def test_a_job_with_its_own_loop(tmp_path: Path) -> None:
    control = executed(Loops(), task(tmp_path))
    assert control.losses == executed(Clean(), task(tmp_path / "other")).losses
    assert executed(Loops(), resumed(tmp_path), seed=1).losses == control.losses[6:]


class Short(Loops):
    until = 10


def test_a_loop_that_ends_too_early(tmp_path: Path) -> None:
    with pytest.raises(NotVerifiedError, match=r"^its training loop ended after 10 of 12 steps \("):
        executed(Short(), task(tmp_path))


def test_a_control_that_never_saves_ends_early(tmp_path: Path) -> None:
    run = executed(Clean(), task(tmp_path, unsaved=True))
    assert (len(run.steps), run.facts.saved, "final" in run.snapshots) == (7, [], False)


class Counts(Clean):
    """Counts its evaluations."""

    count = 0

    def evaluate(self) -> float:
        self.count += 1
        return super().evaluate()


def test_changes_of_attributes_by_the_evaluation_are_recorded_and_kept(
    tmp_path: Path,
) -> None:
    job = Counts()
    run = executed(job, task(tmp_path))
    assert run.facts.attributes_changed_by_evaluation == {"boundary-6": {"count": (1.0, 2.0)}}
    assert job.count == 4


def test_a_run_without_the_evaluation_at_the_boundary(tmp_path: Path) -> None:
    executed(Counts(), task(tmp_path))
    for trial in (
        task(tmp_path, trial=UNEVALUATED, boundary=6),
        resumed(tmp_path, trial=UNEVALUATED),
    ):
        run = executed(Counts(), trial)
        assert 6 not in [done for done, _ in run.facts.evaluations]
        assert run.facts.attributes_changed_by_evaluation == {}
        assert "boundary-6" in run.snapshots


class RestoresNonsense(Clean):
    def restore(self, folder: Path, restore: str) -> Any:
        return super().restore(folder, restore) and {}


class ReadsElsewhere(Clean):
    """Restores from the folder of the control instead of the crash image."""

    def restore(self, folder: Path, restore: str) -> Any:
        return super().restore(folder.parents[1] / "control" / "checkpoints", restore)


class Drifts(Clean):
    """Returns a different state at each read."""

    calls = 0

    def state(self) -> dict[str, Any]:
        self.calls += 1
        return {**super().state(), "calls": self.calls}


def test_the_result_of_a_restore_is_checked(tmp_path: Path) -> None:
    executed(Clean(), task(tmp_path))
    with pytest.raises(
        UsageError, match=r"^restore returned dict\. Return None, or ckptcheck\.Restored"
    ):
        executed(RestoresNonsense(), resumed(tmp_path))


def test_a_restore_that_reads_outside_the_crash_image(tmp_path: Path) -> None:
    executed(Clean(), task(tmp_path))
    read_there = tmp_path / "control" / "checkpoints" / "state.npz"
    with pytest.raises(NotVerifiedError) as caught:
        executed(ReadsElsewhere(), resumed(tmp_path))
    assert str(caught.value).startswith(
        f"its restore read {read_there}, which was written during this verification but is not part of the checkpoint, so"
    )


def test_a_state_that_changes_by_itself(tmp_path: Path) -> None:
    with pytest.raises(
        NotVerifiedError, match=r"^its state changes by itself: two reads of 'calls' differ, "
    ):
        executed(Drifts(), task(tmp_path))
