"""Folders of Orbax: what a restore would meet is said, and nothing of those that are sound."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from ckptcheck.filetools.fsck import Check, fsck
from ckptcheck.filetools.seal import seal
from tests.checkpoints.orbax.writer import WAYS, item, root, step


def told(check: Check, folder: Path) -> list[tuple[str, str, str]]:
    """Return grade, place and words of what is found."""
    return [
        (
            each.grade,
            each.where.replace(str(folder), "F"),
            f"{each.what}: {each.effect}; {each.remedy}",
        )
        for each in check.findings
    ]


def incomplete(number: int, lacking: str, older: int) -> tuple[str, str, str]:
    words = (
        f"The newest step, {number}, is incomplete: {lacking} is missing: "
        f"CheckpointManager.latest_step() returns {number}, and restore raises; "
        f"move {number} out of the folder: latest_step() then returns {older}, which is complete"
    )
    return ("wrong", "F", words)


def unreadable(number: int, lacking: str) -> tuple[str, str, str]:
    words = (
        f"The step is incomplete: {lacking} is missing: a restore raises; "
        "restore an older step that is complete"
    )
    return ("wrong", f"F/{number}", words)


def test_sound_steps(tmp_path: Path) -> None:
    root(tmp_path, 2, 10)
    step(tmp_path / "11", {"state": {"w": np.ones(700)}, "ema": {"w": np.ones(2)}}, {"data": {}})
    check = fsck(tmp_path)
    assert told(check, tmp_path) == []
    assert [each.name for each in check.checkpoints] == ["10", "11", "2"]
    assert check.tensors == 5
    assert check.notes == (
        "Orbax has no checksums: damaged values in 3 folders go undetected, unless each save is "
        "sealed: `ckptcheck seal`.",
    )


@pytest.mark.parametrize("way", WAYS)
def test_a_sound_item(way: str, tmp_path: Path) -> None:
    saved = item(tmp_path / "saved", {"w": np.ones(700), "name": "x"}, **WAYS[way])
    assert told(fsck(saved), tmp_path) == told(fsck(tmp_path), tmp_path) == []


@pytest.mark.parametrize("lost", ["default/_METADATA", "default"])
def test_an_incomplete_step(lost: str, tmp_path: Path) -> None:
    root(tmp_path, 9, 10)
    path = tmp_path / "10" / lost
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    lacking = "the folder of its item default" if path.name == "default" else lost
    assert told(fsck(tmp_path), tmp_path) == [incomplete(10, lacking, 9), unreadable(10, lacking)]


def test_a_manifest_that_is_missing(tmp_path: Path) -> None:
    root(tmp_path, 9, 10)
    (tmp_path / "10" / "default" / "ocdbt.process_0").mkdir()
    assert fsck(tmp_path).findings == ()
    (tmp_path / "10" / "default" / "manifest.ocdbt").unlink()
    lacking = "default/manifest.ocdbt"
    assert told(fsck(tmp_path), tmp_path) == [incomplete(10, lacking, 9), unreadable(10, lacking)]


def test_an_empty_folder_with_the_name_of_a_step(tmp_path: Path) -> None:
    root(tmp_path, 9)
    (tmp_path / "30").mkdir()
    assert told(fsck(tmp_path), tmp_path) == [incomplete(30, "_METADATA", 9)]
    (tmp_path / "30").rename(tmp_path / "old")
    (tmp_path / "8").mkdir()
    (tmp_path / "run_30").mkdir()  # a manager looks for steps of one prefix
    assert told(fsck(tmp_path), tmp_path) == []


def test_an_older_step_that_is_incomplete(tmp_path: Path) -> None:
    root(tmp_path, 9, 10)
    (tmp_path / "9" / "default" / "_METADATA").unlink()
    assert told(fsck(tmp_path), tmp_path) == [unreadable(9, "default/_METADATA")]


def test_numbered_folders_of_others(tmp_path: Path) -> None:
    for name in ("1", "2"):
        (tmp_path / name).mkdir()
    item(tmp_path / "best", {"w": np.ones(2)})
    assert told(fsck(tmp_path), tmp_path) == []


def test_a_save_that_did_not_end(tmp_path: Path) -> None:
    root(tmp_path, 9, 10)
    (tmp_path / "10").rename(tmp_path / "10.orbax-checkpoint-tmp")
    words = (
        "A temporary file of a save that was interrupted: none: restores ignore it; "
        "delete it, unless a process is saving there now"
    )
    assert told(fsck(tmp_path), tmp_path) == [("look", "F/10.orbax-checkpoint-tmp", words)]


def test_the_only_save_did_not_end(tmp_path: Path) -> None:
    root(tmp_path, 10)
    (tmp_path / "10").rename(tmp_path / "10.orbax-checkpoint-tmp")
    words = (
        "A temporary file of a save that was interrupted: none: restores ignore it; "
        "keep it until a checkpoint here is whole: it may hold the only copy of the values"
    )
    assert told(fsck(tmp_path), tmp_path) == [("look", "F/10.orbax-checkpoint-tmp", words)]


def test_a_step_that_was_not_committed(tmp_path: Path) -> None:
    root(tmp_path, 9, 10)
    (tmp_path / "10" / "commit_success.txt").unlink()
    words = (
        "commit_success.txt, which a save writes last, is missing; older steps have it: "
        "on gs://, CheckpointManager ignores the step; elsewhere a restore reads it; "
        "if the folder was copied from gs://, restore an older step, or copy it again"
    )
    assert told(fsck(tmp_path), tmp_path) == [("look", "F/10", words)]
    (tmp_path / "9" / "commit_success.txt").unlink()  # older releases write none
    assert told(fsck(tmp_path), tmp_path) == []
    root(tmp_path, 11)
    assert told(fsck(tmp_path), tmp_path) == []


def test_nan(tmp_path: Path) -> None:
    item(tmp_path / "saved", {"w": np.array([1, np.nan])})
    (finding,) = fsck(tmp_path).findings
    assert finding.what == "NaN in 1 tensor: w (1 of 2)"


def test_a_seal_of_a_step_shows_any_change(tmp_path: Path) -> None:
    root(tmp_path, 9, 10)
    sealed = seal(tmp_path)
    assert sealed.seal == tmp_path / "10" / ".seal.json"
    seal(tmp_path / "9" / "default")
    check = fsck(tmp_path)
    assert told(check, tmp_path) == []
    assert check.notes[0] == "1 checkpoint compared with 2 seals."
    for place in ("9/default/_METADATA", "10/commit_success.txt"):
        content = (tmp_path / place).read_bytes()
        (tmp_path / place).write_bytes(content + b" ")
        assert [
            each.what.partition(" is not as sealed")[0] for each in fsck(tmp_path).findings
        ] == [place.partition("/")[2].removeprefix("default/")]
        (tmp_path / place).write_bytes(content)


def test_a_flipped_bit_of_a_value_shows_by_its_seal_alone(tmp_path: Path) -> None:
    value = np.random.default_rng(0).normal(size=700).astype("float32")
    saved = item(tmp_path / "saved", {"w": value, "b": np.ones(2)}, is_ocdbt=False)
    file = saved / "w" / "0"
    content = bytearray(file.read_bytes())
    content[1000] ^= 1
    sealed = seal(saved)
    file.write_bytes(content)
    (finding,) = fsck(saved).findings
    assert finding.what.startswith("w/0 is not as sealed on ")
    assert finding.what.endswith(", with 1 tensor that differs: w")
    sealed.seal.unlink()
    assert fsck(saved).findings == ()


def test_values_of_old_releases_are_not_supported(tmp_path: Path) -> None:
    saved = item(tmp_path / "saved", {"w": np.ones(2)}, is_ocdbt=False)
    (saved / "checkpoint").write_bytes(b"\x81")
    words = (
        "Values are in a msgpack file, as old releases of Orbax wrote it: "
        "unknown: ckptcheck does not support this content; "
        "restore it with Orbax, and save it again"
    )
    assert told(fsck(tmp_path), tmp_path) == [("unknown", "F/saved/checkpoint", words)]


def test_a_folder_above_items_is_no_step(tmp_path: Path) -> None:
    for name in ("best", "last"):
        item(tmp_path / name, {"w": np.ones(2)})
    root(tmp_path / "runs", 9, 10)
    check = fsck(tmp_path)
    names = [each.relative_to(tmp_path).as_posix() for each in check.checkpoints]
    assert names == ["best", "last", "runs/10", "runs/9"]


def test_an_item_without_its_content(tmp_path: Path) -> None:
    for number in ("9", "10"):
        step(tmp_path / number, {"default": {"w": np.ones(3)}}, {"cfg": {"a": 1}})
    assert told(fsck(tmp_path), tmp_path) == []
    for file in (tmp_path / "10" / "cfg").iterdir():
        file.unlink()
    lacking = "the content of its item cfg"
    assert told(fsck(tmp_path), tmp_path) == [incomplete(10, lacking, 9), unreadable(10, lacking)]
