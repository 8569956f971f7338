"""A fork server imports PyTorch with all that its first optimizer would import."""

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="PyTorch is an extra")

from ckptcheck.job.frameworks import preloads

pytestmark = pytest.mark.torch

COUNT = """
import sys
import torch
import ckptcheck.adapters.torch.first_use
before = len(sys.modules)
torch.optim.Adam([torch.nn.Parameter(torch.zeros(2))])
print(len(sys.modules) - before, torch.cuda.is_initialized())
"""


def test_the_first_optimizer_imports_nothing_more() -> None:
    done = subprocess.run(
        [sys.executable, "-c", COUNT], capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stdout.split() == ["0", "False"]


def test_a_job_of_pytorch_needs_both(tmp_path: Path) -> None:
    (tmp_path / "job.py").write_text("import torch\n")
    assert preloads([f"{tmp_path}/job.py:Job"]) == (
        "torch",
        "ckptcheck.adapters.torch.first_use",
    )
