"""Defects planted on TensorFlow: one job, one variant. `python -m tests.defects` runs all."""

import re
from collections import Counter

import pytest

from ckptcheck.diagnosis.catalogue import CAUSES
from tests.conftest import ROOT
from tests.defects.matrix import Row, by_cause, run_some, table, wrong
from tests.defects.planted import FRAMEWORKS, MODULES, Planted, planted, tables
from tests.planted_jobs import every_job

# One job in one variant, with defects that the usual checks tell apart, at every stage. .ci/run runs
# every defect of every job in all variants.
VARIANT = 1
HERE = (
    "whole",
    "saver-over-trainable",
    "statistics-not-asked-for",
    "averages-as-weights",
    "shadows-not-saved",
    "weights-by-position",
    "slots-by-position",
    "initialised-after",
    "other-rate",
    "statistics-not-asked-for-and-other-rate",
)
PLANTED = [each for each in planted() if each.job == "Graph" and each.restore in HERE]


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Row]:
    rows = run_some(PLANTED, VARIANT, tmp_path_factory.mktemp("Graph"))
    return {row.planted.restore: row for row in rows}


@pytest.mark.parametrize("each", PLANTED, ids=lambda each: f"{each.job}-{each.restore}-{each.what}")
def test_every_cause_and_stage_is_named_and_no_other(each: Planted, rows: dict[str, Row]) -> None:
    row = rows[each.restore]
    assert sorted(map(str, row.found)) == sorted(map(str, each.causes))
    assert row.detected == (each.what != "clean")


def test_the_sample_has_every_stage() -> None:
    assert sorted(each.restore for each in PLANTED) == sorted(HERE)
    stages = {stage for each in PLANTED for _, stage in each.causes}
    assert stages == {"omitted at save", "not applied at load", "overwritten after load", None}
    assert {each.what for each in PLANTED} == {"defect", "pair", "clean"}


def test_there_are_enough() -> None:
    counted = Counter((each.framework, each.what) for each in planted())
    assert counted["tensorflow", "defect"] >= 36
    assert counted["tensorflow", "pair"] >= 6
    assert counted["tensorflow", "clean"] >= 10
    assert counted["torch", "defect"] >= 20
    for what in ("defect", "pair", "clean"):
        assert {each.module for each in planted() if each.what == what} == set(MODULES)


def test_every_cause_is_planted() -> None:
    """In a job on NumPy, on a framework, or in both; in a command, which ends by itself."""
    on_frameworks = {cause for each in planted() for cause, _ in each.causes}
    on_numpy = {cause for each in every_job() for cause, _ in each.shows.causes}
    # tests/commands/test_endings.py, tests/gpu
    in_commands = {"wrong-last-step", "sealed-generator"}
    assert on_frameworks | on_numpy | in_commands == set(CAUSES)
    assert not (on_frameworks | on_numpy) & in_commands


def test_the_matrix_counts(rows: dict[str, Row]) -> None:
    lines = table(list(rows.values())).splitlines()
    single = sum(len(each) for each in by_cause(list(rows.values())).values())
    total = next(line for line in lines if "all planted" in line).split("|")
    pairs = sum(each.what == "pair" for each in PLANTED)
    assert int(total[2]) == int(total[7]) == int(total[8]) == int(total[9]) == single + pairs
    # The usual checks find less.
    assert int(total[3]) < int(total[4]) < int(total[5]) < int(total[6]) < int(total[7])
    assert wrong(list(rows.values())) == []


def test_a_wrong_row_is_reported() -> None:
    defect, clean = (
        Planted("loop.py", "Loop", "x", "defect", (("slots-lost", None),)),
        Planted("loop.py", "Loop", "y", "clean"),
    )
    seen = (False, False, False, False)
    missed, alarmed = (
        Row(defect, 0, "recovered", (), seen),
        Row(clean, 0, "diverged", (("rounding", None),), seen),
    )
    assert wrong([missed, alarmed]) == [
        "loop.py:Loop_0 × x: recovered, found [], planted [('slots-lost', None)]",
        "loop.py:Loop_0 × y: diverged, found [('rounding', None)], planted []",
    ]


def test_the_documentation_has_the_matrix() -> None:
    """Causes and counts must be current; the other numbers come from the command's last run."""
    page = (ROOT / "docs" / "accuracy.md").read_text()
    assert "\npython -m tests.defects\n" in page
    for framework, of_it in zip(FRAMEWORKS, page.split("\n## PyTorch\n"), strict=True):
        counted = Counter(
            each.causes[0][0]
            for each in planted()
            if each.what == "defect" and each.framework == framework
        )
        for cause, count in counted.items():
            assert f"\n| `{cause}` | {3 * count} | " in of_it


def test_every_job_declares_its_restores() -> None:
    """A job without a table of its own would be skipped silently, or counted like its base."""
    for module in MODULES:
        source = (ROOT / "tests" / "defects" / module).read_text()
        jobs = re.findall(r"^class (\w+)\((?!keras\.)", source, re.MULTILINE)
        without = set(jobs) - set(tables(module))
        assert without <= {"Fit", "Head"}, module
