"""Jobs as classes and instances: those that no process can import are sent as they are."""

import linecache
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from base import Clean

from ckptcheck import UsageError, verify
from ckptcheck.job.given import _pickled, given, unpickled
from tests.planted_jobs import PLANTED


def test_a_class_of_a_file_is_named_by_it() -> None:
    (one,) = given(Clean)
    assert one.name.endswith("tests/planted/base.py:Clean")
    assert one.pickled is None


def test_names_are_kept_each_once() -> None:
    assert [each.name for each in given(["plain", "bn-nn", "plain"])] == ["plain", "bn-nn"]
    assert given(None) == []


def test_a_class_that_has_no_importable_name_is_sent(tmp_path: Path) -> None:
    class Mine(Clean):
        pass

    (one,) = given(Mine)
    assert one.name == "tests.job.test_given:Mine"
    assert one.pickled is not None
    (tmp_path / "job.pickle").write_bytes(one.pickled)
    sent = unpickled(tmp_path / "job.pickle")
    assert (sent.__name__, issubclass(sent, Clean)) == ("Mine", True)


def test_a_cell_of_a_notebook_is_sent_with_its_source(tmp_path: Path) -> None:
    name, source = "/tmp/ipykernel_1/2.py", "class Cell:\n    loss = lambda self: 5\n"
    linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
    space: dict[str, Any] = {"__name__": "__main__"}
    exec(compile(source, name, "exec"), space)
    (tmp_path / "job.pickle").write_bytes(_pickled(space["Cell"]))
    del linecache.cache[name]
    show = "import inspect, sys, pathlib; from ckptcheck.job.given import unpickled; "
    show += "print(inspect.getsource(unpickled(pathlib.Path(sys.argv[1])).loss))"
    command = [sys.executable, "-c", show, str(tmp_path / "job.pickle")]
    shown = subprocess.run(command, check=True, capture_output=True, text=True)
    assert shown.stdout.strip() == "loss = lambda self: 5"


def test_instances_keep_what_they_were_given() -> None:
    class Sized(Clean):
        def __init__(self, rate: float) -> None:
            self.speed = rate

        def rate(self, step: int) -> float:
            return self.speed

    report = verify([Sized(0.01), Sized(0.02)], steps=21, boundary=9)
    assert [case.name.rpartition(":")[2] for case in report.cases] == [
        "Sized × all",
        "Sized~2 × all",
    ]
    report.assert_recovered()
    rates = [case.control.steps[0].rate for case in report.cases if case.control]
    assert rates == [0.01, 0.02]


def test_what_cannot_be_sent_is_named() -> None:
    numbers = (number for number in range(3))

    class Holds(Clean):
        def next(self) -> int:
            return next(numbers)

    with pytest.raises(UsageError) as caught:
        given(Holds)
    name = "test_what_cannot_be_sent_is_named.<locals>.Holds"
    assert str(caught.value) == (
        f"{name} cannot be sent to a new process: TypeError: cannot pickle 'generator' object. It refers to an object of this process. Create that object in a method of the job, or move the class into a file and pass file.py:NAME."
    )


def test_an_object_that_is_no_job() -> None:
    with pytest.raises(UsageError, match=r"^int is not a job: int lacks build, next_step, "):
        given(3)


SCRIPT = """
import sys
sys.path.insert(0, {planted!r})
import base
import numpy as np
SHIFT = np.float64(0.5)
class Train(base.Clean):
    def loss(self, x):
        return super().loss(x) + SHIFT
{also}
from ckptcheck import verify
report = verify(Train, steps=21, boundary=9)
report.assert_recovered()
print(report.cases[0].name, report.cases[0].control.steps[0].loss > 0.5)
"""


def in_a_script(code: str, folder: Path) -> str:
    (folder / "train.py").write_text(code)
    done = subprocess.run(
        [sys.executable, "train.py"], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def in_a_notebook(code: str, folder: Path) -> str:
    """Run a cell as IPython does: its class is of `__main__`, which has no file."""
    run = f"import __main__\ndel __main__.__file__\nexec(compile({code!r}, '<cell>', 'exec'), vars(__main__))"
    return in_a_script(run, folder)


@pytest.mark.parametrize("run", [in_a_script, in_a_notebook])
def test_a_class_of_the_running_program(run: Callable[[str, Path], str], tmp_path: Path) -> None:
    """The script does not guard its call of `verify`: no process runs the script again."""
    code = SCRIPT.format(planted=str(PLANTED), also="print('once')")
    assert run(code, tmp_path) == "once\n__main__:Train × all True\n"
