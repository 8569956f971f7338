"""Each script with one crash bug is found at its points, and its right twin passes there.

`tests/drills/scripts/README.md` has the table. A script with one point takes 40 to 60 s on two busy
cores: two runs that are not killed, a kill and a restart, each with an import of PyTorch.
"""

import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from ckptcheck import drill
from ckptcheck.drills.drilled import DrillReport

pytest.importorskip("torch", reason="PyTorch is an extra")

pytestmark = pytest.mark.timeout(900)  # many processes, on two cores

SCRIPTS = Path(__file__).parents[1] / "scripts"

REFUSED, DIVERGED, BEGAN_ANEW = {"refused"}, {"diverged"}, {"began anew"}

# The outcome at each point of the second save, of those in the README that tell most. No kill finds
# `no_fsync`: the kernel keeps what a killed process wrote, and only a power cut loses it. The crash
# states of a save find it.
FOUND: dict[str, Mapping[str, set[str]]] = {
    "overwrite_in_place": {"first-event": REFUSED},
    "state_before_data": {"before-commit": REFUSED},
    "delete_before_whole": {"before-commit": BEGAN_ANEW, "first-event": BEGAN_ANEW},
    "torn_counter": {"mid": DIVERGED},
    "lock_left": {"term": REFUSED},
    # The middle of its time is that of `model.pt.tmp`, which alone is synchronized.
    "half_optimizer": {"before-commit": DIVERGED},
    "latest_by_mtime": {"mid": REFUSED},
    # The temporary folder holds nothing yet, or an empty file.
    "temporary_taken": {"first-event": DIVERGED | REFUSED},
    "sigterm_mid_step": {"term": DIVERGED},
    "resume_deletes": {"restart": BEGAN_ANEW},
    "second_restart": {"restart": BEGAN_ANEW},
}


# Those that .ci/run tries: one of each kind of outcome. A drill takes half a minute.
_OF_EACH_COMMIT = ("overwrite_in_place", "second_restart", "sigterm_mid_step")
_SCRIPTS = [
    pytest.param(name, marks=pytest.mark.torch if name in _OF_EACH_COMMIT else pytest.mark.drills)
    for name in FOUND
]


def drilled(name: str, twin: str, folder: Path) -> DrillReport:
    script = SCRIPTS / name / f"{twin}.py"
    command = [sys.executable, str(script), "{run}"]
    report = drill(command, points=tuple(FOUND[name]), grace=5.0, folder=folder / "runs")
    for row in report.rows:  # shown if the test fails
        print(row.document())
    return report


def test_the_table_leaves_out_only_what_no_kill_finds() -> None:
    scripts = {each.name for each in SCRIPTS.iterdir() if each.is_dir()}
    # `test_faults.py` tries those that fail where the disk does.
    assert scripts - set(FOUND) == {"no_fsync", "error_swallowed", "counter_ahead"}


@pytest.mark.parametrize("name", _SCRIPTS)
def test_a_bug_is_found_at_its_points(name: str, tmp_path: Path) -> None:
    report = drilled(name, "broken", tmp_path)
    wanted = FOUND[name]
    assert len(report.rows) == len(wanted)
    for row, (point, outcomes) in zip(report.rows, wanted.items(), strict=True):
        assert row.outcome in outcomes, (point, row)
        assert not row.is_good
    assert report.verdict == "fail"
    with pytest.raises(AssertionError):
        report.assert_recovered()


@pytest.mark.parametrize("name", _SCRIPTS)
def test_its_right_twin_passes_there(name: str, tmp_path: Path) -> None:
    report = drilled(name, "fixed", tmp_path)
    rows = [(row.point, row.outcome, row.is_good) for row in report.rows]
    assert all(outcome in ("recovered", "lost work") and good for _, outcome, good in rows), rows
    assert report.verdict == "pass"
    report.assert_recovered()
