"""Record from inside a script, compare two records, rejudge kept runs."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ckptcheck import (
    Kind,
    Tensor,
    Tolerance,
    UsageError,
    compare_runs,
    judge_folder,
    record,
    verify,
)
from ckptcheck.run.snapshots import read_snapshot
from tests.conftest import toy

SCRIPT = """
import sys
import numpy as np
import ckptcheck

folder, mode = sys.argv[1:]
x = np.random.default_rng(0).normal(size=(200, 4))
state = {"w": np.ones(4), "momentum": np.zeros(4)}
start = 0

with ckptcheck.record(folder, lambda: state, name="script") as run:
    if mode not in ("short", "control"):
        saved = np.load("saved.npz")
        start = int(saved["step"])
        state["w"] = saved["w"]
        if mode != "forgets":
            state["momentum"] = saved["momentum"]
        run.boundary(start)
        if mode in ("evaluates", "errs"):
            run.evaluation(1.0)
            run.evaluation(2.0 + (mode == "errs"))
    for step in range(start, {"longer": 30, "stops": start}.get(mode, 25)):
        at = (step + (mode == "skips")) % 25
        batch = x[at * 8 : at * 8 + 8]
        error = batch @ state["w"] - batch.sum(1) + 1
        run.step(np.mean(error**2), [batch], 0.01)
        state["momentum"] = 0.9 * state["momentum"] + 2 * batch.T @ error / len(batch)
        state["w"] = state["w"] - 0.01 * state["momentum"]
        if mode in ("control", "short") and step + 1 in (5, 10):
            np.savez("saved.npz", step=step + 1, **state)
            run.boundary(step + 1)
            run.evaluation(1.0)
            run.evaluation(2.0)
        if mode == "short" and step == 9:
            break
        if mode == "dies" and step == 20:
            raise RuntimeError("out of luck")
"""


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recorded")
    for mode in (
        "short",
        "control",
        "resumes",
        "forgets",
        "skips",
        "dies",
        "evaluates",
        "errs",
        "longer",
        "stops",
    ):
        environment = {
            name: value for name, value in os.environ.items() if name != "PYTHONHASHSEED"
        }
        command = [sys.executable, "-c", SCRIPT, mode, mode]
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, check=False, env=environment
        )
        assert (done.returncode == 0) == (mode != "dies"), done.stderr
    return folder


def compared(folder: Path, mode: str, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "ckptcheck", "compare", "control", mode, *options]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_a_script_that_resumes(recorded: Path) -> None:
    done = compared(recorded, "resumes")
    assert done.returncode == 0, done.stdout
    assert "script  resumes  recovered      2/2                 –         15/15" in done.stdout
    assert done.stderr == (
        "ckptcheck: warning: script × resumes: no evaluation loss was recorded in both runs, so "
        "state that only evaluation reads is compared as tensors alone. Record an evaluation at "
        "the boundary.\n"
    )


def test_a_script_that_forgets(recorded: Path) -> None:
    done = compared(recorded, "forgets", "--json")
    assert done.returncode == 1
    (case,) = json.loads(done.stdout)["cases"]
    assert [(each["cause"], each["tensors"]) for each in case["diagnoses"]] == [
        ("state-lost", ["momentum"])
    ]
    assert compared(recorded, "forgets", "--expect", "diverged").returncode == 0


def test_a_script_that_skips_a_batch(recorded: Path) -> None:
    (case,) = compare_runs(recorded / "control", recorded / "skips").cases
    assert [each.sentence for each in case.diagnoses] == [
        "From step 10 on, the resumed run reads the control's batches from step 11 on: 1 batch is skipped."
    ]


def test_evaluations_of_one_step_are_compared_in_order(recorded: Path) -> None:
    done = compared(recorded, "evaluates")
    assert (done.returncode, done.stderr) == (0, "")
    assert "1 = 1" in done.stdout
    done = compared(recorded, "errs")
    assert (
        done.returncode,
        "evaluation loss after 10 steps is 3.0 instead of" in " ".join(done.stdout.split()),
    ) == (1, True)


def test_a_shared_hash_seed_is_reported(recorded: Path, tmp_path: Path) -> None:
    for name in ("control", "resumes"):
        shutil.copytree(recorded / name, tmp_path / name)
        file = tmp_path / name / "run.json"
        file.write_text(file.read_text().replace('"hash_seed": "random"', '"hash_seed": "0"'))
    report = compare_runs(tmp_path / "control", tmp_path / "resumes")
    assert report.verdict == "pass"
    assert report.warnings()[-1] == (
        "script × resumes: both runs had PYTHONHASHSEED=0, so a dependence on the order of sets "
        "would not show. Set a different value for the resumed run."
    )


def test_compare_loads_no_tensorflow(recorded: Path) -> None:
    code = "import sys; sys.argv[1:] = ['compare', 'control', 'resumes']\nfrom ckptcheck.cli import main\ntry: main()\nexcept SystemExit: print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=recorded, capture_output=True, text=True, check=True
    )
    assert not {"tensorflow", "keras", "matplotlib"} & {
        name.partition(".")[0] for name in done.stdout.split()
    }


@pytest.mark.parametrize(
    ("control", "resumed", "text"),
    [
        ("control", "nowhere", (
                                   "There is no folder nowhere. Let the script record the run into "
                                   "it with ckptcheck.record."
                               )),
        ("control", ".", (
                                   ". holds no recorded run: run.json is missing, which "
                                   "is written when a run ends."
                               )),
        (
            "control",
            "longer",
            "The resumed run in longer made 20 steps, the control only 15 after the boundary. "
            "Let both end at the same step: their final states are compared.",
        ),
        ("control", "stops", (
                                 "The resumed run in stops recorded no step after its restore. "
                                 "Let it train on."
                             )),
        ("short", "resumes", (
                                 "The control in short ends after 10 steps, where the resumed "
                                 "run begins. Let the control train on."
                             )),
        ("control", "dies", (
                                "The run in dies did not finish (RuntimeError: out of luck). "
                                "Record a whole run."
                            )),
        (
            "forgets",
            "control",
            "The resumed run begins after 5 steps, but the control in forgets recorded its "
            "state after 10 steps. Record the control's state where it saves the checkpoint.",
        ),
    ],
)  # fmt: skip
def test_runs_that_cannot_be_compared(
    control: str, resumed: str, text: str, recorded: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(recorded)
    with pytest.raises(UsageError) as caught:
        compare_runs(control, resumed)
    assert str(caught.value) == text


def state_of(value: np.ndarray[Any, Any]) -> dict[str, Tensor]:
    return {"w": Tensor(Kind.WEIGHT, value)}


def test_one_process_proves_nothing(tmp_path: Path) -> None:
    for name in ("control", "resumed"):
        value = np.arange(3.0)
        with record(tmp_path / name, partial(state_of, value)) as run:
            run.boundary(2 * (name == "resumed"))
            for step in range(2 * (name == "resumed"), 4):
                value += 1
                run.step(float(step))
                if step == 1:
                    run.boundary(2)
    control = json.loads((tmp_path / "control" / "run.json").read_text())
    resumed = json.loads((tmp_path / "resumed" / "run.json").read_text())
    (tmp_path / "resumed" / "run.json").write_text(
        json.dumps(resumed | {"started": control["started"]})
    )
    (case,) = compare_runs(tmp_path / "control", tmp_path / "resumed").cases
    assert case.reason == (
        "The control and the resumed run are the same process. Restore in a new process, "
        "so that nothing survives in memory."
    )


def test_a_record_needs_an_empty_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError) as caught, record(tmp_path, dict):
        pass
    assert (
        str(caught.value)
        == f"The folder {tmp_path} is not empty. Choose a new folder for the run, or delete it."
    )
    with (
        pytest.raises(UsageError, match="cannot be written: Not a directory"),
        record(tmp_path / "file" / "run", dict),
    ):
        pass


def test_a_boundary_after_a_different_number_of_steps(tmp_path: Path) -> None:
    with record(tmp_path / "run", dict) as run:
        run.step(1.0)
        with pytest.raises(UsageError) as caught:
            run.boundary(5)
    assert (
        str(caught.value)
        == "boundary(5) was called after 1 recorded steps. Pass the number of steps in the checkpoint, and record every step before it."
    )


@pytest.fixture(scope="module")
def verified(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("verified") / "runs"
    verify(
        [toy(name) for name in ("TwoWays", "Rounds", "Killed", "HiddenInLastLoss")],
        steps=21,
        boundary=9,
        folder=folder,
    )
    return folder


def test_rejudging_gives_the_same_report(verified: Path) -> None:
    report = judge_folder(verified)
    assert [(case.name.rpartition(":")[2], case.outcome) for case in report.cases] == [
        ("TwoWays × all", "recovered"),
        ("TwoWays × weights", "diverged"),
        ("Rounds × all", "diverged"),
        ("Killed × all", "inconclusive"),
        ("HiddenInLastLoss × all", "diverged"),
    ]
    assert [case.noise is not None for case in report.cases] == [False, False, False, False, True]
    assert report.verdict == "fail"


def test_rejudging_with_a_different_tolerance_and_expectation(verified: Path) -> None:
    outcomes = {
        case.job.rpartition(":")[2]: case.outcome
        for case in judge_folder(verified, tolerance=Tolerance(1e-5, 1e-7)).cases
    }
    assert outcomes["Rounds"] == "recovered"
    report = judge_folder(verified, ["weights"], expect="diverged")
    assert ([case.restore for case in report.cases], report.verdict) == (["weights"], "pass")


def test_folders_that_cannot_be_judged(tmp_path: Path, verified: Path) -> None:
    with pytest.raises(UsageError, match="holds no runs of a verification"):
        judge_folder(tmp_path)
    with pytest.raises(UsageError, match="There is no restore among these runs called 'al'"):
        judge_folder(verified, ["al"])


AT_EXIT = """
import sys, numpy as np, ckptcheck
state = {"w": np.zeros(3)}
run = ckptcheck.record(sys.argv[1], lambda: state)
ckptcheck.record(sys.argv[1] + "-unassigned", dict)
for step in range(4):
    state["w"] = state["w"] + 1
    run.step(float(step))
if sys.argv[1] == "raises":
    raise RuntimeError("out of luck")
if sys.argv[1] == "closed":
    run.close()
    state["w"] = state["w"] + 1
"""


def test_without_with_it_ends_with_the_process(tmp_path: Path) -> None:
    for mode in ("ends", "closed", "raises"):
        done = subprocess.run(
            [sys.executable, "-c", AT_EXIT, mode],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stderr.count("Traceback")) == (mode == "raises",) * 2
        facts = json.loads((tmp_path / mode / "run.json").read_text())
        assert facts["finished"] == (mode != "raises")
        assert (tmp_path / f"{mode}-unassigned" / "run.json").is_file()
    assert facts["failure"]["message"] == "out of luck"
    finals = [
        read_snapshot(tmp_path / mode / "final.npz")["w"].value.tolist()
        for mode in ("ends", "closed")
    ]
    assert finals == [[4.0] * 3] * 2


def test_declared_kinds(tmp_path: Path) -> None:
    with record(tmp_path / "run", lambda: {"sum": np.ones(2)}, kinds={"s*": "accumulator"}):
        pass
    assert read_snapshot(tmp_path / "run" / "final.npz")["sum"].kind is Kind.ACCUMULATOR


def test_the_framework_of_a_function_that_reads_the_state(tmp_path: Path) -> None:
    def state() -> dict[str, np.ndarray]:
        return {"w": np.ones(2)}

    with record(tmp_path / "unknown", state):
        pass
    state.framework = "tf1"  # type: ignore[attr-defined]
    with record(tmp_path / "known", state):
        pass
    found = [
        json.loads((tmp_path / folder / "run.json").read_text())["framework"]
        for folder in ("unknown", "known")
    ]
    assert found == ["", "tf1"]


def test_a_callback_without_keras() -> None:
    code = """
import ckptcheck
run = ckptcheck.record("run", dict)
try:
    run.callback()
except ckptcheck.UsageError as error:
    print(error)
"""
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=True
        )
    assert done.stdout == "This process has not imported Keras, so there is no `fit` to record.\n"
