"""The check that the state file names the checkpoint that a restore should take."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from ckptcheck.checkpoints import find
from ckptcheck.filetools.fsck import fsck
from ckptcheck.filetools.fsck_findings import LOOK, WRONG, Finding
from tests.checkpoints.bundles import write, write_state
from tests.filetools.faults import (
    PLANTED,
    a_byte_changed,
    found_in,
    state_file_of_an_older_step,
    tensors,
)


def test_a_copied_folder_restores_the_original(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    write_state(folder, str(folder / "model.ckpt-10"))
    assert fsck(folder).findings == ()
    copy = tmp_path_factory.mktemp("copies") / "copy"
    shutil.copytree(folder, copy)
    (finding,) = fsck(copy).findings
    assert finding == Finding(
        WRONG,
        f"The state file names a checkpoint in a different folder: {folder / 'model.ckpt-10'}",
        str(copy / "checkpoint"),
        "a restore loads that checkpoint, not one from this folder: the state file was not updated when the folder was copied or moved",
        'name a checkpoint of this folder: model_checkpoint_path: "model.ckpt-10"',
    )


def test_only_whole_checkpoints_count_as_newer(folder: Path) -> None:
    a_byte_changed(folder)
    write_state(folder, "model.ckpt-5")
    assert len(found_in(folder)) == 1


def test_only_numbers_of_one_name_are_compared(folder: Path) -> None:
    """A checkpoint of a different name may sort later, but is not a later save."""
    write(folder / "pretrained", tensors(1))
    write(folder / "zzz-99", {"x": np.ones(2)})
    state_file_of_an_older_step(folder)
    assert found_in(folder) == PLANTED["state file of an older step"][1]


def test_training_that_went_back(folder: Path) -> None:
    """CheckpointManager restored an earlier step and saved: the state file rightly names the lower number."""
    write(folder / "model.ckpt-7", tensors(7))
    write_state(folder, "model.ckpt-7")
    assert found_in(folder) == [
        Finding(
            LOOK,
            "The state file names model.ckpt-7, the last one written; model.ckpt-10 is older, but has a higher number",
            "checkpoint",
            "a restore takes model.ckpt-7: correct only if training was meant to go back or to start over",
            'to continue from model.ckpt-10, put it back: model_checkpoint_path: "model.ckpt-10"; '
            "else move model.ckpt-10.* to a different folder, before a save reuses its name",
        )
    ]


def test_a_state_file_that_names_a_folder(folder: Path) -> None:
    write_state(folder, ".")
    (finding,) = found_in(folder)
    assert (finding.grade, finding.effect) == (
        WRONG,
        "tf.train.latest_checkpoint returns it, and a restore raises",
    )


def test_a_job_that_started_over(folder: Path) -> None:
    """A job began anew in a used folder: its first save is the newest, but the trained one lies there."""
    write(folder / "model.ckpt-0", tensors(0))
    write_state(folder, "model.ckpt-0")
    (finding,) = found_in(folder)
    assert (finding.grade, finding.remedy) == (
        LOOK,
        'to continue from model.ckpt-10, put it back: model_checkpoint_path: "model.ckpt-10"; '
        "else move model.ckpt-10.* to a different folder, before a save reuses its name",
    )
    assert "delete" not in finding.remedy


def test_checkpoints_of_different_names(folder: Path) -> None:
    """Which of them a restore should take is unknown: a file may hold seeds only."""
    write(folder / "with-seeds-10", {"seed": np.ones(2)})
    (folder / "checkpoint").unlink()
    assert found_in(folder) == [
        Finding(
            LOOK,
            "There is no state file for 3 checkpoints",
            "checkpoint",
            "tf.train.latest_checkpoint returns None, and most jobs then start over without an error",
            'create it: model_checkpoint_path: "with-seeds-10" or "model.ckpt-10"',
        )
    ]


def test_a_state_file_of_another_name(folder: Path) -> None:
    """`Saver.save(latest_filename=…)`: it may name the best checkpoint, not the newest."""
    (folder / "checkpoint").rename(folder / "best")
    assert found_in(folder) == []
    assert find(folder).path == folder / "model.ckpt-10"
    (folder / "best").write_text('model_checkpoint_path: "model.ckpt-5"')
    assert found_in(folder) == []
    (folder / "best").write_text('model_checkpoint_path: "model.ckpt-7"')
    (finding,) = found_in(folder, folder / "best")
    assert (finding.what, finding.where) == (
        "The state file names a checkpoint that does not exist: model.ckpt-7",
        "best",
    )


@pytest.mark.parametrize("name", ["run[3]", "back\\slash"])
def test_a_path_that_tensorflow_reads_as_a_pattern(name: str, folder: Path) -> None:
    odd = folder / name
    write(odd / "model.ckpt-1", tensors(1))
    write_state(odd, "model.ckpt-1")
    pattern = "[3]" if "[" in name else "\\"
    assert found_in(odd) == [
        Finding(
            WRONG,
            f"TensorFlow reads {pattern} in the path as a pattern, and finds no checkpoint",
            str(odd),
            "tf.train.latest_checkpoint returns None, and a restore raises",
            "rename the folder: use no brackets and no backslash",
        )
    ]
    assert fsck(odd).exit_code() == 1


def test_a_prefix_that_tensorflow_reads_as_a_pattern(folder: Path) -> None:
    prefix = write(folder / "model[a]-1", tensors(1))
    findings = found_in(folder, prefix)
    assert [each.remedy for each in findings] == [
        "rename the files: use no brackets and no backslash"
    ]


@pytest.mark.parametrize("name", ["run*", "run?", "run{1,2}", "run[", "run]", "run[]"])
def test_other_marks_are_harmless(name: str, folder: Path) -> None:
    write(folder / name / "model.ckpt-1", tensors(1))
    write_state(folder / name, "model.ckpt-1")
    assert found_in(folder / name) == []


@pytest.mark.parametrize(
    "name", ["run[3]", "back\\slash", "run*", "run?", "run{1,2}", "run[", "run]", "run[]"]
)
def test_tensorflow_agrees(name: str, folder: Path) -> None:
    tf = pytest.importorskip("tensorflow")
    write(folder / name / "model.ckpt-1", tensors(1))
    write_state(folder / name, "model.ckpt-1")
    found = tf.train.latest_checkpoint(str(folder / name))
    assert (found is None) == bool(fsck(folder / name).exit_code())
