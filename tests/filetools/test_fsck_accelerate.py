"""Folders of Accelerate: what `load_state` would lose, and nothing of a whole one."""

from pathlib import Path

import numpy as np
import pytest

from ckptcheck.filetools.fsck import fsck
from ckptcheck.filetools.fsck_accelerate import check_newest, check_saved
from ckptcheck.filetools.fsck_findings import LOOK, WRONG
from tests.checkpoints.safetensors.writer import write

FILES = ("model.safetensors", "optimizer.bin", "random_states_0.pkl")


def saved(folder: Path) -> Path:
    folder.mkdir(parents=True)
    write(folder / FILES[0], {"w": np.ones(2, np.float32)})
    for name in FILES[1:]:
        (folder / name).write_bytes(b"PK")
    return folder


@pytest.mark.parametrize(
    ("file", "grade", "what", "effect"),
    [
        (FILES[0], WRONG, "The model is missing: no model.safetensors", "load_state raises"),
        (
            FILES[1],
            LOOK,
            "The optimizer is missing: no optimizer.bin",
            "load_state raises, if the program has prepared an optimizer",
        ),
        (
            FILES[2],
            LOOK,
            "The random states are missing: no random_states_0.pkl",
            "load_state succeeds with different random numbers, counts its steps from 0, and only "
            "logs that",
        ),
    ],
)
def test_a_missing_part(tmp_path: Path, file: str, grade: str, what: str, effect: str) -> None:
    folder = saved(tmp_path / "checkpoint_0")
    assert not list(check_saved(folder))
    (folder / file).unlink()
    (finding,) = check_saved(folder)
    assert (finding.grade, finding.what, finding.effect) == (grade, what, effect)


def test_the_newest_is_not_whole(tmp_path: Path) -> None:
    older, newest = saved(tmp_path / "checkpoint_9"), saved(tmp_path / "checkpoint_10")
    assert not list(check_newest(tmp_path))
    (newest / FILES[2]).unlink()
    (finding,) = check_newest(tmp_path)
    assert (finding.what, finding.remedy) == (
        "The newest folder, checkpoint_10, is not whole; checkpoint_9 is",
        f"name the folder: load_state('{older}')",
    )
    assert finding in fsck(tmp_path).findings


def test_one_of_a_trainer_is_left_to_its_own_rules(tmp_path: Path) -> None:
    folder = saved(tmp_path / "checkpoint_0")
    (folder / FILES[2]).unlink()
    (folder / "trainer_state.json").write_text("{}")
    assert not list(check_saved(folder))


def test_a_newest_that_has_its_model_only(tmp_path: Path) -> None:
    saved(tmp_path / "checkpoint_1")
    newest = saved(tmp_path / "checkpoint_2")
    for name in FILES[1:]:
        (newest / name).unlink()
    (finding,) = check_newest(tmp_path)
    assert finding.what == "The newest folder, checkpoint_2, is not whole; checkpoint_1 is"


def test_models_that_a_hook_or_fsdp_saves(tmp_path: Path) -> None:
    for name in ("pytorch_model_fsdp.bin", "unet/diffusion_pytorch_model.safetensors"):
        folder = saved(tmp_path / name.replace("/", "-"))
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / "model.safetensors").rename(folder / name)
        assert not list(check_saved(folder))
