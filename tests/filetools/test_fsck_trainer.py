"""Folders of the Trainer of Transformers: what its resume would lose is said, and nothing else."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from ckptcheck.filetools.fsck import fsck
from tests.checkpoints.safetensors.writer import write

OTHERS = ("optimizer.pt", "scheduler.pt", "rng_state.pth")
LOSES = {
    "optimizer.pt": "a resume silently starts with a new optimizer and a new schedule",
    "scheduler.pt": "a resume silently starts with a new optimizer and a new schedule",
    "rng_state.pth": "a resume draws different random numbers, and only logs that",
}


def saved(output: Path, step: int, without: str = "") -> Path:
    """Save as a Trainer does, but for the content of PyTorch's own files."""
    folder = output / f"checkpoint-{step}"
    folder.mkdir(parents=True)
    write(folder / "model.safetensors", {"w": np.ones(2, np.float32)})
    for name in OTHERS:
        (folder / name).touch()
    (folder / "trainer_state.json").write_text(json.dumps({"global_step": step}))
    if without:
        (folder / without).unlink()
    return folder


def told(folder: Path) -> list[tuple[str, str, str]]:
    """Return grade, place and words of what is found, but for the empty files of PyTorch."""
    findings = fsck(folder).findings
    return [
        (each.grade, Path(each.where).name, f"{each.what}: {each.effect}")
        for each in findings
        if not each.where.endswith((".pt", ".pth"))
    ]


def test_a_whole_folder(tmp_path: Path) -> None:
    saved(tmp_path, 10)
    assert told(tmp_path) == []


@pytest.mark.parametrize("name", OTHERS)
def test_what_a_resume_silently_does(name: str, tmp_path: Path) -> None:
    assert told(saved(tmp_path, 10, without=name)) == [
        ("look", "checkpoint-10", f"Missing: {name}: {LOSES[name]}")
    ]


def test_a_save_that_was_interrupted(tmp_path: Path) -> None:
    saved(tmp_path, 10)
    saved(tmp_path, 9)
    saved(tmp_path, 20, without="trainer_state.json")
    newest = (
        "The newest folder, checkpoint-20, is not whole; checkpoint-10 is: "
        "resume_from_checkpoint=True takes the newest, and raises"
    )
    last = (
        "trainer_state.json, which a Trainer writes last, is missing: a resume raises: the save was "
        "interrupted, or the copy is not whole"
    )
    assert told(tmp_path) == [
        ("wrong", tmp_path.name, newest),
        ("wrong", "checkpoint-20", last),
    ]


def test_a_state_that_is_cut_off(tmp_path: Path) -> None:
    folder = saved(tmp_path, 10)
    (folder / "trainer_state.json").write_text('{"global_st')
    ((grade, _, what),) = told(folder)
    assert grade == "wrong"
    assert what.startswith("trainer_state.json, which a Trainer writes last, is damaged")


def test_a_folder_that_was_renamed(tmp_path: Path) -> None:
    saved(tmp_path, 10).rename(tmp_path / "checkpoint-12")
    assert told(tmp_path) == [
        (
            "look",
            "checkpoint-12",
            "The name says step 12, but trainer_state.json says 10: a resume continues at step 10",
        )
    ]


def test_without_its_model(tmp_path: Path) -> None:
    ((grade, _, what),) = told(saved(tmp_path, 10, without="model.safetensors"))
    assert grade == "wrong"
    assert what.startswith("The model is missing: none of model.safetensors")


def test_other_folders_of_such_a_name(tmp_path: Path) -> None:
    folder = tmp_path / "checkpoint-1"
    folder.mkdir()
    write(folder / "weights.safetensors", {"w": np.ones(2, np.float32)})
    assert told(tmp_path) == []


def test_a_configuration_that_is_cut_off(tmp_path: Path) -> None:
    folder = saved(tmp_path, 10)
    (folder / "config.json").write_text("{}")
    assert told(folder) == []
    (folder / "config.json").write_text("")
    assert told(folder) == [
        ("wrong", "checkpoint-10", "config.json is damaged: from_pretrained raises")
    ]


def test_a_newest_folder_that_was_hardly_begun(tmp_path: Path) -> None:
    saved(tmp_path, 10)
    (tmp_path / "checkpoint-20").mkdir()
    (tmp_path / "checkpoint-20" / "config.json").write_text("{}")
    assert told(tmp_path) == [
        (
            "wrong",
            tmp_path.name,
            "The newest folder, checkpoint-20, is not whole; checkpoint-10 is: "
            "resume_from_checkpoint=True takes the newest, and raises",
        )
    ]


@pytest.mark.parametrize(
    "name", ["pytorch_model_fsdp.bin", "pytorch_model_fsdp_0/x", "en/adapter_model.safetensors"]
)
def test_models_of_fsdp_and_of_adapters(name: str, tmp_path: Path) -> None:
    folder = saved(tmp_path, 10, without="model.safetensors")
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_bytes(b"x")
    assert not [what for _, _, what in told(folder) if "model" in what.lower()]


def test_a_folder_of_accelerate_under_such_a_name(tmp_path: Path) -> None:
    folder = saved(tmp_path, 10, without="trainer_state.json")
    assert told(folder)
    (folder / "random_states_0.pkl").write_bytes(b"x")
    assert all("load_state" in what for _, _, what in told(folder))


def test_a_pipe_in_place_of_a_document(tmp_path: Path) -> None:
    folder = saved(tmp_path, 10, without="trainer_state.json")
    for name in ("trainer_state.json", "config.json"):
        os.mkfifo(folder / name)
    assert [what.partition(":")[0] for _, _, what in told(folder)] == [
        "trainer_state.json, which a Trainer writes last, is missing",
        "config.json is damaged",
    ]
