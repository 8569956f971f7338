"""Missing files, folders and pipes in place of files; combined checksums."""

import os
from pathlib import Path

import numpy as np

from ckptcheck.checkpoints.checksums import checksum, joined
from tests.checkpoints.bundles import write
from tests.checkpoints.refusals import TENSOR, refusal


def test_a_missing_file(tmp_path: Path) -> None:
    prefix = write(tmp_path / "whole", TENSOR)
    Path(f"{prefix}.data-00000-of-00001").unlink()
    assert refusal(prefix) == "P.data-00000-of-00001: the file is missing."
    Path(f"{prefix}.data-00000-of-00001").mkdir()
    assert refusal(prefix) == "P.data-00000-of-00001: the file cannot be read: it is a folder."
    Path(f"{prefix}.index").unlink()
    Path(f"{prefix}.data-00000-of-00001").rmdir()
    Path(f"{prefix}.data-00000-of-00001").write_bytes(b"")
    assert refusal(prefix) == "P.index: the file is missing."


def test_a_pipe_in_place_of_a_file_does_not_hang(tmp_path: Path) -> None:

    prefix = write(tmp_path / "whole", TENSOR)
    Path(f"{prefix}.data-00000-of-00001").unlink()
    os.mkfifo(f"{prefix}.data-00000-of-00001")
    assert (
        refusal(prefix)
        == "P.data-00000-of-00001: the file cannot be read: it is not a regular file."
    )


def test_combined_checksums() -> None:
    whole = np.random.default_rng(0).bytes(1 << 20)
    for at in (0, 1, 511, 1 << 19, 1 << 20):
        first, second = checksum(whole[:at]), checksum(whole[at:])
        assert joined(first, second, len(whole) - at) == checksum(whole)
