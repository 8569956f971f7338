"""The default cases on TensorFlow, in fresh processes, bit for bit as the README promises."""

import math
import os
import re
import shutil
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from ckptcheck import Case, Kind, NotVerifiedError, Report, UsageError, verify
from ckptcheck.checkpoints import open_checkpoint
from ckptcheck.filetools.diff import diff
from ckptcheck.filetools.fsck import fsck
from ckptcheck.job.plan import Request, plan
from ckptcheck.run.snapshots import read_snapshot
from tests.planted_jobs import PLANTED, SHORT, toy

OUTCOMES = {
    "bn-nn × saver": "recovered",
    "bn-nn × ema": "refused",
    "bn-layers × saver": "recovered",
    "bn-layers × trainable": "diverged",
    "bn-polyak × saver": "recovered",
    "bn-polyak × ema": "diverged",
}


def case(report: Report, name: str) -> Case:
    return next(each for each in report.cases if each.name == name)


def causes(each: Case) -> list[tuple[str, str | None, int]]:
    return [(one.cause, one.stage, len(one.tensors)) for one in each.diagnoses]


def test_outcomes(default_report: Report) -> None:
    assert {each.name: each.outcome for each in default_report.cases} == OUTCOMES
    assert default_report.verdict == "pass"


@pytest.mark.parametrize(
    "name", [name for name, outcome in OUTCOMES.items() if outcome == "recovered"]
)
def test_recovered_is_bit_equal_everywhere(name: str, default_report: Report) -> None:
    each = case(default_report, name)
    document = each.document()
    assert each.comparison is not None
    assert each.comparison.exact
    assert document["tensors"]["compared"] == document["tensors"]["equal"] >= 53
    assert document["final_tensors"]["compared"] == document["final_tensors"]["equal"] >= 53
    assert document["train_loss"] == {
        "compared": 44,
        "equal": 44,
        "first_difference": None,
        "max_abs_diff": 0.0,
    }
    assert document["batches"] == document["learning_rate"] == {"compared": 44, "equal": 44}
    assert document["evaluations"] == {"compared": 3, "equal": 3}  # boundary, epoch edge, end
    assert document["eval_loss"]["control"] == document["eval_loss"]["resumed"]
    assert document["first_resumed_step"] == document["boundary_step"] == 110
    for point in ("boundary", "final"):
        assert document["digests"][point]["control"] == document["digests"][point]["resumed"]
    assert causes(each) == []


def test_refusal_names_the_keys(default_report: Report) -> None:
    each = case(default_report, "bn-nn × ema")
    assert each.error is not None
    assert each.error.type == "NotFoundError"
    assert len(each.error.missing_keys) == 14
    assert all(key.endswith("/ExponentialMovingAverage") for key in each.error.missing_keys)
    assert each.diagnoses[0].sentence == (
        "The restore asked for 14 shadow variables that the checkpoint does not hold, such as "
        "conv1/bn/beta/ExponentialMovingAverage."
    )
    assert each.diagnoses[0].detail == (
        "ema.variables_to_restore() maps every trainable variable to its shadow, even if the "
        "moving average was never applied to it. Here it was applied to the batch means and "
        "variances only, so these shadows never existed."
    )


def test_trainable_loses_statistics_slots_and_step(default_report: Report) -> None:
    each = case(default_report, "bn-layers × trainable")
    not_applied = "not applied at load"
    assert causes(each) == [
        ("moving-statistics-lost", not_applied, 8),
        ("slots-lost", not_applied, 30),
        ("step-lost", not_applied, 1),
    ]
    document = each.document()
    assert document["tensors"]["by_kind"]["weight"] == {"compared": 14, "equal": 14}
    assert document["tensors"]["by_kind"]["moving statistic"] == {"compared": 8, "equal": 0}
    assert document["first_resumed_step"] == 0
    assert document["eval_loss"]["resumed"] > 2 * document["eval_loss"]["control"]


def test_polyak_restores_shadows_into_weights(default_report: Report) -> None:
    each = case(default_report, "bn-polyak × ema")
    assert causes(each) == [
        ("shadows-in-weights", None, 14),
        ("shadows-lost", "not applied at load", 14),
    ]
    assert each.document()["tensors"]["by_kind"]["moving statistic"] == {"compared": 8, "equal": 8}


def test_statistics_move_in_the_control_and_the_restart_is_poisoned(default_report: Report) -> None:
    each = case(default_report, "bn-nn × saver")
    assert each.comparison is not None
    assert each.comparison.never_moved == ()
    boundary = each.comparison.boundary
    assert all(row.poisoned for row in boundary if row.kind is not Kind.HYPERPARAMETER)
    assert Counter(row.kind.value for row in boundary) == {
        "weight": 14,
        "moving statistic": 8,
        "slot": 30,
        "counter": 1,
        "hyperparameter": 3,
    }


def test_only_bn_layers_runs_on_keras_2(default_report: Report) -> None:
    seen = {
        each.name: each.resumed.facts.environment["TF_USE_LEGACY_KERAS"]
        for each in default_report.cases
        if each.resumed is not None
    }
    assert seen == {name: "1" if name.startswith("bn-layers") else "0" for name in OUTCOMES}


def test_the_crash_image_holds_the_restored_checkpoint(
    default_report: Report, default_folder: Path
) -> None:
    image = default_folder / "bn-nn" / "crash-image@110"
    assert sorted(each.name for each in image.iterdir()) == [
        "checkpoint",
        "model.ckpt-110.data-00000-of-00001",
        "model.ckpt-110.index",
        "model.ckpt-88.data-00000-of-00001",  # an earlier save, which a restore could confuse
        "model.ckpt-88.index",
    ]
    assert str(default_folder) not in (image / "checkpoint").read_text()


@pytest.fixture(scope="module")
def defects() -> dict[str, Case]:
    """Defects planted in the TF1 graph job, and a shipped job that is no default."""
    planted = ("InitialisedAfter", "SavedTrainable", "NoUpdates")
    report = verify([*(f"{PLANTED / 'tf1_jobs.py'}:{name}" for name in planted), "plain"])
    return {each.name.rpartition(":")[2]: each for each in report.cases}


def test_initialiser_after_the_restore(defects: dict[str, Case]) -> None:
    each = defects["InitialisedAfter × saver"]
    assert each.outcome == "diverged"
    assert causes(each) == [("initialised-again", "overwritten after load", 53)]


def test_saver_over_the_trainable_variables_at_save(defects: dict[str, Case]) -> None:
    each = defects["SavedTrainable × trainable"]
    assert [stage for _, stage, _ in causes(each)] == ["omitted at save"] * 3
    refused = defects["SavedTrainable × saver"]
    assert (refused.outcome, causes(refused)) == ("refused", [("keys-not-in-checkpoint", None, 39)])


def test_updates_that_never_run(defects: dict[str, Case]) -> None:
    each = defects["NoUpdates × saver"]
    assert each.outcome == "recovered"
    assert causes(each) == [("statistics-never-move", "never live", 8)]


def test_the_network_without_batch_norm(defects: dict[str, Case]) -> None:
    found = {name: each for name, each in defects.items() if each.job == "plain"}
    assert {name: each.outcome for name, each in found.items()} == {
        "plain × saver": "recovered",
        "plain × trainable": "diverged",
    }
    assert not math.isnan(found["plain × saver"].document()["eval_loss"]["control"])


def test_jobs_have_distinct_folders(tmp_path: Path) -> None:
    names = [f"{tmp_path / place}:Clean" for place in ("a/train.py", "b/train.py", "c/train.py")]
    for name in names:
        place = Path(name.partition(":")[0])
        place.parent.mkdir()
        shutil.copy(PLANTED / "base.py", place)
        shutil.copy(PLANTED / "planting.py", place.parent)
    report = verify([*names, toy("TwoWays")], folder=tmp_path / "runs", **SHORT)
    folders = [case.control.folder.parent.name for case in report.cases if case.control is not None]
    assert folders == [
        "train-Clean",
        "train-Clean~2",
        "train-Clean~3",
        "clean-TwoWays",
        "clean-TwoWays",
    ]


def test_plan() -> None:
    assert [f"{each.job} × {each.restore}" for each in plan([], [], None)] == list(OUTCOMES)
    assert plan(["bn-nn"], ["ema"], "recovered") == [Request("bn-nn", "ema", "recovered")]
    assert plan(["a.py:B"], [], None) == [Request("a.py:B", None, "recovered")]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (
            {"job": "bn-n"},
            "There is no job called 'bn-n'. Did you mean bn-nn? Known: bn-layers, bn-nn, bn-polyak, bn-torch, plain.",
        ),
        (
            {"job": "plain", "restore": "ema"},
            "There is no restore of plain called 'ema'. Known: saver, trainable.",
        ),
        (
            {"job": "plain", "restore": "saver", "expect": "recover"},
            "There is no outcome called 'recover'. Did you mean recovered? Known: diverged, recovered, refused.",
        ),
        (
            {"expect": "recovered"},
            "The expected outcome 'recovered' needs a job and a restore. Name both.",
        ),
        ({"job": "plain", "timeout": 0}, "The timeout must be above 0 seconds, not 0."),
        (
            {"job": "plain", "timeout": float("nan")},
            "The timeout must be above 0 seconds, not nan.",
        ),
        (
            {"job": "plain", "boundary": 154},
            "The boundary 154 lies outside the run of 154 steps. Choose a boundary from 1 to 153.",
        ),
        (
            {"job": "plain", "options": {"batch_size": 2000}},
            "batch_size=2000 is larger than the training part of the dataset, 1438 images. Set a smaller batch_size.",
        ),
        (
            {"job": "x.py:J", "options": {"seed": 1}},
            "x.py:J takes no options; only shipped jobs do. Remove seed.",
        ),
        (
            {"job": "no/such.py:J"},
            "There is no file no/such.py. A path is relative to the working directory.",
        ),
    ],
)
def test_wrong_requests(arguments: dict[str, Any], text: str) -> None:
    with pytest.raises(UsageError) as caught:
        verify(**arguments)
    assert str(caught.value) == text


def test_a_framework_that_cannot_be_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tensorflow.py").write_text("raise ImportError('libcuda.so.1 is missing')")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    with pytest.raises(NotVerifiedError) as caught:
        verify("plain")
    assert str(caught.value) == (
        f"tensorflow could not be imported by {sys.executable}: ImportError: libcuda.so.1 is missing. "
        "Install the requirements of the job in this environment."
    )


@pytest.mark.parametrize("job", ["bn-nn", "bn-layers", "bn-polyak"])
def test_the_checkpoints_of_crash_images(
    job: str, default_report: Report, default_folder: Path
) -> None:
    """Checkpoints read without TensorFlow equal the live state, kinds included; fsck finds nothing."""
    (image,) = default_folder.glob(f"{job}/crash-image@*")
    checkpoint = open_checkpoint(image)
    assert checkpoint.chosen == f"named by {image / 'checkpoint'}: {checkpoint.path.name}"
    (number,) = re.findall(r"@(\d+)", image.name)
    live = read_snapshot(default_folder / job / "control" / f"boundary-{number}.npz")
    saved = {key: live[key] for key in checkpoint.entries}
    assert {key: entry.kind for key, entry in checkpoint.entries.items()} == {
        key: each.kind for key, each in saved.items()
    }
    for key, each in saved.items():
        assert checkpoint.value(checkpoint.entries[key]).tobytes() == each.value.tobytes()
    assert fsck(image.parent).findings == ()
    assert diff(image, image).same
