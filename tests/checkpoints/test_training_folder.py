"""Folders of the Trainer and of Accelerate: one checkpoint, of several files."""

import json
from pathlib import Path

import numpy as np
import pytest

from ckptcheck.checkpoints import DamagedError, open_checkpoint
from ckptcheck.checkpoints.find import find
from ckptcheck.checkpoints.training_folder import TRAINING_FOLDER
from ckptcheck.filetools.diff import diff
from ckptcheck.filetools.fsck import fsck
from ckptcheck.filetools.seal import seal
from tests.checkpoints.safetensors.writer import write, write_shards

STEP = "trainer_state/global_step"
VALUES = {"w": np.arange(6, dtype=np.float32).reshape(2, 3)}


def trained(folder: Path) -> Path:
    """A folder as a Trainer saves it, with as many files of safetensors as needed."""
    folder.mkdir(parents=True)
    write(folder / "model.safetensors", VALUES)
    write(folder / "optimizer.safetensors", {"state": VALUES["w"] + 1})
    (folder / "trainer_state.json").write_text(json.dumps({"global_step": 5}))
    (folder / "config.json").write_text("{}")
    return folder


def test_the_parts_are_named_by_their_files(tmp_path: Path) -> None:
    checkpoint = open_checkpoint(trained(tmp_path / "checkpoint-5"))
    assert checkpoint.format == "Transformers, Trainer, folder"
    assert list(checkpoint.entries) == ["model/w", "optimizer/state", STEP]
    for key, plus in (("model/w", 0), ("optimizer/state", 1)):
        np.testing.assert_array_equal(checkpoint.value(checkpoint.entries[key]), VALUES["w"] + plus)


def test_shards_are_one_part(tmp_path: Path) -> None:
    folder = trained(tmp_path / "checkpoint-5")
    (folder / "model.safetensors").unlink()
    write_shards(folder, [{"a": VALUES["w"]}, {"b": VALUES["w"]}])
    assert list(open_checkpoint(folder).entries) == ["model/a", "model/b", "optimizer/state", STEP]


def test_parts_of_one_name_keep_their_endings(tmp_path: Path) -> None:
    folder = trained(tmp_path / "checkpoint-5")
    write_shards(folder, [{"a": VALUES["w"]}])
    assert list(open_checkpoint(folder).entries) == [
        "model.safetensors.index.json/a",
        "model.safetensors/w",
        "optimizer/state",
        STEP,
    ]


def test_a_damaged_part_is_named(tmp_path: Path) -> None:
    folder = trained(tmp_path / "checkpoint-5")
    (folder / "optimizer.safetensors").write_bytes(b"")
    with pytest.raises(DamagedError) as caught:
        open_checkpoint(folder)
    assert caught.value.file == folder / "optimizer.safetensors"


def test_a_file_of_the_folder_is_that_file(tmp_path: Path) -> None:
    file = trained(tmp_path / "checkpoint-5") / "model.safetensors"
    assert find(file).path == file


def test_two_folders_are_compared_whole(tmp_path: Path) -> None:
    one, other = trained(tmp_path / "checkpoint-5"), trained(tmp_path / "checkpoint-6")
    assert diff(one, other).same
    write(other / "optimizer.safetensors", {"state": VALUES["w"]})
    assert [pair.a.name for pair in diff(one, other).different] == ["optimizer/state"]


def test_what_the_documents_say_is_compared(tmp_path: Path) -> None:
    one, other = trained(tmp_path / "checkpoint-5"), trained(tmp_path / "checkpoint-6")
    state = {"global_step": 6, "log_history": [{"loss": 1.0}], "best_metric": None}
    (other / "trainer_state.json").write_text(json.dumps(state))
    (one / "config.json").write_text(json.dumps({"n_head": 2, "model_type": "gpt2"}))
    (other / "config.json").write_text(json.dumps({"n_head": 4, "model_type": "gpt2"}))
    assert {pair.a.name for pair in diff(one, other).different} == {"config/n_head", STEP}
    (one / "config.json").write_text("{")
    with pytest.raises(DamagedError, match=r"config.json: the file is no JSON document\."):
        open_checkpoint(one)


def test_the_folder_of_a_run_is_its_newest(tmp_path: Path) -> None:
    trained(tmp_path / "checkpoint-9")
    newest = trained(tmp_path / "checkpoint-10")
    location = find(tmp_path)
    assert (location.path, location.chosen) == (newest, f"the newest complete folder in {tmp_path}")
    (newest / "trainer_state.json").unlink()  # an interrupted save
    assert find(tmp_path).path == tmp_path / "checkpoint-9"
    write(tmp_path / "model.safetensors", VALUES)  # the model, saved when the training was done
    assert find(tmp_path).path == tmp_path / "model.safetensors"


def test_a_seal_covers_all_files(tmp_path: Path) -> None:
    folder = trained(tmp_path / "checkpoint-5")
    sealed = seal(folder)
    assert (sealed.seal, sealed.tensors, sealed.files) == (folder / ".seal.json", 3, 4)
    seals_only = [f for f in fsck(tmp_path).findings if "seal" in f.what]
    assert not seals_only
    assert fsck(tmp_path).notes == ("2 checkpoints compared with 1 seal.",)
    (folder / "config.json").write_text("{ }")
    (finding,) = (f for f in fsck(tmp_path).findings if "seal" in f.what)
    assert finding.what.startswith("config.json is not as sealed on ")
    assert finding.effect == "no tensor is known to differ: other content has changed"


def test_what_is_no_such_folder(tmp_path: Path) -> None:
    write(tmp_path / "model.safetensors", VALUES)
    assert TRAINING_FOLDER.at(tmp_path) is None
    (tmp_path / "trainer_state.json").write_text("{}")
    assert TRAINING_FOLDER.at(tmp_path) is not None
    (tmp_path / "model.safetensors").unlink()
    assert TRAINING_FOLDER.at(tmp_path) is None


def test_what_lies_in_subfolders_belongs_to_it(tmp_path: Path) -> None:
    """As the adapters of PEFT; but no other save."""
    one, other = trained(tmp_path / "checkpoint-5"), trained(tmp_path / "checkpoint-6")
    for folder, values in ((one, VALUES["w"]), (other, VALUES["w"] + 1)):
        (folder / "en").mkdir()
        write(folder / "en" / "adapter_model.safetensors", {"w": values})
    trained(one / "checkpoint-1")
    assert [pair.a.name for pair in diff(one, other).different] == ["en/adapter_model/w"]
    assert seal(one).files == 5
    adapter = one / "en" / "adapter_model.safetensors"
    adapter.write_bytes(adapter.read_bytes()[:-1] + b"\1")
    assert any(f.what.startswith("en/adapter_model.safetensors is not") for f in fsck(one).findings)


def test_the_seal_of_the_folder_covers_a_part(tmp_path: Path) -> None:
    folder = trained(tmp_path / "checkpoint-5")
    seal(folder)
    file = folder / "model.safetensors"
    assert fsck(file).notes == ("1 checkpoint compared with 1 seal.",)
    file.write_bytes(file.read_bytes()[:-1] + b"\1")
    (finding,) = fsck(file).findings
    assert finding.what.startswith("model.safetensors is not as sealed on ")


def test_a_sealed_folder_that_is_no_checkpoint_any_more(tmp_path: Path) -> None:
    folder = trained(tmp_path / "best")
    seal(folder)
    (folder / "trainer_state.json").unlink()
    (finding,) = fsck(folder).findings
    assert (finding.grade, finding.effect) == (
        "wrong",
        "a restore raises, or loads something different",
    )
    assert finding.what.endswith(
        ", and is no checkpoint any more: trainer_state.json missing or changed"
    )


def test_the_name_of_the_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = trained(tmp_path / "checkpoint-5")
    (folder / "trainer_state.json").unlink()
    monkeypatch.chdir(folder)
    assert [finding.what for finding in fsck(".").findings] == [
        finding.what for finding in fsck(folder).findings
    ]
