"""A fault of a drill: what the disk is to do, whether the command noticed, and how it is said."""

import json
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from ckptcheck.command.command import Command
from ckptcheck.command.launch import OUTPUT
from ckptcheck.command.runs import CommandRuns
from ckptcheck.commands import RunProgress
from ckptcheck.diagnosis.allowances import Terms
from ckptcheck.drills import faults
from ckptcheck.drills.cases import case_of
from ckptcheck.drills.drilled import Cut, DrillReport, Noticed, Reaction, Row, Timeline
from ckptcheck.drills.faults import (
    _finished,
    _limit,
    _noticed,
    _why_unknown,
    prefix_without_override,
)
from ckptcheck.drills.killing import Killed, run_and_kill
from ckptcheck.drills.points import FAULTS, Point, parse_points
from ckptcheck.drills.run import _faults
from ckptcheck.drills.saves import Save
from ckptcheck.drills.sentences import cells, heading, stories, verdict_line
from ckptcheck.drills.tried import Drill
from ckptcheck.drills.watching import Death
from ckptcheck.errors import UsageError
from ckptcheck.job.plan import Settings
from ckptcheck.observer.request import Fault

OVER = 17  # the steps after which a run with a fault in the save after 16 is killed
SAVES = (Save(8, 8, 8, 0.1, 2), Save(16, 16, 16, 0.1, 2), Save(24, 24, 24, 0.1, 2))


def runs_in(folder: Path, *words: str) -> CommandRuns:
    progress = RunProgress("job", lambda event: None, Event())
    return CommandRuns(Command((*words, "{run}")), folder, Settings(timeout=30.0), progress)


def drill_in(folder: Path, saves: Sequence[Save] = SAVES) -> Drill:
    return Drill(runs_in(folder, "true"), tuple(saves), 40, 30.0, Terms())


# --- What the disk is to do -----------------------------------------------------------------


def test_reports_name_a_fault_with_its_save() -> None:
    labels = [Point(name, 2).label for name in FAULTS]
    assert labels == ["disk-full in save 2", "read-only in save 2", "short-write in save 2"]


def test_a_fault_is_no_point_to_kill_at() -> None:
    with pytest.raises(UsageError) as caught:
        parse_points("mid,disk-full")
    assert str(caught.value) == "disk-full is no point to kill at: --faults tries it, too."


def folder_of(top: Path, sizes: dict[str, int], fill: str = "a") -> Path:
    for name, size in sizes.items():
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_text(fill * size)
    return top


def test_no_byte_fits_on_a_full_disk_and_a_read_only_folder_has_no_limit(tmp_path: Path) -> None:
    after = folder_of(tmp_path, {"a.pt": 100})
    assert _limit("disk-full", None, after) == 0
    assert _limit("read-only", None, after) is None


@pytest.mark.parametrize(
    ("old", "new", "limit"),
    [
        ({}, {"a.pt": 100, "b.pt": 10}, 50),
        ({"a.pt": 90}, {"a.pt": 100}, 50),  # written over
        ({"data.npy": 900}, {"data.npy": 900, "8/a.pt": 100}, 50),  # it was there
        ({"log.txt": 800}, {"log.txt": 900, "a.pt": 101}, 50),
        ({}, {"a.pt": 1}, 0),
        ({}, {}, 0),
    ],
)
def test_a_short_write_ends_in_the_middle_of_the_largest_file_of_the_save(
    old: dict[str, int], new: dict[str, int], limit: int, tmp_path: Path
) -> None:
    before, after = folder_of(tmp_path / "before", old), folder_of(tmp_path / "after", new)
    assert _limit("short-write", before, after) == limit


def test_a_file_of_equal_size_with_other_bytes_is_of_the_save(tmp_path: Path) -> None:
    before = folder_of(tmp_path / "before", {"a.pt": 100})
    assert _limit("short-write", before, folder_of(tmp_path / "after", {"a.pt": 100}, "b")) == 50


@pytest.mark.parametrize(
    ("saves", "number", "finished"),
    [
        (SAVES, 1, 0),
        (SAVES, 2, 8),
        (SAVES, 3, 16),
        # A save by a thread is finished if it ends before the fault begins.
        ((SAVES[0], replace(SAVES[1], ended=22), SAVES[2]), 3, 16),
        ((SAVES[0], replace(SAVES[1], ended=23), SAVES[2]), 3, 8),
        # One before each step, between two steps.
        ((Save(1, 1, 1, 0.1, 2), Save(2, 2, 2, 0.1, 2)), 2, 1),
    ],
)
def test_what_was_finished_before_the_fault(
    saves: Sequence[Save], number: int, finished: int, tmp_path: Path
) -> None:
    assert _finished(drill_in(tmp_path, saves), Point("disk-full", number)) == finished


# --- Read-only, as whom ---------------------------------------------------------------------


def test_modes_stop_a_command_that_is_started_so(tmp_path: Path) -> None:
    prefix = prefix_without_override(tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert prefix is not None, faults.NOT_STOPPED
    script = tmp_path / "train.py"
    script.write_text(
        "import pathlib, sys\n"
        "run = pathlib.Path(sys.argv[1])\n"
        "(run / 'before').touch()\n"
        "run.chmod(0o555)\n"
        "(run / 'after').touch()\n"
    )
    killed = ran(tmp_path, script, prefix=prefix)
    assert killed.status == 1
    printed = (killed.folder / OUTPUT).read_text()
    assert "PermissionError: [Errno 13] Permission denied" in printed
    assert [path.name for path in killed.found.iterdir()] == ["before"]


@pytest.mark.parametrize("missing", ["setpriv", "nothing"])
def test_where_modes_stop_nothing_the_fault_is_left_out(
    missing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def runs(words: Sequence[str]) -> bool:
        return not (missing == "setpriv" and words[0] == "setpriv")

    monkeypatch.setattr(faults, "_runs", runs)
    assert prefix_without_override(tmp_path) is None
    left_out: dict[str, str] = {}
    tried = [label for label, _ in _faults(drill_in(tmp_path), [1, 2], left_out)]
    names = ("disk-full", "short-write")
    assert tried == [f"{name} in save {number}" for number in (1, 2) for name in names]
    assert left_out == {f"read-only in save {number}": faults.NOT_STOPPED for number in (1, 2)}


def test_where_they_do_each_fault_of_each_save_is_tried(tmp_path: Path) -> None:
    left_out: dict[str, str] = {}
    tried = [label for label, _ in _faults(drill_in(tmp_path), [2], left_out)]
    assert tried == ["disk-full in save 2", "read-only in save 2", "short-write in save 2"]
    assert left_out == {}


# --- Its output -----------------------------------------------------------------------------

PRINTS = """
import os, resource, subprocess, sys, time
print("before", flush=True)
resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
print("after", flush=True)
subprocess.run([sys.executable, "-S", "-c", "print('of a child')"], check=True)
sys.stderr.write(200_000 * "x")
"""


def ran(
    top: Path, script: Path, *, fault: Fault | None = None, prefix: Sequence[str] = ()
) -> Killed:
    runs = runs_in(top, sys.executable, "-S", str(script))
    runs.make_place()
    request = replace(runs.request(top / "record"), fault=fault)
    return run_and_kill(runs, request, "1", None, prefix=prefix)


def test_a_command_whose_disk_is_full_can_print(tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text(PRINTS)
    killed = ran(tmp_path, script, fault=Fault(1, 0))
    assert killed.status == 0
    printed = (killed.folder / OUTPUT).read_text()
    assert printed == "before\nafter\nof a child\n" + 200_000 * "x"


def test_its_output_is_no_file_of_its_own(tmp_path: Path) -> None:
    """Without the pipe it fails: this shows that the limit is there."""
    script = tmp_path / "train.py"
    script.write_text(PRINTS)
    assert ran(tmp_path, script).status != 0


def test_a_process_that_keeps_the_output_open_holds_up_nothing(tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text(
        "import subprocess, sys\n"
        "subprocess.Popen([sys.executable, '-S', '-c', 'import time; time.sleep(60)'])\n"
        "print('done')\n"
    )
    begun = time.monotonic()
    killed = ran(tmp_path, script, fault=Fault(1, 0))
    assert (killed.folder / OUTPUT).read_text() == "done\n"
    assert time.monotonic() - begun < 20


# --- Whether it noticed ---------------------------------------------------------------------


@pytest.fixture
def record(tmp_path: Path) -> Path:
    (tmp_path / OUTPUT).write_text("step 1 loss 0.5\nwarning: as ever\nstep 16 loss 0.25\n")
    (tmp_path / "control.txt").write_text("step 1 loss 0.5\nwarning: as ever\nstep 16 loss 0.25\n")
    return tmp_path


def killed_in(folder: Path, status: int = -9, **more: Any) -> Killed:
    facts = {"death": None, "done": 16, "steps_at": {0: 1.0, 16: 2.0}, "events": (), **more}
    return Killed(folder, status=status, **facts)


def noticed(record: Path, printed: str = "", failure: Any = None, **more: Any) -> Noticed:
    with (record / OUTPUT).open("a") as output:
        output.write(printed)
    if failure is not None:
        (record / "observed.json").write_text(json.dumps({"failure": failure, "steps": 16}))
    return _noticed(killed_in(record, **more), OVER, record / "control.txt", PLACE)


DEATH = Death(17, 3.0)
PLACE = Path("/a/b/run")
FULL = {"type": "OSError", "message": "[Errno 27] File too large: '/a/b/run/last.pt'"}


def test_one_that_was_killed_went_on(record: Path) -> None:
    assert noticed(record, death=DEATH) == Noticed(Reaction.WENT_ON)
    assert noticed(record, done=17, status=0) == Noticed(Reaction.WENT_ON)


@pytest.mark.parametrize(
    ("printed", "said"),
    [
        ("step 17 loss 0.2\n", ""),
        ("[Errno 27] File too large\n", "[Errno 27] File too large"),
        ("Saving failed, trying later.\nerror: 2\n", "Saving failed, trying later"),
        ("WARNING: could not save\n", "WARNING: could not save"),
        ("warning: as ever\n", ""),
        ("/a/b/run/last.pt: error\n", "{run}/last.pt: error"),
        (
            "Exception in thread Thread-1 (save):\nTraceback (most recent call last):\n"
            "    raise_error()\nOSError: [Errno 27] File too large\n",
            "OSError: [Errno 27] File too large",
        ),
        (300 * "error ", 26 * "error " + "err…"),
    ],
)
def test_one_that_went_on_may_have_said_so(record: Path, printed: str, said: str) -> None:
    reaction = Reaction.SAID if said else Reaction.WENT_ON
    assert noticed(record, printed, death=DEATH) == Noticed(reaction, said)


def test_one_that_ended_says_by_which_error(record: Path) -> None:
    said = "OSError: [Errno 27] File too large: '{run}/last.pt'"
    assert noticed(record, failure=FULL, status=1) == Noticed(Reaction.FAILED, said)


def test_what_tensorflow_writes_before_an_error_is_left_out(record: Path) -> None:
    text = "{{function_node __wrapped__SaveV2_device_/CPU:0}} /a/b/run/ckpt-2; File too large"
    failure = {"type": "OutOfRangeError", "message": f"{text} [Op:SaveV2]"}
    said = "OutOfRangeError: {run}/ckpt-2; File too large [Op:SaveV2]"
    assert noticed(record, failure=failure, status=1) == Noticed(Reaction.FAILED, said)


def test_one_that_was_not_seen_to_fail_has_a_last_line(record: Path) -> None:
    found = noticed(record, "last.pt: no space.\n", status=3)
    assert found == Noticed(Reaction.FAILED, "exited with status 3: last.pt: no space")
    found = noticed(record, "terminate called\n", status=-6)
    assert found == Noticed(Reaction.FAILED, "killed by SIGABRT: terminate called")


def test_one_that_ended_well_did_not_notice(record: Path) -> None:
    assert noticed(record, status=0) == Noticed(Reaction.ENDED)
    # A shell script may lose the status of the program in it.
    found = noticed(record, failure=FULL, status=0)
    assert found == Noticed(Reaction.ENDED, "OSError: [Errno 27] File too large: '{run}/last.pt'")


def test_one_that_waits_for_ever_is_said_to(record: Path) -> None:
    assert noticed(record, is_silent=True) == Noticed(Reaction.SILENT)


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (Noticed(Reaction.FAILED, "OSError"), "it ended with an error: OSError"),
        (Noticed(Reaction.ENDED), "it ended with exit status 0"),
        (Noticed(Reaction.SILENT), "it made no step and did not end"),
        (Noticed(Reaction.SAID, "not saved"), "it went on and reported an error: not saved"),
        (Noticed(Reaction.WENT_ON), "it went on and reported no error"),
        (
            Noticed(Reaction.WENT_ON, "", was_saved=True),
            "it went on and reported no error; the save was made all the same",
        ),
    ],
)
def test_what_it_did_in_words(given: Noticed, text: str) -> None:
    assert given.text == text


def test_a_run_that_ended_before_the_fault_tells_nothing(record: Path) -> None:
    assert _why_unknown(killed_in(record, 0)) == "It ended before the fault."
    why = "It ended before the fault: it exited with status 1: step 16 loss 0.25."
    assert _why_unknown(killed_in(record, 1)) == why
    (record / "fault.json").touch()
    assert _why_unknown(killed_in(record, 1)) == ""
    (record / "trouble.txt").write_text("The command ran out of memory.\n")
    assert _why_unknown(killed_in(record, 1)) == "The command ran out of memory."


# --- How it is said -------------------------------------------------------------------------


def row(name: str, outcome: str, reaction: Reaction | None, said: str = "", **more: Any) -> Row:
    saved = more.pop("was_saved", False)
    noticed = None if reaction is None else Noticed(reaction, said, saved)
    facts = {"went_on_at": 8, "finished_at": 8, "cut": Cut.FAULT, "noticed": noticed, **more}
    return Row(f"{name} in save 2", "nothing of save 2", outcome, 16, **facts)


FAILED = row("disk-full", "lost work", Reaction.FAILED, "OSError: [Errno 27] File too large")
SILENT = row("read-only", "lost work", Reaction.WENT_ON)
BAD = row("short-write", "refused", Reaction.ENDED, went_on_at=None, reason="It cannot start.")
KILL = Row("mid of save 2", "nothing of save 2", "lost work", 16, 8, 8)
UNKNOWN = row("disk-full", "inconclusive", None, went_on_at=None, reason="It ended before it.")


def report(*rows: Row, **more: Any) -> DrillReport:
    cases = tuple(case_of(each, "train.py") for each in rows)
    timeline = Timeline(40, (8, 16, 24, 32))
    return DrillReport(cases, {"python": "3.12.1"}, rows, timeline, **more)


def test_a_row_says_what_was_there_and_what_the_command_did() -> None:
    assert cells(FAILED) == (
        "disk-full in save 2",
        "nothing of save 2; it ended with an error: OSError: [Errno 27] File too large",
        "lost work",
        "step 8",
        "8",
    )


def test_a_row_as_plain_values() -> None:
    assert SILENT.document()["noticed"] == {
        "reaction": "went on and reported no error",
        "said": "",
        "was_saved": False,
    }
    assert KILL.document()["noticed"] is None
    json.dumps(FAILED.document())


def test_one_that_lost_no_more_than_it_may_passes_however_it_noticed() -> None:
    found = report(FAILED, SILENT)
    assert (found.verdict, found.exit_code) == ("pass", 0)
    found.assert_recovered()
    line = "PASS: it went on exactly after 2 of 2 faults, with at most 8 steps made twice."
    assert verdict_line(found) == line


def test_one_that_lost_its_checkpoint_fails_with_what_it_did() -> None:
    found = report(KILL, FAILED, BAD)
    assert (found.verdict, found.exit_code) == ("fail", 1)
    assert verdict_line(found) == (
        "FAIL: 1 of 3 kills and faults lost more than they may: short-write in save 2 was refused."
    )
    ((head, *lines),) = stories(found)
    assert head == "short-write in save 2: refused"
    assert lines[0] == "  After the fault, it ended with exit status 0. It cannot start."
    assert [case.reason for case in found.cases[:2]] == [None, None]
    assert lines[-1].startswith("  After a save that failed: Write each save to a temporary name")
    with pytest.raises(AssertionError, match="1 of 3 kills and faults lost more than they may"):
        found.assert_recovered()


def test_one_that_is_not_judged_is_inconclusive() -> None:
    found = report(FAILED, UNKNOWN)
    assert (found.verdict, found.exit_code) == ("inconclusive", 3)
    line = "INCONCLUSIVE: 1 of 2 faults could not be judged: disk-full in save 2."
    assert verdict_line(found) == line


@pytest.mark.parametrize(
    ("rows", "faults"), [([KILL], ""), ([KILL, FAILED], " or met a fault"), ([UNKNOWN], " or met a fault")]
)  # fmt: skip
def test_the_heading_says_what_the_rows_are(rows: Sequence[Row], faults: str) -> None:
    wanted = f"Each row is a run that was killed{faults} and started again."
    assert heading(report(*rows)).endswith(wanted)


def test_each_reason_for_what_was_not_tried_is_given() -> None:
    left_out = {
        "read-only in save 1": "Modes stop nothing.",
        "read-only in save 2": "Modes stop nothing.",
        "short-write in save 2": "The budget of 60 s was spent.",
    }
    assert verdict_line(report(KILL, left_out=left_out)).endswith(
        " Not tried: read-only in save 1 and read-only in save 2. Modes stop nothing. "
        "Not tried: short-write in save 2. The budget of 60 s was spent."
    )


WENT_ON = (
    "the command went on as if the save had succeeded. Check what the save raises or returns, and "
    "report it: else the next crash loses more work than expected."
)


def test_a_save_that_failed_unnoticed_is_a_warning() -> None:
    found = report(SILENT, replace(SILENT, point="disk-full in save 2"), KILL).warnings()
    assert found == [f"read-only in save 2 and disk-full in save 2: {WENT_ON}"]
    assert report(KILL, FAILED, UNKNOWN).warnings() == []
    said = row("disk-full", "lost work", Reaction.SAID, "not saved")
    assert report(said).warnings() == []


def test_an_exit_status_of_0_after_a_save_that_failed_is_a_warning() -> None:
    assert report(BAD).warnings() == [
        "short-write in save 2: the command ended with exit status 0 although its save had failed: "
        "a scheduler takes that for a finished job. Let it end with an error."
    ]


def test_a_save_that_came_to_pass_all_the_same_proves_nothing() -> None:
    saved = row("read-only", "recovered", Reaction.WENT_ON, was_saved=True)
    assert report(saved).warnings() == [
        "read-only in save 2: the save was made in spite of the fault, so that a save that fails "
        "was not tried."
    ]
