"""Leftovers of interrupted saves, and files that are not."""

from pathlib import Path

from tests.checkpoints.bundles import write
from tests.filetools.faults import found_in, interrupted_saves, tensors


def test_a_prefix_of_a_prefix(folder: Path) -> None:
    interrupted_saves(folder)
    write(folder / "model.ckpt-1", tensors(1))
    assert found_in(folder, folder / "model.ckpt-1") == []


def test_an_index_file_of_a_different_program(folder: Path) -> None:
    (folder / "faiss.index").write_bytes(b"IxF2" * 100)
    assert found_in(folder) == []
