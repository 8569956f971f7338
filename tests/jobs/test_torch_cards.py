"""The report cards of PyTorch: what scripts as people write them lose, and that fixed ones lose nothing."""

import importlib.util
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from ckptcheck import Case, Report, UsageError, judge_folder, verify
from ckptcheck.jobs.registry import REGISTRY
from tests.conftest import ROOT
from tests.documents import is_shown, shown_by
from tests.planted_jobs import toy

SUITES = ("torch", "lightning", "transformers", "accelerate")
# case → causes; a case without an entry recovers.
LOST: Mapping[str, set[str]] = {
    "torch/shuffle × restart": {"generators-restarted"},
    "torch/loader-generator × restart": {"generators-restarted"},
    "torch/stateful-loader × restart": {"generators-shifted"},
    "torch/mid-epoch × restart": {"data-restarted"},
    "torch/scheduler-last × restart": {"learning-rate-differs"},
    "torch/random-batches × restart": {"generators-restarted"},
    "torch/grad-scaler × restart": {"loss-scale-lost"},
    "torch/averages × restart": {"shadows-lost"},
    "torch/averaged-weights × restart": {"shadows-in-weights", "tensors-swapped", "unexplained"},
    "torch/bfloat16 × restart": {"precision-lost"},
    "torch/buffer × restart": {"state-lost"},
    "lightning/shuffle × restart": {"generators-restarted"},
    "lightning/dropout × restart": {"generators-restarted"},
    "lightning/generators-late × restart": {"generators-shifted"},
    "lightning/mid-epoch × restart": {"generators-restarted", "data-restarted"},
    "lightning/stateful-loader × restart": {"generators-restarted"},
    "lightning/estimated-steps × restart": {"generators-restarted", "data-restarted"},
    "lightning/load-from-checkpoint × restart": {"slots-lost", "generators-restarted", "step-lost"},
    "lightning/weights-only × restart": {"resumed-run-raised"},
    "lightning/averages × restart": {"shadows-lost"},
    "lightning/callback × restart": {"generators-restarted", "learning-rate-differs"},
    "transformers/augmentation × restart": {"generators-shifted"},
    "transformers/augmentation-workers × restart": {"batches-differ"},
    "transformers/ignore-data-skip × restart": {"generators-shifted", "data-restarted"},
    "transformers/early-stopping × restart": {"wrong-last-step"},
    "transformers/save-only-model × restart": {"slots-lost", "generators-restarted", "step-lost"},
    "transformers/from-pretrained × restart": {"slots-lost", "generators-restarted", "step-lost"},
    "transformers/averages × restart": {"shadows-lost"},
    "accelerate/skip-first-batches × restart": {"generators-shifted", "data-order"},
    "accelerate/seedable-sampler × restart": {"data-order"},
    "accelerate/generators-early × restart": {"generators-shifted"},
    "accelerate/stateful-loader × restart": {"generators-shifted"},
    "accelerate/averages × restart": {"shadows-lost"},
    "accelerate/scheduler × restart": {"step-lost"},
    "accelerate/save-model × restart": {"slots-lost", "generators-restarted", "step-lost"},
}
PAGE = ROOT / "docs" / "recipes.md"
CASES = [
    f"{recipe.name} × {restore}"
    for suite in SUITES
    for recipe in REGISTRY.suites[suite]
    for restore in recipe.expected
]
# `python -m pytest -m cards tests/jobs/test_torch_cards.py`, where PyTorch is installed, as the
# session `torch_cards` does; `torch` runs those of the first suite.
needs_cards = [pytest.mark.cards, pytest.mark.timeout(1800)]


class Cards(dict[str, Report]):
    """The report of each suite, judged again from the runs of the documented command."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder

    def __missing__(self, suite: str) -> Report:
        needed = {each: None for recipe in REGISTRY.suites[suite] for each in recipe.needs}  # type: ignore[union-attr]
        for package in needed:
            if importlib.util.find_spec(package) is None:
                pytest.skip(f"{package} is not installed")
        command = f"python -m ckptcheck verify --suite {suite}"
        arguments = [sys.executable, *command.split()[1:], "--out", suite]
        done = subprocess.run(
            arguments, cwd=self.folder, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        (shown,) = shown_by(f"{command}\n")
        assert is_shown(shown, [done.stdout]), done.stdout
        self[suite] = judge_folder(self.folder / suite)
        return self[suite]

    def case(self, name: str) -> Case:
        return next(case for case in self[name.partition("/")[0]].cases if case.name == name)


@pytest.fixture(scope="module")
def cards(tmp_path_factory: pytest.TempPathFactory) -> Cards:
    return Cards(tmp_path_factory.mktemp("suites"))


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=needs_cards) for name in CASES], ids=CASES
)
def test_outcome_and_causes(name: str, cards: Cards) -> None:
    case = cards.case(name)
    recipe = REGISTRY.recipes[case.job]
    assert case.outcome == recipe.expected["restart"], case.reason
    assert {each.cause for each in case.diagnoses} == LOST.get(name, set())
    if case.outcome == "recovered":
        assert case.comparison is not None
        assert case.comparison.exact
        assert len(case.comparison.boundary) > 8


def test_every_loss_is_of_a_case() -> None:
    expected = {
        name for name in CASES if REGISTRY.recipes[name[:-10]].expected["restart"] != "recovered"
    }
    assert set(LOST) == expected


@pytest.mark.cards
def test_the_page_names_the_versions(cards: Cards) -> None:
    text = " ".join(PAGE.read_text().split())
    (stated,) = re.findall(r"hold for PyTorch ([\d.]+), ", text)
    assert cards["torch"].environment["torch"].startswith(stated)


@pytest.mark.cards
def test_scripts_and_jobs_are_verified_together(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    names = [toy("Clean"), "torch/averages-fixed", "torch/averages"]
    report = verify(names, folder=tmp_path / "runs")
    assert [case.job for case in report.cases][-2:] == ["torch/averages-fixed", "torch/averages"]
    assert report.cases[0].job == toy("Clean")
    assert report.verdict == "pass"
    assert judge_folder(tmp_path / "runs").document() == report.document()


@pytest.mark.parametrize(
    ("asked", "what"),
    [
        ({"steps": 8}, "steps"),
        ({"boundaries": [2, 4]}, "boundaries"),
        ({"unsaved": True, "options": {"seed": 1}}, "options and no unsaved"),
    ],
)
def test_what_means_nothing_for_a_script(asked: dict[str, object], what: str) -> None:
    with pytest.raises(UsageError) as caught:
        verify("torch/shuffle", **asked)  # type: ignore[arg-type]
    assert str(caught.value) == (
        f"torch/shuffle is a command, which takes no {what}: only jobs in classes do. Verify it "
        "apart from them."
    )


def test_a_script_has_one_restore() -> None:
    with pytest.raises(UsageError, match="There is no restore of torch/shuffle called 'saver'"):
        verify("torch/shuffle", "saver")
