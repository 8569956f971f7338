"""A program's disk fails it, and the observer's own files are written all the same: real limits."""

import json
import os
import stat
from dataclasses import asdict
from pathlib import Path

import pytest

from ckptcheck.observer.faults import is_as_before, is_in_place, make_writable
from ckptcheck.observer.request import Fault, Request
from tests.observer.test_observation import observe, record

pytestmark = pytest.mark.skipif(os.name != "posix", reason="limits and modes are those of POSIX")

# Tries to write, and prints what comes of it on standard error.
PROLOGUE = """
import os, signal, threading

def write(name, data=b"0123456789"):
    descriptor = os.open(run / name, os.O_WRONLY | os.O_CREAT)
    try:
        print(name, os.write(descriptor, data), file=sys.stderr)
        print(name, os.write(descriptor, data), file=sys.stderr)
    except OSError as error:
        print(name, error.strerror, file=sys.stderr)
    finally:
        os.close(descriptor)
"""
FULL, SHORT, READ_ONLY = Fault(1, 0), Fault(1, 4), Fault(1)


def seen(top: Path, program: str, fault: Fault | None) -> list[str]:
    """Run a program that meets a fault; return what it printed on standard error."""
    _, errors = observe(top, PROLOGUE + program, fault=fault)
    return errors.splitlines()


def test_no_byte_is_written_to_a_full_disk(tmp_path: Path) -> None:
    program = "step(); write('before'); observation.before('train'); write('after')"
    assert seen(tmp_path, program, FULL) == ["before 10", "before 10", "after File too large"]
    assert (tmp_path / "run" / "after").read_bytes() == b""
    assert is_in_place(tmp_path / "control")


def test_a_write_is_cut_short_and_the_next_one_fails(tmp_path: Path) -> None:
    program = "step(); step(); write('a')"
    assert seen(tmp_path, program, SHORT) == ["a 4", "a File too large"]
    assert (tmp_path / "run" / "a").read_bytes() == b"0123"


def test_without_a_fault_all_is_written(tmp_path: Path) -> None:
    assert seen(tmp_path, "step(); step(); write('a')", None) == ["a 10", "a 10"]
    assert not is_in_place(tmp_path / "control")


def test_it_begins_right_before_its_step_and_stays(tmp_path: Path) -> None:
    program = "step(); step(); write('a'); step(); write('b'); step(); write('c')"
    found = seen(tmp_path, program, Fault(2, 0))
    assert found == ["a 10", "a 10", "b File too large", "c File too large"]


def test_one_before_the_first_step(tmp_path: Path) -> None:
    """The observer opens its record in that step."""
    assert seen(tmp_path, "step(); write('a'); step()", Fault(0, 0)) == ["a File too large"]
    assert [each.loss for each in record(tmp_path).steps] == [2.0, 4.0]


def test_a_run_that_is_shorter_meets_none(tmp_path: Path) -> None:
    assert seen(tmp_path, "step(); write('a')", Fault(2, 0)) == ["a 10", "a 10"]
    assert not is_in_place(tmp_path / "control")


def test_the_record_is_whole_all_the_same(tmp_path: Path) -> None:
    """Its steps are written now and then, and the rest at the end."""
    program = "[step() for _ in range(300)]; write('a')"
    assert seen(tmp_path, program, FULL) == ["a File too large"]
    run = record(tmp_path)
    assert (len(run.steps), run.facts.finished) == (300, True)
    assert not (tmp_path / "control" / "trouble.txt").exists()


def test_the_exception_that_it_leads_to_is_recorded(tmp_path: Path) -> None:
    program = "step(); step(); (run / 'a').write_text('a')"
    noted, _ = observe(tmp_path, program, status=1, fault=FULL)
    assert (noted["steps"], noted["failure"]["type"]) == (2, "OSError")
    assert noted["failure"]["message"] == "[Errno 27] File too large"


def test_a_process_that_it_starts_meets_it_too(tmp_path: Path) -> None:
    program = """
import subprocess
step(); step()
child = "import sys; open(sys.argv[1], 'wb', buffering=0).write(b'a')"
words = [sys.executable, "-S", "-c", child, str(run / "a")]
print(subprocess.run(words, capture_output=True, text=True).stderr.splitlines()[-1], file=sys.stderr)
"""
    assert seen(tmp_path, program, FULL) == ["OSError: [Errno 27] File too large"]


@pytest.mark.parametrize(("daemon", "printed"), [(False, "a File too large"), (True, "a 10")])
def test_workers_are_spared_and_a_process_that_saves_is_not(
    daemon: bool, printed: str, tmp_path: Path
) -> None:
    """A lock is a file in memory; a worker is a daemon."""
    program = f"""
import multiprocessing
step(); step()
forked = multiprocessing.get_context("fork")
forked.Lock()
child = forked.Process(target=write, args=("a",), daemon={daemon})
child.start()
child.join()
write("b")
"""
    found = seen(tmp_path, program, FULL)
    assert (found[0], found[-1]) == (printed, "b File too large")


def test_the_signal_of_the_limit_kills_nothing(tmp_path: Path) -> None:
    program = "signal.signal(signal.SIGXFSZ, signal.SIG_DFL); step(); step(); write('a')"
    assert seen(tmp_path, program, FULL) == ["a File too large"]


def test_there_is_no_fault_where_that_signal_would_kill(tmp_path: Path) -> None:
    """Python sets the handler of a signal in the main thread alone."""
    program = """
signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
step()
other = threading.Thread(target=step)
other.start()
other.join()
write('a')
"""
    assert seen(tmp_path, program, FULL) == ["a 10", "a 10"]
    assert not is_in_place(tmp_path / "control")


# --- Read-only ------------------------------------------------------------------------------

INSIDE = """
(run / "old").mkdir()
(run / "old" / "a").write_text("a")
(run / "old" / "a").chmod(0o640)
(run / "link").symlink_to(run.parent / "outside")
(run.parent / "outside").write_text("outside")
step(); step()
"""


def modes(top: Path) -> dict[str, int]:
    names = ("run", "run/old", "run/old/a", "outside")
    return {name: stat.S_IMODE((top / name).stat().st_mode) for name in names}


def test_the_folder_is_read_only_until_it_is_made_writable_again(tmp_path: Path) -> None:
    seen(tmp_path, INSIDE + "(run / 'old' / 'a').read_text()", READ_ONLY)
    found = modes(tmp_path)
    assert [found[name] & 0o222 for name in ("run", "run/old", "run/old/a")] == [0, 0, 0]
    assert found["outside"] & 0o200
    make_writable(tmp_path / "control", tmp_path / "run")
    assert modes(tmp_path)["run/old/a"] == 0o640
    assert all(mode & 0o200 for mode in modes(tmp_path).values())


def test_a_folder_that_met_no_fault_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run").chmod(0o500)
    make_writable(tmp_path, tmp_path / "run")
    assert stat.S_IMODE((tmp_path / "run").stat().st_mode) == 0o500


def test_files_that_are_gone_are_none_to_make_writable(tmp_path: Path) -> None:
    (tmp_path / "fault.json").write_text(
        json.dumps({"held": {".": [0o755, 0, 0], "a": [0o644, 1, 2]}})
    )
    make_writable(tmp_path, tmp_path / "run")


@pytest.mark.parametrize(
    ("program", "is_same"),
    [
        ("", True),
        ("(run / 'old' / 'a').read_text()", True),
        ("write('new')", False),
        ("(run / 'old' / 'a').open('wb').close()", False),
        ("(run / 'old' / 'a').unlink()", False),
        ("(run / 'new').mkdir()", False),
        # The observer writes, too, but not into the folder of the command.
        ("[step() for _ in range(100)]", True),
    ],
)
def test_what_the_command_changed_since_is_known(
    program: str, is_same: bool, tmp_path: Path
) -> None:
    seen(tmp_path, INSIDE + program, FULL)
    assert is_as_before(tmp_path / "control", tmp_path / "run") is is_same


# --- The request ----------------------------------------------------------------------------


@pytest.mark.parametrize("fault", [None, FULL, READ_ONLY])
def test_a_request_holds_its_fault(fault: Fault | None) -> None:
    request = Request("control", "job", None, "record", "run", "images", fault=fault)
    assert Request.of(json.loads(json.dumps(asdict(request)))) == request
