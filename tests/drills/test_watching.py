"""A command is watched from outside, and killed at the point that is wanted: real processes, real inotify.

The programs are plain Python. They show their steps as an observed command does.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from threading import Event

import psutil
import pytest

from ckptcheck.command.command import Command
from ckptcheck.command.runs import CommandRuns
from ckptcheck.commands import RunProgress
from ckptcheck.drills.killing import Killed, run_and_kill
from ckptcheck.drills.points import Trigger
from ckptcheck.drills.saves import FileEvent
from ckptcheck.drills.watching import FileEvents, Watching
from ckptcheck.job.plan import Settings
from ckptcheck.observer.request import Request

SECONDS = 30.0  # more than any of these takes
pytestmark = pytest.mark.timeout(120)

BEGIN = """
import os, signal, subprocess, sys, time
from pathlib import Path

run, record = map(Path, sys.argv[1:3])

shown = (record / "progress").open("wb", buffering=0)

def step(done):
    time.sleep(0.04)
    shown.seek(0)
    shown.write(str(done).encode().ljust(20))

def save(done, parts=4, pause=0.0):
    path = run / f"{done}.pt.tmp"
    with path.open("wb", buffering=0) as file:
        for part in range(parts):
            file.write(100 * b"x")
            time.sleep(0.05)
    time.sleep(pause)
    path.rename(run / f"{done}.pt")
"""
# Saves after 4 and after 8 steps.
TRAIN = """
for done in range(1, 13):
    step(done)
    if done % 4 == 0:
        save(done)
"""


class Programs:
    """Runs programs that are watched, each in a session of its own."""

    def __init__(self, top: Path) -> None:
        self.run, self.record = top / "run", top / "record"
        self.run.mkdir()
        self.record.mkdir()
        self._top = top

    def script(self, program: str) -> Path:
        script = self._top / "train.py"
        script.write_text(BEGIN + program)
        return script

    def __call__(
        self, program: str, trigger: Trigger | None, grace: float | None = None
    ) -> tuple[Watching, int]:
        """Return how a program was watched, and its exit status."""
        words = [sys.executable, "-S", str(self.script(program)), str(self.run), str(self.record)]
        if trigger is not None:
            trigger = replace(trigger, grace=grace)
        watching = Watching(self.run, self.record, trigger)
        process = subprocess.Popen(words, start_new_session=True)
        try:
            watching.began(process.pid)
            return watching, process.wait(SECONDS)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
            watching.ended()

    def files(self) -> dict[str, int]:
        found = (path for path in self.run.rglob("*") if path.is_file())
        return {path.relative_to(self.run).as_posix(): path.stat().st_size for path in found}


@pytest.fixture
def watched(tmp_path: Path) -> Programs:
    return Programs(tmp_path)


def changes(events: list[FileEvent]) -> list[tuple[str, str]]:
    """What happened to each file, without repeats."""
    return list(dict.fromkeys((each.what, each.path) for each in events))


def until(is_so: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + SECONDS
    while not is_so() and time.monotonic() < deadline:
        time.sleep(0.01)
    return is_so()


# --- Without a kill -------------------------------------------------------------------------


def test_a_program_that_ends_by_itself_is_not_killed(watched: Programs) -> None:
    watching, status = watched(TRAIN, None)
    assert (watching.death, status) == (None, 0)
    assert watched.files() == {"4.pt": 400, "8.pt": 400, "12.pt": 400}
    assert set(range(1, 13)) <= set(watching.steps_at)
    assert list(watching.steps_at.values()) == sorted(watching.steps_at.values())


def test_events_have_the_steps_that_were_done(watched: Programs) -> None:
    watching, _ = watched(TRAIN, None)
    assert changes(watching.events)[:5] == [
        ("create", "4.pt.tmp"),
        ("modify", "4.pt.tmp"),
        ("close", "4.pt.tmp"),
        ("delete", "4.pt.tmp"),
        ("move", "4.pt"),
    ]
    assert {each.done for each in watching.events if each.path.startswith("4.")} == {4}
    assert {each.done for each in watching.events if each.path.startswith("8.")} == {8}


def test_a_point_that_is_never_reached_kills_nothing(watched: Programs) -> None:
    watching, status = watched("step(1)\nstep(2)", Trigger(3))
    assert (watching.death, status) == (None, 0)
    assert max(watching.steps_at) == 2


def test_a_program_that_makes_no_step_is_at_step_0(watched: Programs) -> None:
    watching, status = watched("(run / 'a.pt').touch()\ntime.sleep(0.05)", Trigger(5, 4, 1))
    assert (watching.death, status) == (None, 0)
    assert [(each.done, each.path, each.what) for each in watching.events] == [
        (0, "a.pt", "create"),
        (0, "a.pt", "close"),
    ]
    assert list(watching.steps_at) == [0]


# --- Killed ---------------------------------------------------------------------------------


def killed_at(watched: Programs, trigger: Trigger, program: str = TRAIN) -> int:
    watching, status = watched(program, trigger)
    assert status == -signal.SIGKILL
    assert watching.death is not None
    assert watching.death.at == pytest.approx(time.time(), abs=5)
    return watching.death.done


def test_killed_at_the_first_event_of_a_save(watched: Programs) -> None:
    assert killed_at(watched, Trigger(9, 8, 1)) == 8
    files = watched.files()
    assert files.pop("8.pt.tmp") < 400
    assert files == {"4.pt": 400}


def test_killed_after_some_events_of_a_save(watched: Programs) -> None:
    """They are: create, modify, close, delete, move; the last two are one rename."""
    program = TRAIN.replace("save(done)", "save(done, pause=0.2)")
    assert killed_at(watched, Trigger(9, 8, 3), program) == 8
    assert watched.files() == {"4.pt": 400, "8.pt.tmp": 400}


def test_killed_in_the_middle_of_a_save(watched: Programs) -> None:
    program = TRAIN.replace("save(done)", "save(done, pause=0.5)")
    assert killed_at(watched, Trigger(9, 8, 1, 0.12), program) == 8
    files = watched.files()
    assert 100 <= files.pop("8.pt.tmp") <= 400
    assert files == {"4.pt": 400}


def test_killed_once_steps_are_done(watched: Programs) -> None:
    assert killed_at(watched, Trigger(6)) == 6
    assert watched.files() == {"4.pt": 400}


def test_killed_once_steps_are_done_where_the_save_has_too_few_events(watched: Programs) -> None:
    assert killed_at(watched, Trigger(9, 8, 99)) == 9
    assert watched.files() == {"4.pt": 400, "8.pt": 400}


def test_an_earlier_save_is_not_the_one_that_is_waited_for(watched: Programs) -> None:
    assert killed_at(watched, Trigger(13, 12, 1)) == 12
    assert {"4.pt", "8.pt"} <= set(watched.files())
    assert "12.pt" not in watched.files()


def test_a_save_whose_step_is_not_shown_yet_is_seen(watched: Programs) -> None:
    """Some programs save in the step itself."""
    program = "for done in range(1, 13):\n    save(done) if done == 8 else None\n    step(done)"
    assert killed_at(watched, Trigger(9, 7, 1), program) == 7
    assert set(watched.files()) == {"8.pt.tmp"}


def test_a_log_in_the_step_before_does_not_count(watched: Programs) -> None:
    program = TRAIN.replace(
        "    step(done)", "    step(done)\n    (run / 'log.txt').write_text('1')"
    )
    assert killed_at(watched, Trigger(9, 8, 1, 0.05), program) == 8
    assert {"4.pt", "log.txt", "8.pt.tmp"} >= set(watched.files())


def test_all_processes_of_its_group_die_with_it(watched: Programs) -> None:
    program = """
child = subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(60)"])
(record / "child").write_text(str(child.pid))
for done in range(1, 100):
    step(done)
"""
    assert killed_at(watched, Trigger(3), program) == 3
    child = int((watched.record / "child").read_text())
    assert until(lambda: not is_alive(child))


def test_what_it_started_in_a_session_of_its_own_dies_with_it(watched: Programs) -> None:
    program = """
code = "import time; time.sleep(60)"
words = [sys.executable, "-S", "-c", code]
for done in range(1, 100):
    if done == 3:
        child = subprocess.Popen(words, env={}, start_new_session=True)
        (record / "child").write_text(str(child.pid))
    step(done)
"""
    assert killed_at(watched, Trigger(3), program) == 3
    child = int((watched.record / "child").read_text())
    assert until(lambda: not is_alive(child))


def is_alive(process: int) -> bool:
    try:
        return psutil.Process(process).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


# --- Told first -----------------------------------------------------------------------------

HEEDS = """
def save_and_exit(*_):
    (run / "last.pt").write_text("saved")
    sys.exit(0)

signal.signal(signal.SIGTERM, save_and_exit)
"""
IGNORES = """
signal.signal(signal.SIGTERM, lambda *_: (run / "told.pt").touch())
"""
FOREVER = """
for done in range(1, 1000):
    step(done)
"""


def test_one_that_heeds_sigterm_ends_by_itself(watched: Programs) -> None:
    watching, status = watched(HEEDS + FOREVER, Trigger(5), SECONDS)
    assert watching.death is not None
    assert (watching.death.done, status) == (5, 0)
    assert watched.files() == {"last.pt": 5}


def test_one_without_a_handler_dies_of_sigterm(watched: Programs) -> None:
    watching, status = watched(FOREVER, Trigger(5), SECONDS)
    assert watching.death is not None
    assert (watching.death.done, status) == (5, -signal.SIGTERM)


def test_one_that_ignores_sigterm_is_killed_after_the_grace_period(watched: Programs) -> None:
    watching, status = watched(IGNORES + FOREVER, Trigger(5), 0.5)
    assert watching.death is not None
    assert (watching.death.done, status) == (5, -signal.SIGKILL)
    assert time.time() - watching.death.at >= 0.5
    assert watched.files() == {"told.pt": 0}


def test_what_it_does_in_the_grace_period_is_noted(watched: Programs) -> None:
    watching, _ = watched(IGNORES + FOREVER, Trigger(5), 0.5)
    assert max(watching.steps_at) > 7
    assert ("create", "told.pt") in changes(watching.events)


# --- Folders --------------------------------------------------------------------------------


def test_a_folder_that_is_made_in_mid_run_is_seen(watched: Programs) -> None:
    program = """
for done in range(1, 13):
    step(done)
    if done == 8:
        (run / "8" / "inner").mkdir(parents=True)
        (run / "8" / "inner" / "a.pt").write_text("a")
        time.sleep(0.1)
        (run / "8" / "inner" / "b.pt").write_text("b")
"""
    watching, _ = watched(program, None)
    seen = changes(watching.events)
    assert seen[0] == ("create", "8/inner/a.pt")
    assert seen[-3:] == [(what, "8/inner/b.pt") for what in ("create", "modify", "close")]
    assert {each.done for each in watching.events} == {8}


def test_killed_in_a_folder_that_the_save_made(watched: Programs) -> None:
    program = """
for done in range(1, 13):
    step(done)
    if done == 8:
        (run / "8").mkdir()
        for name in "abcd":
            (run / "8" / f"{name}.pt").write_text(name)
            time.sleep(0.1)
"""
    assert killed_at(watched, Trigger(9, 8, 4), program) == 8  # create, modify, close, create
    assert {"8/a.pt"} <= set(watched.files()) <= {"8/a.pt", "8/b.pt"}


def read(events: FileEvents) -> list[tuple[str, str]]:
    """Read events until none is left."""
    found: list[tuple[str, str]] = []
    while more := list(events.read(timeout=100)):
        found += more
    return list(dict.fromkeys(found))


@pytest.fixture
def events(tmp_path: Path) -> Iterator[FileEvents]:
    seen = FileEvents(tmp_path)
    yield seen
    seen.close()


def test_reading_alone_is_no_event(tmp_path: Path, events: FileEvents) -> None:
    (tmp_path / "a.pt").write_text("a")
    assert read(events) == [("a.pt", what) for what in ("create", "modify", "close")]
    (tmp_path / "a.pt").read_text()
    os.utime(tmp_path / "a.pt")
    assert read(events) == []
    (tmp_path / "a.pt").unlink()
    assert read(events) == [("a.pt", "delete")]


def test_a_folder_that_is_renamed_is_watched_under_its_new_name(
    tmp_path: Path, events: FileEvents
) -> None:
    (tmp_path / "8.tmp").mkdir()
    (tmp_path / "8.tmp" / "a.pt").write_text("a")
    read(events)
    (tmp_path / "8.tmp").rename(tmp_path / "8")
    read(events)
    (tmp_path / "8" / "b.pt").write_text("b")
    assert read(events) == [("8/b.pt", what) for what in ("create", "modify", "close")]


def test_a_folder_that_is_renamed_commits_what_is_in_it(tmp_path: Path, events: FileEvents) -> None:
    (tmp_path / "8.tmp").mkdir()
    (tmp_path / "8.tmp" / "a.pt").write_text("a")
    read(events)
    (tmp_path / "8.tmp").rename(tmp_path / "8")
    assert "move" in {what for _, what in read(events)}


def test_events_in_a_new_folder_do_not_depend_on_how_fast_they_are_read(
    tmp_path: Path, events: FileEvents
) -> None:
    """Else no count of events is that of the same point in each run."""
    (tmp_path / "8").mkdir()
    (tmp_path / "8" / "a.pt").write_text("a")
    assert read(events) == [("8/a.pt", what) for what in ("create", "modify", "close")]


def test_a_folder_that_is_deleted_is_forgotten(tmp_path: Path, events: FileEvents) -> None:
    (tmp_path / "8").mkdir()
    (tmp_path / "8" / "a.pt").write_text("a")
    read(events)
    (tmp_path / "8" / "a.pt").unlink()
    (tmp_path / "8").rmdir()
    assert read(events) == [("8/a.pt", "delete")]
    (tmp_path / "8").mkdir()
    (tmp_path / "8" / "b.pt").write_text("b")
    assert ("8/b.pt", "create") in read(events)


# --- From the launch to what is found -------------------------------------------------------


def ran(
    watched: Programs, program: str, trigger: Trigger | None, grace: float | None = None
) -> Killed:
    """Run a command as a drill does; its record is made by that."""
    watched.record.rmdir()
    words = (sys.executable, str(watched.script(program)), "{run}", str(watched.record))
    request = Request(
        "control", "job", None, str(watched.record), str(watched.run), str(watched.record)
    )
    runs = CommandRuns(
        Command(words),
        watched.run.parent,
        Settings(timeout=SECONDS),
        RunProgress("job", lambda event: None, Event()),
    )
    if trigger is not None:
        trigger = replace(trigger, grace=grace)
    return run_and_kill(runs, request, "1", trigger)


def test_what_a_killed_command_left_is_kept(watched: Programs) -> None:
    killed = ran(watched, TRAIN, Trigger(6))
    assert (killed.done, killed.status) == (6, -signal.SIGKILL)
    assert killed.death is not None
    assert killed.death.done == 6
    assert {path.name for path in killed.found.iterdir()} == {"4.pt"}
    assert not watched.run.exists()
    # A save of 0.2 s and two steps; more under load.
    assert 0.2 < killed.seconds_since(4) < killed.seconds_since(1) < SECONDS
    assert killed.seconds_since(6) < 0.1
    assert killed.seconds_since(7) == 0.0


def test_of_a_command_that_ends_by_itself_no_time_is_lost(watched: Programs) -> None:
    killed = ran(watched, TRAIN, None)
    assert (killed.death, killed.done, killed.status) == (None, 12, 0)
    assert killed.seconds_since(4) == 0.0
    assert {path.name for path in killed.found.iterdir()} == {"4.pt", "8.pt", "12.pt"}


def test_a_command_that_fails_shows_its_status(watched: Programs) -> None:
    killed = ran(watched, "step(1)\nsys.exit(3)", Trigger(5))
    assert (killed.death, killed.done, killed.status) == (None, 1, 3)
