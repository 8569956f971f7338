"""The suites on the installed versions: what common recipes lose, and that fixed ones lose nothing."""

import json
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from ckptcheck import Case, Kind, Report, UsageError, judge_folder, verify
from ckptcheck.job.shipped import recipes
from ckptcheck.jobs.recipes.suites import SUITES
from ckptcheck.jobs.registry import REGISTRY
from tests.conftest import ROOT
from tests.planted_jobs import SHORT, toy
from tests.rows import at_boundary

OMITTED, NOT_APPLIED = "omitted at save", "not applied at load"
# case → [(cause, stage), …]; a case without an entry recovers.
LOST: Mapping[str, list[tuple[str, str | None]]] = {
    "keras/plain × weights": [("slots-lost", NOT_APPLIED), ("step-lost", NOT_APPLIED)],
    "keras/dropout × keras": [("generators-reseeded", OMITTED)],
    "keras/dropout × weights": [
        ("slots-lost", NOT_APPLIED),
        ("generators-restarted", OMITTED),
        ("step-lost", NOT_APPLIED),
    ],
    "keras/dropout × checkpoint": [("generators-restarted", OMITTED)],
    "keras/dropout × backup": [("generators-restarted", OMITTED)],
    "keras/mid-epoch × backup": [("wrong-first-step", None)],
    "keras/tf-data × backup": [("data-order", None)],
    "keras/ema × weights": [
        ("shadows-lost", NOT_APPLIED),
        ("slots-lost", NOT_APPLIED),
        ("step-lost", NOT_APPLIED),
    ],
    "keras/ema-swap-first × backup": [("shadows-in-weights", None)],
    "keras/ema-swap-last × backup": [("rounding", None)],
    "keras/best × keras": [("python-state-lost", None)],
    "keras/early-stopping × keras": [("python-state-lost", None)],
    "keras/early-stopping × backup": [("python-state-lost", None)],
    "keras/plateau × backup": [("python-state-lost", None)],
    "keras/plateau × keras": [("python-state-lost", None)],
    "keras/schedule × weights": [("slots-lost", NOT_APPLIED), ("step-lost", NOT_APPLIED)],
    "keras/two-replicas × weights-built": [("replicas-lost", None)],
    "keras/two-replicas × checkpoint": [("replicas-lost", None)],
    "tf2/loop × without-optimizer": [("slots-lost", OMITTED), ("step-lost", OMITTED)],
    "tf2/loop × without-iterator": [("data-restarted", None)],
    "tf2/loop × without-step": [("step-lost", OMITTED)],
    "tf2/unbuilt × not-built": [
        ("moving-statistics-lost", NOT_APPLIED),
        ("weights-lost", NOT_APPLIED),
        ("slots-lost", NOT_APPLIED),
    ],
    "tf2/layers-in-list × in-list": [
        ("moving-statistics-lost", OMITTED),
        ("weights-lost", NOT_APPLIED),
    ],
    "tf2/ema × without-ema": [("shadows-lost", OMITTED)],
    "tf2/generator × without-generator": [("generators-restarted", OMITTED)],
    "tf2/dropout × without-seed": [("generators-restarted", OMITTED)],
}
PAGE = ROOT / "docs" / "recipes.md"
# The suites take minutes: `python -m pytest -m cards` runs these tests, as .ci/run does.
needs_cards = pytest.mark.cards
CASES = [
    f"{recipe.name} × {restore}"
    for suite in ("keras", "tf2")  # the others: test_torch_cards.py
    for recipe in REGISTRY.suites[suite]
    for restore in recipe.expected
]


class Cards(dict[str, Report]):
    """The report of each suite, judged again from the runs of the documented command."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder

    def __missing__(self, suite: str) -> Report:
        command = f"python -m ckptcheck verify --suite {suite}"
        assert f"\n{command}\n" in PAGE.read_text()
        arguments = [sys.executable, *command.split()[1:], "--out", suite]
        for _ in range(2):
            done = subprocess.run(
                arguments, cwd=self.folder, capture_output=True, text=True, check=False
            )
            # TensorFlow rarely dies of SIGSEGV under MirroredStrategy: then nothing was verified.
            if not (done.returncode == 3 and "killed by SIGSEGV" in done.stdout):
                break
        assert done.returncode == 0, done.stdout
        self[suite] = judge_folder(self.folder / suite)
        return self[suite]

    def case(self, name: str) -> Case:
        return next(case for case in self[name.partition("/")[0]].cases if case.name == name)


@pytest.fixture(scope="module")
def cards(tmp_path_factory: pytest.TempPathFactory) -> Cards:
    return Cards(tmp_path_factory.mktemp("suites"))


def of_suite(names: Sequence[str]) -> list[Any]:
    """Return parameters; the suite of Keras takes five minutes, and is no part of a sample."""
    return [
        pytest.param(name, marks=[pytest.mark.whole] * name.startswith("keras"), id=name)
        for name in names
    ]


@pytest.mark.timeout(900)
@needs_cards
@pytest.mark.parametrize("suite", of_suite(["tf2", "keras"]))
def test_the_suites_pass(suite: str, cards: Cards) -> None:
    assert cards[suite].verdict == "pass"
    assert len([*SUITES["keras"], *SUITES["tf2"]]) >= 16


@needs_cards
@pytest.mark.parametrize("name", of_suite(CASES))
def test_outcome_cause_and_stage(name: str, cards: Cards) -> None:
    case = cards.case(name)
    assert (case.outcome, [(each.cause, each.stage) for each in case.diagnoses]) == (
        "diverged" if name in LOST else "recovered",
        LOST.get(name, []),
    )
    if case.outcome == "recovered":
        assert case.comparison is not None
        assert case.comparison.exact
        assert len(case.comparison.boundary) > 20


@needs_cards
@pytest.mark.whole
def test_both_replicas_are_compared(cards: Cards) -> None:
    rows = at_boundary(cards.case("keras/two-replicas × checkpoint"))
    means = [rows[f"batch_normalization/moving_mean, replica {number}"] for number in (0, 1)]
    assert [row.equal for row in means] == [True, False]
    assert len({row.control_norm for row in means}) == 2
    assert len({row.resumed_norm for row in means}) == 1  # replica 0's on both
    shared = at_boundary(cards.case("keras/two-replicas-synchronized × checkpoint"))
    assert (
        len(
            {
                row.control_norm
                for name, row in shared.items()
                if name.startswith("batch_normalization/moving_mean")
            }
        )
        == 1
    )


@needs_cards
@pytest.mark.whole
def test_batches_are_identified_by_their_bytes(cards: Cards) -> None:
    (found,) = cards.case("keras/tf-data × backup").diagnoses
    assert found.sentence == (
        "The resumed run repeats the data order of epoch 0 instead of that of epoch 2."
    )
    rows = at_boundary(cards.case("keras/tf-data × backup"))
    assert all(row.equal for row in rows.values() if row.kind is not Kind.METRIC)


@needs_cards
def test_tensors_created_in_the_first_step_are_compared_after_it(cards: Cards) -> None:
    late = [row for row in at_boundary(cards.case("tf2/loop × all")).values() if row.late]
    assert {row.kind for row in late} == {Kind.SLOT}
    assert len(late) == 12
    assert all(row.equal for row in late)


@needs_cards
@pytest.mark.whole
def test_remedies_fit_the_framework(cards: Cards) -> None:
    for suite in ("keras", "tf2"):
        for case in cards[suite].cases:
            assert not any("tf.train.Saver" in each.remedy for each in case.diagnoses), case.name
    assert (
        "model.optimizer.build(model.trainable_variables)"
        in cards.case("keras/plain × weights").diagnoses[0].remedy
    )


@needs_cards
def test_the_page_names_the_versions(cards: Cards) -> None:
    text = " ".join(PAGE.read_text().split())
    (stated,) = re.findall(r"holds for Keras ([\d., and]+) with TensorFlow ([\d.]+)\. ", text)
    versions = cards["tf2"].environment
    assert versions["keras"] in stated[0]
    assert versions["tensorflow"] == stated[1]


def test_a_changed_outcome_is_a_finding(tmp_path: Path) -> None:
    """Of any job; the suites above expect what each recipe of them does."""
    report = verify(toy("Clean"), "all", expect="diverged", folder=tmp_path / "runs", **SHORT)
    assert (report.verdict, report.cases[0].outcome) == ("fail", "recovered")
    assert (
        json.loads((tmp_path / "runs" / "cases.json").read_text())["cases"][0]["expected"]
        == "diverged"
    )


def test_names() -> None:
    assert recipes("tf2") == [
        "tf2/loop",
        "tf2/unbuilt",
        "tf2/layers-in-list",
        "tf2/ema",
        "tf2/generator",
        "tf2/dropout",
    ]
    with pytest.raises(UsageError, match="There is no suite called 'kers'"):
        verify(suite="kers")
    with pytest.raises(UsageError, match="There is no job called 'keras/plian'"):
        verify("keras/plian")
