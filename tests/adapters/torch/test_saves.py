"""Which calls are noted as saves and restores, in processes of their own: functions stay replaced."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.torch

# Prints what is noted, in place of an observation.
PROLOGUE = """
import sys, pathlib
import torch
import torch.distributed.checkpoint as dcp
from ckptcheck.adapters.torch.observer import saves

class Observation:
    def saving(self):
        pass
    def saved(self, what, path):
        whole = (pathlib.Path(path) / ".metadata").exists()
        print("saved", what, pathlib.Path(path).name, "whole" if whole else "in part")
    def is_inside(self, path):
        return True
    def restoring(self, what, path, way):
        print("restoring", what, pathlib.Path(path).name)
    def restored(self):
        print("restored", float(state["w"]))

saves.watch(Observation())
folder = pathlib.Path(sys.argv[1])
state = {"w": torch.ones(())}
"""


def noted(folder: Path, program: str) -> list[str]:
    pytest.importorskip("torch")
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PROLOGUE + program, folder],
        capture_output=True,
        text=True,
        check=True,
    )
    return [
        line
        for line in done.stdout.splitlines()
        if "torch.distributed" in line or "restored" in line
    ]


def test_distributed_checkpoints(tmp_path: Path) -> None:
    program = """
dcp.save(state, checkpoint_id=folder / "a", no_dist=True)
dcp.save(state, storage_writer=dcp.FileSystemWriter(folder / "b"), no_dist=True)
state["w"] += 1
dcp.load(state, checkpoint_id=folder / "a", no_dist=True)
dcp.load(state, storage_reader=dcp.FileSystemReader(folder / "b"), no_dist=True)
"""
    module = "torch.distributed.checkpoint"
    assert noted(tmp_path, program) == [
        f"saved {module}.save a whole",
        f"saved {module}.save b whole",
        f"restoring {module}.load a",
        "restored 1.0",
        f"restoring {module}.load b",
        "restored 1.0",
    ]


def test_a_save_in_a_thread_is_noted_once_it_is_whole(tmp_path: Path) -> None:
    program = """
import os
os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT="0", RANK="0", WORLD_SIZE="1")
torch.distributed.init_process_group("gloo", store=torch.distributed.HashStore(), rank=0, world_size=1)
future = dcp.async_save(state, checkpoint_id=folder / "a")
assert future.done()
"""
    whole = noted(tmp_path, program)
    assert whole[-1] == "saved torch.distributed.checkpoint.async_save a whole"
    assert all(line.endswith("whole") for line in whole)
