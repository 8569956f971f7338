"""Several commands at a time: their cases in one report, and none goes on when one cannot be started."""

import re
import sys
import time
from pathlib import Path

import psutil
import pytest

from ckptcheck.command.command import RUN, Command
from ckptcheck.commands import Asked, of_shipped, verify_commands
from ckptcheck.diagnosis.allowances import STRICT
from ckptcheck.errors import UsageError
from ckptcheck.job.plan import Settings
from ckptcheck.job.shipped import command_named
from ckptcheck.run.worker_pool import Event

LEFT = """
import sys, time
from pathlib import Path

import numpy as np

folder = Path(sys.argv[1])
saved = sorted(folder.glob("step-*.npz"))
state = dict(np.load(saved[-1])) if saved else {"w": np.ones(4), "step": 0}
while state["step"] < 6:
    state = {"w": state["w"] * 0.9, "step": state["step"] + 1}
    print(f"step {state['step']} loss {state['w'].sum()}", flush=True)
    if state["step"] % 2 == 0:
        np.savez(folder / f"step-{state['step']}.npz", **state)
        time.sleep(0.6)
"""


def asked(tmp_path: Path, name: str, program: str, *words: str) -> Asked:
    return Asked(
        Command(
            (sys.executable, "-c", program, RUN, *words),
            metric=re.compile(r"step (\d+) loss (\S+)"),
            title=name,
        ),
        "recovered",
        tmp_path / name,
    )


def test_each_has_its_cases_in_the_order_of_the_request(tmp_path: Path) -> None:
    events: list[Event] = []
    both = [asked(tmp_path, name, LEFT) for name in ("x/one", "x/two")]
    judged = verify_commands(both, Settings(), STRICT, events.append)
    assert [case.job for case in judged.cases] == ["x/one", "x/two"]
    assert {case.outcome for case in judged.cases} == {"recovered"}, judged.cases[0].reason
    assert [question.job for question in judged.questions] == list(judged.evidence)
    assert {event.name for event in events} == {
        "x/one control",
        "x/two control",
        "x/one × restart",
        "x/two × restart",
    }


def test_none_goes_on_when_one_cannot_be_started(tmp_path: Path) -> None:
    sleeping = asked(tmp_path, "sleeping", "import time; time.sleep(600)", "asleep")
    missing = Asked(Command(("no-such-program", RUN)), "recovered", tmp_path / "missing")
    began = time.monotonic()
    with pytest.raises(UsageError, match=r"^no-such-program cannot be started"):
        verify_commands([sleeping, missing], Settings(), STRICT, lambda event: None)
    assert time.monotonic() - began < 60
    assert not [each for each in psutil.process_iter(["cmdline"]) if _is_of(tmp_path, each)]


def _is_of(tmp_path: Path, process: psutil.Process) -> bool:
    return any(str(tmp_path) in word for word in process.info["cmdline"] or ())


def test_a_shipped_script_is_the_user_s_own(tmp_path: Path) -> None:
    """What is installed is no program of the user, and would not be looked into."""
    shipped = command_named("torch/mid-epoch-fixed")
    assert shipped is not None
    own = of_shipped(shipped, "recovered", tmp_path / "torch-mid-epoch-fixed")
    program, script, *words = own.command.words(tmp_path / "run", is_resumed=True)
    assert program == sys.executable
    assert Path(script) == tmp_path / "torch-mid-epoch-fixed" / "mid_epoch.py"
    assert Path(script).read_text() == shipped.file.read_text()
    assert words == [str(tmp_path / "run"), "--fixed"]
    assert own.command.name == "torch/mid-epoch-fixed"
