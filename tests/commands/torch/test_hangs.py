"""PyTorch scripts whose resumed run hangs: what it would have done is unknown."""

import sys
from pathlib import Path

import pytest

from ckptcheck import Report, judge_folder, verify

pytestmark = [pytest.mark.torch, pytest.mark.timeout(900)]  # several processes, on two cores

# The second argument says where its resumed run hangs, on its last rank if there are several.
SCRIPT = """
import os, sys, time
from pathlib import Path
import torch
import torch.distributed as dist

path, where = Path(sys.argv[1]) / "last.pt", sys.argv[2]
rank = int(os.environ.get("RANK", 0))
torch.manual_seed(0)
x = torch.randn(8, 4)
model = network = torch.nn.Linear(4, 1)
if "RANK" in os.environ:
    dist.init_process_group("gloo")
    network = torch.nn.parallel.DistributedDataParallel(model)
optimizer = torch.optim.SGD(model.parameters(), 0.1)
first = 0
if path.exists():
    saved = torch.load(path)
    model.load_state_dict(saved["model"])
    first = saved["step"]
hangs = bool(first) and rank == int(os.environ.get("WORLD_SIZE", 1)) - 1

class Ends:
    def __del__(self):  # after all that Python does at its exit
        if hangs and where == "at exit":
            time.sleep(300)

ends = Ends()
for step in range(first, 8):
    if hangs and where == "in a step" and step == 6:
        time.sleep(300)
    loss = (network(x) ** 2).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step in (1, 3) and not rank:
        torch.save({"model": model.state_dict(), "step": step + 1}, path)
if "RANK" in os.environ:
    dist.destroy_process_group()
if hangs and where == "raises":
    raise ValueError("no such file")
if hangs and where == "exits":
    sys.exit(3)
"""

SILENT = (
    "The resumed run did not finish: it made no step for {0} s and was killed. Raise --timeout if "
    "its steps take longer."
)


def verified(folder: Path, where: str, ranks: int, timeout: float) -> Report:
    script = folder / "train.py"
    script.write_text(SCRIPT)
    launcher = ("-m", "torch.distributed.run", "--nproc-per-node", str(ranks)) if ranks > 1 else ()
    command = [sys.executable, *launcher, str(script), "{run}", where]
    return verify(command=command, timeout=timeout, repeat=0, folder=folder / "runs")


@pytest.mark.parametrize(
    ("where", "ranks", "timeout"),
    [("at exit", 1, 10), ("in a step", 1, 10), ("at exit", 2, 20), ("in a step", 2, 20)],
)
def test_a_resumed_run_that_is_killed_for_its_silence_is_inconclusive(
    tmp_path: Path, where: str, ranks: int, timeout: int
) -> None:
    report = verified(tmp_path, where, ranks, timeout)
    for each in (report, judge_folder(tmp_path / "runs")):
        assert [(case.outcome, case.reason) for case in each.cases] == [
            ("inconclusive", SILENT.format(timeout))
        ] * ranks


@pytest.mark.parametrize(
    ("where", "outcome", "causes"),
    [
        ("nowhere", "recovered", []),
        ("raises", "diverged", ["resumed-run-raised"]),
        ("exits", "diverged", ["resumed-run-raised"]),
    ],
)
def test_one_that_ends_is_judged(
    tmp_path: Path, where: str, outcome: str, causes: list[str]
) -> None:
    (case,) = verified(tmp_path, where, 1, 60).cases
    assert (case.outcome, case.reason) == (outcome, None)
    assert [each.cause for each in case.diagnoses] == causes
