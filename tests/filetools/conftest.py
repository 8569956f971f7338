"""A whole folder."""

from pathlib import Path

import pytest

from tests.checkpoints.bundles import write, write_state
from tests.filetools.faults import tensors


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two Saver checkpoints and their state file."""
    for step in (5, 10):
        write(tmp_path / f"model.ckpt-{step}", tensors(step))
    write_state(tmp_path, "model.ckpt-10", "model.ckpt-5", "model.ckpt-10")
    return tmp_path
