"""A job in a class is drilled as a program that trains it, saves each epoch, and goes on."""

from pathlib import Path

import pytest

from ckptcheck import drill
from ckptcheck.drills.asked import asked_for
from ckptcheck.drills.drilled import Cut, DrillReport, Row
from ckptcheck.drills.points import Point
from ckptcheck.drills.tried import Drill, try_point
from ckptcheck.errors import UsageError

JOBS = """
import os
import shutil
import time
import numpy as np
from ckptcheck import Kind, Step, Tensor

class InPlace:
    restores = ("all",)
    steps_per_epoch = 5

    def build(self, seed):
        self.w, self.step = np.random.default_rng(seed).normal(size=200_000), 0

    def next_step(self):
        return self.step

    def train(self, step):
        x = np.random.default_rng((7, step)).normal(size=200_000)
        error = self.w - x
        self.w, self.step = self.w - 0.1 * error, self.step + 1
        return Step(float(np.mean(error**2)), [x], 0.1)

    def evaluate(self):
        return float(np.mean(self.w**2))

    def state(self):
        return {"w": Tensor(Kind.WEIGHT, self.w.copy())}

    def save(self, folder, step):
        np.savez(folder / "state.npz", w=self.w, step=step)

    def restore(self, folder, restore):
        saved = np.load(folder / "state.npz")
        self.w, self.step = saved["w"], int(saved["step"])

class Renamed(InPlace):
    def save(self, folder, step):
        with open(folder / "state.tmp", "wb") as file:
            np.savez(file, w=self.w, step=step)
            os.fsync(file.fileno())
        os.replace(folder / "state.tmp", folder / "state.npz")

class Deletes(InPlace):
    def save(self, folder, step):
        shutil.rmtree(folder)
        time.sleep(0.5)
        folder.mkdir()
        super().save(folder, step)

class Forgets(Renamed):
    def build(self, seed):
        super().build(seed)
        self.velocity = np.zeros(200_000)

    def train(self, step):
        before = self.w
        done = super().train(step)
        self.velocity = 0.9 * self.velocity + (self.w - before)
        self.w = self.w + 0.1 * self.velocity
        return done

    def state(self):
        return super().state() | {"w/velocity": Tensor(Kind.SLOT, self.velocity.copy())}
"""


@pytest.fixture
def jobs(tmp_path: Path) -> Path:
    path = tmp_path / "jobs.py"
    path.write_text(JOBS)
    return path


def test_one_that_overwrites_its_checkpoint_is_refused(jobs: Path) -> None:
    report = drill(f"{jobs}:InPlace", points="mid")
    (row,) = report.rows
    assert (row.outcome, report.exit_code) == ("refused", 1)
    assert row.case is not None
    assert [each.cause for each in row.case.diagnoses] == ["checkpoint-damaged"]


def test_its_fixed_twin_goes_on_from_the_save_before(jobs: Path) -> None:
    report = drill(f"{jobs}:Renamed", points="mid,after-save,restart")
    assert [row.outcome for row in report.rows] == ["lost work"] * 3
    assert report.rows[0].went_on_at == 5
    assert [row.went_on_at for row in report.rows[1:]] == [10, 10]
    assert report.exit_code == 0
    assert report.timeline is not None
    assert report.timeline.saves == (5, 10, 15)


def test_one_that_deletes_its_folder_finds_nothing(jobs: Path) -> None:
    (row,) = drill(f"{jobs}:Deletes", points="mid").rows
    assert (row.outcome, row.is_good) == ("began anew", False)


def test_what_it_does_not_save_is_lost_by_every_kill(jobs: Path) -> None:
    (row,) = drill(f"{jobs}:Forgets", points="after-save").rows
    assert row.outcome == "diverged"
    assert row.case is not None
    assert [(each.cause, each.tensors) for each in row.case.diagnoses] == [
        ("slots-lost", ("w/velocity",))
    ]


def test_what_was_tried_before_an_interrupt_is_kept(
    jobs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def until_the_second(drill: Drill, point: Point) -> Row:
        if point.name == "after-save":
            raise KeyboardInterrupt
        return try_point(drill, point)

    monkeypatch.setattr("ckptcheck.drills.run.try_point", until_the_second)
    report = drill(f"{jobs}:Renamed", points="mid,after-save,restart")
    assert [row.point for row in report.rows] == ["mid of save 2"]
    assert report.left_out == dict.fromkeys(
        ("after save 2", "restart after save 2"), "The drill was interrupted."
    )
    assert (report.verdict, report.exit_code) == ("inconclusive", 3)
    assert report.told().verdict == (
        "INCONCLUSIVE: so far, it went on exactly after 1 of 1 kill, with at most 5 steps made "
        "twice. Not tried: after save 2 and restart after save 2. The drill was interrupted."
    )
    with pytest.raises(AssertionError, match="Not tried: after save 2 and restart after save 2"):
        report.assert_recovered()


def test_an_interrupt_before_that_raises(jobs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(drill: Drill, point: Point) -> Row:
        raise KeyboardInterrupt

    monkeypatch.setattr("ckptcheck.drills.run.try_point", never)
    with pytest.raises(KeyboardInterrupt):
        drill(f"{jobs}:Renamed", points="mid")


def without_strace(monkeypatch: pytest.MonkeyPatch, job: str) -> DrillReport:
    monkeypatch.setattr("ckptcheck.drills.run.why_not", lambda: "strace is not installed.")
    return drill(job, points="after-save", states=True)


def test_without_strace_the_states_are_those_that_are_seen(
    jobs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = without_strace(monkeypatch, f"{jobs}:InPlace")
    assert report.rows[0].point == "after save 2"
    states = {row.point: row.outcome for row in report.rows[1:]}
    assert set(states.values()) >= {"refused"}
    assert list(states) == [f"state {number} of save 2" for number in range(1, len(states) + 1)]
    assert all(row.on_disk.startswith(("part of save 2", "save 2 w")) for row in report.rows[1:])
    assert report.left_out == {
        "power loss in save 2": "strace is not installed. The states of a save are those that "
        "were seen between two changes of its files."
    }
    assert report.exit_code == 1


def test_without_strace_a_renamed_checkpoint_survives(
    jobs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = without_strace(monkeypatch, f"{jobs}:Renamed")
    assert {row.outcome for row in report.rows} <= {"lost work", "recovered"}
    assert any(row.cut is Cut.IN_SAVE and row.went_on_at == 5 for row in report.rows)
    assert report.exit_code == 0


def test_it_is_named_as_verify_names_it(jobs: Path) -> None:
    command = asked_for(f"{jobs}:Renamed", None, None, None)
    assert command.name == f"{jobs}:Renamed"
    assert command.arguments[1:] == (
        "-m",
        "ckptcheck.drills.job_program",
        f"{jobs}:Renamed",
        "{run}",
    )
    assert command.reports_itself


def test_several_words_are_a_command() -> None:
    command = asked_for("./train.sh {run}", None, None, None)
    assert not command.reports_itself


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"asked": "nosuch"},
            "There is no job called 'nosuch'. Known: bn-layers, bn-nn, bn-polyak, bn-torch, plain.",
        ),
        (
            {"asked": "bn-nn", "resume": "--resume"},
            "--resume and --writes suit a command. A job is restored by its restore.",
        ),
        (
            {"asked": type("Local", (), {"restores": ("all",)})},
            "tests.drills.test_job:Local is in no file. A drill starts new processes: put it in "
            "one.",
        ),
    ],
)
def test_a_wrong_request(given: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError) as raised:
        asked_for(**{"resume": None, "writes": None, "max_steps": None, **given})  # type: ignore[arg-type]
    assert str(raised.value) == message
