"""What it costs a command to be watched, as the runs of a drill are that are not killed.

    python benchmarks/watched.py ROUNDS

Prints the median seconds of a PyTorch script of its own, as a verification observes it, with its
folder watched (inotify), and traced (strace); and the ratios to the first.
"""

import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from threading import Event

from ckptcheck.command.command import as_command
from ckptcheck.command.launch import launch
from ckptcheck.command.runs import CommandRuns
from ckptcheck.commands import RunProgress
from ckptcheck.drills.killing import run_and_kill
from ckptcheck.job.plan import Settings
from ckptcheck.run.task import CONTROL_HASH_SEED

# 80 steps, saved after each twenty: some ten seconds.
SCRIPT = """
import sys
from pathlib import Path
import torch

path = Path(sys.argv[1]) / "last.pt"
path.parent.mkdir(exist_ok=True)
torch.manual_seed(0)
x = torch.randn(512, 256)
layers = [torch.nn.Linear(256, 2048), torch.nn.ReLU(), torch.nn.Linear(2048, 256)]
model = torch.nn.Sequential(*layers)
optimizer = torch.optim.Adam(model.parameters())
for step in range(80):
    loss = torch.nn.functional.mse_loss(model(x), x)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if (step + 1) % 20 == 0:
        state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "step": step}
        torch.save(state, path)
"""


def main() -> None:
    """Time each kind of run in turn, so that all meet the same machine."""
    with tempfile.TemporaryDirectory() as name:
        top = Path(name)
        script = top / "train.py"
        script.write_text(SCRIPT)
        kinds = {"bare": bare, "observed": observed, "watched": watched, "traced": traced}
        seconds: dict[str, list[float]] = {kind: [] for kind in kinds}
        for _ in range(int(sys.argv[1])):
            for kind, run in kinds.items():
                seconds[kind].append(timed(run, script, top / "runs"))
    medians = {kind: statistics.median(each) for kind, each in seconds.items()}
    for kind, median in medians.items():
        print(f"{kind:9s} {median:6.2f} s  {median / medians['bare']:.3f}")


def timed(run: Callable[[Path, Path], None], script: Path, folder: Path) -> float:
    """Return how long a run takes, from the start of the program to its end."""
    folder.mkdir()
    begun = time.perf_counter()
    run(script, folder)
    seconds = time.perf_counter() - begun
    shutil.rmtree(folder)
    return seconds


def bare(script: Path, folder: Path) -> None:
    """Run the script as it is."""
    subprocess.run([sys.executable, script, folder / "run"], check=True)


def observed(script: Path, folder: Path) -> None:
    """Run it as `verify` runs its control, but record nothing at a save."""
    runs = _runs(script, folder)
    request = runs.request(folder / "first")
    (folder / "first").mkdir()
    words = runs.command.words(runs.place, is_resumed=False)
    launch(words, request, CONTROL_HASH_SEED, 600.0, lambda done: None, lambda: False)


def watched(script: Path, folder: Path) -> None:
    """Run it as a drill runs it."""
    runs = _runs(script, folder)
    run_and_kill(runs, runs.request(folder / "first"), CONTROL_HASH_SEED, None)


def traced(script: Path, folder: Path) -> None:
    """Run it as a drill runs it that wants every crash state."""
    runs = _runs(script, folder)
    log = folder / "strace.log"
    run_and_kill(runs, runs.request(folder / "first"), CONTROL_HASH_SEED, None, log)


def _runs(script: Path, folder: Path) -> CommandRuns:
    command = as_command([sys.executable, str(script), "{run}"])
    progress = RunProgress("train.py", lambda event: None, Event())
    runs = CommandRuns(command, folder, Settings(repeats=0), progress)
    runs.make_place()
    return runs


if __name__ == "__main__":
    main()
