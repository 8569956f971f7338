"""A save that a full disk, a read-only folder or a short write fails, in scripts of PyTorch.

`tests/drills/scripts/README.md` has the table. A script takes 60 to 100 s on two busy cores: two runs
without a fault, a kill and three faults, and a restart after each.
"""

import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from ckptcheck import drill
from ckptcheck.drills.drilled import DrillReport, Reaction

pytest.importorskip("torch", reason="PyTorch is an extra")

pytestmark = pytest.mark.timeout(900)  # many processes, on two cores

SCRIPTS = Path(__file__).parents[1] / "scripts"
FULL, READ_ONLY, SHORT = "disk-full in save 2", "read-only in save 2", "short-write in save 2"
# After each fault: the outcomes that the restart may have, and what the command did.
Outcome = tuple[str, Reaction]

FAILED, SAID, WENT_ON = Reaction.FAILED, Reaction.SAID, Reaction.WENT_ON
FOUND: dict[str, Mapping[str, Outcome]] = {
    "error_swallowed": {
        FULL: ("refused", WENT_ON),
        READ_ONLY: ("lost work", WENT_ON),  # what cannot be written cannot be removed
        SHORT: ("refused", WENT_ON),
    },
    "overwrite_in_place": {
        FULL: ("refused", FAILED),
        READ_ONLY: ("lost work", FAILED),
        SHORT: ("refused", FAILED),
    },
    "counter_ahead": {
        FULL: ("lost work", FAILED),  # the counter cannot be written
        READ_ONLY: ("diverged", WENT_ON),
        SHORT: ("diverged", WENT_ON),
    },
}
KEPT: dict[str, Reaction] = {
    "error_swallowed": SAID,
    "overwrite_in_place": FAILED,
    "counter_ahead": FAILED,
}
# The one that .ci/run tries.
_SCRIPTS = [
    pytest.param(name, marks=pytest.mark.torch if place == 0 else pytest.mark.drills)
    for place, name in enumerate(FOUND)
]


def drilled(name: str, twin: str, folder: Path) -> DrillReport:
    command = [sys.executable, str(SCRIPTS / name / f"{twin}.py"), "{run}"]
    report = drill(command, points="after-save", faults=True, folder=folder / "runs")
    assert report.left_out == {}
    kill, *rows = report.rows
    assert (kill.point, kill.outcome, kill.noticed) == ("after save 2", "lost work", None)
    for row in rows:  # shown if the test fails
        print(row.document())
    return report


@pytest.mark.parametrize("name", _SCRIPTS)
def test_what_a_fault_does_to_its_checkpoint_is_found(name: str, tmp_path: Path) -> None:
    report = drilled(name, "broken", tmp_path)
    found = {
        row.point: (row.outcome, row.noticed and row.noticed.reaction) for row in report.rows[1:]
    }
    assert found == FOUND[name]
    assert [row.is_good for row in report.rows[1:]] == [
        outcome == "lost work" for outcome, _ in FOUND[name].values()
    ]
    assert report.verdict == "fail"
    unnoticed = [point for point, (_, reaction) in FOUND[name].items() if reaction is WENT_ON]
    assert all(any(point in text for text in report.warnings()) for point in unnoticed)


@pytest.mark.parametrize("name", _SCRIPTS)
def test_its_right_twin_keeps_the_checkpoint_before(name: str, tmp_path: Path) -> None:
    report = drilled(name, "fixed", tmp_path)
    for row in report.rows[1:]:
        assert (row.outcome, row.went_on_at, row.is_good) == ("lost work", 8, True)
        assert row.noticed is not None
        assert (row.noticed.reaction, row.noticed.was_saved) == (KEPT[name], False)
        assert row.noticed.said
    assert report.verdict == "pass"
    report.assert_recovered()
    assert not any("save" in text and "fault" in text for text in report.warnings())
