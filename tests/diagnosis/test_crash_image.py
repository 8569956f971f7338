"""The crash image settles a stage where the restore reported nothing."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ckptcheck.comparison.compare import compare
from ckptcheck.comparison.comparison import TensorComparison
from ckptcheck.diagnosis.crash_image import CrashImage, settled
from ckptcheck.diagnosis.findings import by_stage
from ckptcheck.job.protocol import Tensor
from ckptcheck.run.run import Run
from ckptcheck.run.snapshots import boundary_point
from tests.builder import BOUNDARY, control, fresh, resumed, value

LOST = ("w", "w/momentum", "step")
FULL: dict[str, Any] = {name.replace("/", "|"): value(name, BOUNDARY) for name in LOST}


def silent(ours: Run, **initial: float) -> Run:
    """Return a resumed run whose restore reports nothing, and that keeps its initial values."""
    run = resumed(ours)
    started = {name: fresh(name) for name in LOST} | {
        name: np.array(number) for name, number in initial.items()
    }
    points = {
        point: dict(snapshot)
        | {name: Tensor(snapshot[name].kind, started[name]) for name in LOST if name in snapshot}
        for point, snapshot in run.snapshots.items()
        if point in ("initial", boundary_point(BOUNDARY))
    }
    facts = replace(run.facts, asked=None, held=None, values=None)
    return replace(run, facts=facts, snapshots=dict(run.snapshots) | points)


def stages(folder: Path) -> dict[str, str | None]:
    ours = control()
    comparison = settled(compare(ours, silent(ours)), ours, CrashImage(folder))
    rows: list[TensorComparison] = [
        row for row in comparison.boundary if row.name in LOST and not row.equal
    ]
    assert len(rows) == len(LOST)
    return {row.name: stage and stage.value for stage, group in by_stage(rows) for row in group}


def test_values_in_the_file_were_not_applied(tmp_path: Path) -> None:
    np.savez(tmp_path / "state.npz", **FULL)
    assert stages(tmp_path) == dict.fromkeys(LOST, "not applied at load")


def test_values_in_no_file_were_omitted(tmp_path: Path) -> None:
    np.savez(tmp_path / "state.npz", w=FULL["w"])
    assert stages(tmp_path) == {
        "w": "not applied at load",
        "w/momentum": "omitted at save",
        "step": "omitted at save",
    }


def test_names_do_not_matter_where_values_tell(tmp_path: Path) -> None:
    np.savez(tmp_path / "state.npz", a=FULL["w"], b=FULL["w|momentum"])
    (tmp_path / "state.json").write_text(json.dumps({"progress": {"step": BOUNDARY}}))
    assert stages(tmp_path) == dict.fromkeys(LOST, "not applied at load")


@pytest.mark.parametrize("name", ["state.pkl", "state.pt", "broken.npz"])
def test_a_file_that_cannot_be_read_settles_nothing(tmp_path: Path, name: str) -> None:
    np.savez(tmp_path / "state.npz", w=FULL["w"])
    (tmp_path / name).write_bytes(b"anything")
    assert stages(tmp_path) == dict.fromkeys(LOST)


def test_another_dtype_settles_nothing(tmp_path: Path) -> None:
    np.savez(tmp_path / "state.npz", w=FULL["w"].astype(np.float64))
    found = stages(tmp_path)
    assert (found["w"], found["step"]) == (None, "omitted at save")


def test_what_the_restore_reports_decides(tmp_path: Path) -> None:
    np.savez(tmp_path / "state.npz", **FULL)
    ours, image = control(), CrashImage(tmp_path)
    comparison = compare(ours, resumed(ours))
    assert settled(comparison, ours, image) is comparison
    assert settled(comparison, ours, None) is comparison
    assert "arrays" not in vars(image)  # no file is read where nothing is lost


def of_scheduler(folder: Path) -> str | None:
    """Return the stage of the counter where it is the epoch of a scheduler."""
    ours = control()
    points = {
        point: {{"step": "sched/last_epoch"}.get(name, name): each for name, each in held.items()}
        for point, held in ours.snapshots.items()
    }
    comparison = compare(ours, silent(ours))
    rows = [
        replace(row, name=row.name.replace("step", "sched/last_epoch"))
        for row in comparison.tensors
    ]
    comparison = settled(
        replace(comparison, tensors=tuple(rows)),
        replace(ours, snapshots=points),
        CrashImage(folder),
    )
    (lost,) = [row for row in comparison.boundary if row.name == "sched/last_epoch"]
    ((stage, _),) = by_stage([lost])
    return stage and stage.value


def test_the_epoch_of_the_program_is_not_that_of_a_scheduler(tmp_path: Path) -> None:
    np.savez(tmp_path / "state.npz", **{"model.w": FULL["w"]})
    (tmp_path / "state.json").write_text(json.dumps({"epoch": BOUNDARY}))
    assert of_scheduler(tmp_path) == "omitted at save"


def test_an_array_may_be_it_under_a_name_of_the_program(tmp_path: Path) -> None:
    np.savez(tmp_path / "state.npz", **{"model.w": FULL["w"], "epoch": BOUNDARY})
    assert of_scheduler(tmp_path) is None


def test_it_may_be_where_nothing_is_saved_by_the_name_of_an_object(tmp_path: Path) -> None:
    np.savez(tmp_path / "state.npz", w=FULL["w"], epoch=BOUNDARY)
    assert of_scheduler(tmp_path) is None


@pytest.mark.parametrize(
    "name",
    [
        "sched.last_epoch",
        "last_epoch",
        "last_epochs",
        "lr.scheduler.last_epoch",
        "optimizer.vars.0",
    ],
)
def test_its_own_epoch_was_not_applied(tmp_path: Path, name: str) -> None:
    np.savez(tmp_path / "state.npz", **{"model.w": FULL["w"], name: BOUNDARY})
    assert of_scheduler(tmp_path) == "not applied at load"


def test_own_files(tmp_path: Path) -> None:
    assert not CrashImage(tmp_path).is_of_own_files
    np.savez(tmp_path / "state.npz", **FULL)
    assert CrashImage(tmp_path).is_of_own_files
    (tmp_path / "model.keras").write_bytes(b"")
    assert not CrashImage(tmp_path).is_of_own_files
