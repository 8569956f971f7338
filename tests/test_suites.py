"""The report cards on the installed versions: what stock recipes lose, by name, and that their mended twins lose nothing."""

import json
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from conftest import ROOT

from ckptcheck import Case, Report, UsageError, judge_folder, verify
from ckptcheck.suites import RECIPES, SUITES, recipes

OMITTED = "omitted at save"
# case → [(cause, stage), …]; a case that is not here diverges in nothing.
LOST: Mapping[str, list[tuple[str, str | None]]] = {
    "keras/plain × weights": [("slots-lost", None), ("step-lost", None)],
    "keras/dropout × keras": [("generators-reseeded", OMITTED)],
    "keras/dropout × weights": [("slots-lost", None), ("generators-restarted", OMITTED), ("step-lost", None)],
    "keras/dropout × checkpoint": [("generators-restarted", OMITTED)],
    "keras/dropout × backup": [("generators-restarted", OMITTED)],
    "keras/mid-epoch × backup": [("wrong-first-step", None)],
    "keras/tf-data × backup": [("data-order", None)],
    "keras/ema × weights": [("shadows-lost", None), ("slots-lost", None), ("step-lost", None)],
    "keras/ema-swap-first × backup": [("shadows-in-weights", None)],
    "keras/ema-swap-last × backup": [("rounding", None)],
    "keras/plateau × backup": [("python-state-lost", None)],
    "keras/plateau × keras": [("python-state-lost", None)],
    "keras/schedule × weights": [("slots-lost", None), ("step-lost", None)],
    "keras/two-replicas × weights-built": [("replicas-lost", None)],
    "keras/two-replicas × checkpoint": [("replicas-lost", None)],
    "tf2/loop × without-optimizer": [("slots-lost", OMITTED), ("step-lost", OMITTED)],
    "tf2/loop × without-iterator": [("data-restarted", None)],
    "tf2/loop × without-step": [("step-lost", OMITTED)],
    "tf2/unbuilt × not-built": [
        ("moving-statistics-lost", "not applied at load"),
        ("weights-lost", "not applied at load"),
        ("slots-lost", "not applied at load"),
    ],
    "tf2/layers-in-list × in-list": [("moving-statistics-lost", OMITTED), ("weights-lost", "not applied at load")],
    "tf2/ema × without-ema": [("shadows-lost", OMITTED)],
    "tf2/generator × without-generator": [("generators-restarted", OMITTED)],
    "tf2/dropout × without-seed": [("generators-restarted", OMITTED)],
}
CASES = [f"{recipe.name} × {restore}" for recipe in RECIPES.values() for restore in recipe.expected]


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Report]:
    """The README's commands, run as they stand there; their runs are judged here once more."""
    folder = tmp_path_factory.mktemp("suites")
    for suite in SUITES:
        command = f"python -m ckptcheck verify --suite {suite}"
        assert f"\n{command}\n" in (ROOT / "README.md").read_text()
        asked = [sys.executable, *command.split()[1:], "--out", suite]
        done = subprocess.run(asked, cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout
    return {suite: judge_folder(folder / suite) for suite in SUITES}


@pytest.fixture(scope="module")
def cases(reports: dict[str, Report]) -> dict[str, Case]:
    return {case.name: case for report in reports.values() for case in report.cases}


def test_the_cards_are_what_they_promise(reports: dict[str, Report]) -> None:
    assert {suite: report.verdict for suite, report in reports.items()} == dict.fromkeys(SUITES, "pass")
    assert sum(len(recipe) for recipe in SUITES.values()) >= 16


@pytest.mark.parametrize("name", CASES)
def test_outcome_cause_and_stage(name: str, cases: dict[str, Case]) -> None:
    case = cases[name]
    assert (case.outcome, [(each.cause, each.stage) for each in case.diagnoses]) == (
        "diverged" if name in LOST else "recovered",
        LOST.get(name, []),
    )
    if case.outcome == "recovered":
        assert case.comparison is not None
        assert case.comparison.exact
        assert len(case.comparison.at("boundary")) > 20


def test_both_replicas_are_looked_at(cases: dict[str, Case]) -> None:
    comparison = cases["keras/two-replicas × checkpoint"].comparison
    assert comparison is not None
    rows = comparison.at("boundary").set_index("name")
    means = rows.loc[[f"batch_normalization/moving_mean, replica {number}" for number in (0, 1)]]
    assert means["equal"].tolist() == [True, False]
    assert means["control_norm"].nunique() == 2
    assert means["resumed_norm"].nunique() == 1  # replica 0's on both
    shared = cases["keras/two-replicas-synchronized × checkpoint"].comparison
    assert shared is not None
    both = shared.at("boundary").query("name.str.startswith('batch_normalization/moving_mean')")
    assert both["control_norm"].nunique() == 1


def test_batches_are_known_by_their_bytes(cases: dict[str, Case]) -> None:
    (found,) = cases["keras/tf-data × backup"].diagnoses
    assert found.sentence == ("From step 16 on the resumed run reads the batches of epoch 0, step 0 of the control for one.")
    comparison = cases["keras/tf-data × backup"].comparison
    assert comparison is not None
    assert comparison.at("boundary").query("kind != 'metric'")["equal"].all()


def test_what_comes_to_be_in_the_first_step_is_compared_after_it(cases: dict[str, Case]) -> None:
    comparison = cases["tf2/loop × all"].comparison
    assert comparison is not None
    late = comparison.at("boundary").query("late")
    assert set(late["kind"]) == {"slot"}
    assert len(late) == 12
    assert late["equal"].all()


def test_remedies_are_those_of_the_framework(cases: dict[str, Case]) -> None:
    for name, case in cases.items():
        for each in case.diagnoses:
            assert "tf.train.Saver" not in each.remedy, name
    assert "model.optimizer.build(model.trainable_variables)" in cases["keras/plain × weights"].diagnoses[0].remedy


def test_the_readme_has_the_card(reports: dict[str, Report]) -> None:
    readme = (ROOT / "README.md").read_text()
    for recipe in RECIPES.values():
        outcomes = ", ".join(f"`{restore}` {outcome}" for restore, outcome in recipe.expected.items())
        assert f"| `{recipe.name}` | {recipe.summary} | {outcomes} |" in readme
    versions = reports["keras"].environment
    (told,) = re.findall(r"which is that of\nKeras ([\d., and]+), TensorFlow ([\d.]+):", readme)
    assert versions["keras"] in told[0]
    assert versions["tensorflow"] == told[1]


def test_a_changed_outcome_is_a_finding(reports: dict[str, Report], tmp_path: Path) -> None:
    report = verify("tf2/loop", "all", expect="diverged", folder=tmp_path / "runs")
    assert (report.verdict, report.cases[0].outcome) == ("fail", "recovered")
    assert json.loads((tmp_path / "runs" / "cases.json").read_text())["cases"][0]["expected"] == "diverged"


def test_names() -> None:
    assert recipes("tf2") == ["tf2/loop", "tf2/unbuilt", "tf2/layers-in-list", "tf2/ema", "tf2/generator", "tf2/dropout"]
    with pytest.raises(UsageError, match="There is no suite called 'kers'"):
        verify(suite="kers")
    with pytest.raises(UsageError, match="There is no job called 'keras/plian'"):
        verify("keras/plian")
