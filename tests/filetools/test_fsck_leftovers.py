"""Leftovers of interrupted saves, and files that are not."""

from pathlib import Path

from tests.checkpoints.bundles import write
from tests.filetools.faults import data_of, found_in, interrupted_saves, tensors


def test_a_prefix_of_a_prefix(folder: Path) -> None:
    interrupted_saves(folder)
    write(folder / "model.ckpt-1", tensors(1))
    assert found_in(folder, folder / "model.ckpt-1") == []


def test_an_index_file_of_a_different_program(folder: Path) -> None:
    (folder / "faiss.index").write_bytes(b"IxF2" * 100)
    assert found_in(folder) == []


def test_nothing_is_deleted_before_a_checkpoint_is_whole(folder: Path) -> None:
    interrupted_saves(folder)
    assert {each.remedy for each in found_in(folder)} == {
        "delete it, unless a process is saving there now"
    }
    for data in folder.glob("*.data-*-of-00001"):
        data.write_bytes(b"")
    remedies = {each.remedy for each in found_in(folder) if "temporary" in each.what}
    assert remedies == {
        "keep it until a checkpoint here is whole: it may hold the only copy of the values"
    }


def test_data_of_a_newer_save_whose_index_was_not_copied(folder: Path) -> None:
    """The index counts one file, which is missing; two others of the prefix lie there."""
    data_of(folder).unlink()
    for number in range(2):
        (folder / f"model.ckpt-10.data-0000{number}-of-00002").write_bytes(b"values")
    findings = {each.what: each.remedy for each in found_in(folder)}
    assert findings["2 data files of this prefix not listed in its index"] == (
        "keep them: they may be of a newer save, whose index was not copied; "
        "look for that index where the files came from"
    )


def test_missing_data_under_a_different_name(folder: Path) -> None:
    """A browser or a shell cut the name."""
    data_of(folder).rename(folder / "model.ckpt-10.data")
    (finding,) = found_in(folder)
    assert (finding.what, finding.remedy) == (
        "A data file is missing, with 4 tensors",
        "model.ckpt-10.data has the size that the index counts: rename it to model.ckpt-10.data-00000-of-00001",
    )
