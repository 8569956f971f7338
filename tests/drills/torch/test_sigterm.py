"""What a right program may do with SIGTERM: end its step, go on for a while, or take no notice.

Each saves every 8 of its 40 steps of 0.03 s, and recovers; SIGTERM comes at step 20.
"""

import sys
from pathlib import Path

import pytest

from ckptcheck import drill
from ckptcheck.drills.drilled import DrillReport

pytest.importorskip("torch", reason="PyTorch is an extra")

pytestmark = [pytest.mark.drills, pytest.mark.timeout(900)]  # many processes, on two cores

HEEDS = Path(__file__).parents[1] / "scripts" / "sigterm_mid_step" / "fixed.py"
HEEDED = "        if stop_signals:\n            save()\n            return\n"


def drilled(folder: Path, instead: str, grace: float) -> DrillReport:
    """Drill the program with something else done after each step."""
    text = HEEDS.read_text()
    assert HEEDED in text
    script = folder / "train.py"
    script.write_text(text.replace(HEEDED, instead))
    command = [sys.executable, str(script), "{run}"]
    report = drill(command, points="term", grace=grace, folder=folder / "runs")
    for row in report.rows:  # shown if the test fails
        print(row.document())
    return report


def test_one_that_saves_within_the_grace_period_and_is_killed_recovers(tmp_path: Path) -> None:
    (row,) = drilled(tmp_path, "", grace=0.5).rows
    assert row.is_good, row
    assert row.outcome in ("recovered", "lost work")
    assert row.went_on_at in (24, 32)
    assert row.finished_at == row.went_on_at
    assert row.killed_at >= row.went_on_at


def test_one_that_finishes_within_the_grace_period_is_inconclusive(tmp_path: Path) -> None:
    (row,) = drilled(tmp_path, "", grace=60.0).rows
    assert (row.outcome, row.reason) == (
        "inconclusive",
        "It went on after SIGTERM and finished within the grace period. Give less time with "
        "--grace.",
    )


def test_one_that_saves_some_steps_after_sigterm_recovers(tmp_path: Path) -> None:
    """As one that ends its epoch, or the steps that it accumulates gradients in."""
    later = HEEDED.replace("stop_signals:", "stop_signals and step % 8 == 3:")
    (row,) = drilled(tmp_path, later, grace=60.0).rows
    assert (row.outcome, row.went_on_at, row.finished_at) == ("recovered", 27, 27)


def test_one_whose_shell_dies_first_has_its_grace_period(tmp_path: Path) -> None:
    """Every process gets the signal, and a shell heeds it before the one that saves."""
    script = tmp_path / "train.sh"
    script.write_text(f'{sys.executable} {HEEDS} "$1"\n')
    (row,) = drill(f"bash {script} {{run}}", points="term", grace=30.0).rows
    assert row.outcome == "recovered", row
    assert row.on_disk.endswith("; ended by SIGTERM")
    assert row.went_on_at == row.killed_at > 16
