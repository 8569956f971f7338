"""What it costs to verify a command, against starting it twice by hand.

    python benchmarks/commands.py PAIRS keras
    python benchmarks/commands.py PAIRS torch

Prints medians: seconds of `verify -- python SCRIPT {run}` and of the two runs that it makes, their
ratio, and the milliseconds that the observer adds to the start of a process without a framework.
"""

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from ckptcheck.job.frameworks import edges
from ckptcheck.observer import hooks

# Sixty steps, saved after each ten; started again, a script goes on from the newest save.
KERAS = """
import sys
from pathlib import Path
import keras
import numpy as np

folder = Path(sys.argv[1])
folder.mkdir(exist_ok=True)
x = np.random.default_rng(0).normal(size=(320, 64)).astype("float32")
y = x[:, :1] * x[:, 1:2]
keras.utils.set_random_seed(0)
saved = sorted(folder.glob("*.keras"))
if saved:
    model = keras.models.load_model(saved[-1])
else:
    layers = [keras.layers.Dense(256, "relu"), keras.layers.BatchNormalization()]
    model = keras.Sequential([keras.Input((64,)), *layers, keras.layers.Dense(1)])
    model.compile("adam", "mse")
save = keras.callbacks.ModelCheckpoint(folder / "{epoch}.keras")
model.fit(x, y, batch_size=32, epochs=6, initial_epoch=len(saved), shuffle=False, verbose=0,
          callbacks=[save])
"""
TORCH = """
import sys
from pathlib import Path
import torch

folder = Path(sys.argv[1])
folder.mkdir(exist_ok=True)
torch.manual_seed(0)
x = torch.randn(320, 64)
y = x[:, :1] * x[:, 1:2]
layers = [torch.nn.Linear(64, 256), torch.nn.ReLU(), torch.nn.BatchNorm1d(256)]
model = torch.nn.Sequential(*layers, torch.nn.Linear(256, 1))
optimizer = torch.optim.Adam(model.parameters())
saved = sorted(folder.glob("*.pt"))
if saved:
    state = torch.load(saved[-1])
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
for epoch in range(len(saved), 6):
    for inputs, targets in zip(x.split(32), y.split(32), strict=True):
        loss = torch.nn.functional.mse_loss(model(inputs), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    state = {"model": model.state_dict(), "optimizer": optimizer.state_dict()}
    torch.save(state, folder / f"{epoch}.pt")
"""
SCRIPTS = {"keras": KERAS, "torch": TORCH}
HERE = Path(__file__).parents[1]


def timed(words: Sequence[str], environment: Mapping[str, str] | None = None) -> float:
    """Return the seconds that a command takes."""
    began = time.perf_counter()
    given = {**os.environ, "PYTHONPATH": str(HERE), **(environment or {})}
    subprocess.run(words, env=given, check=True, capture_output=True)
    return time.perf_counter() - began


def by_hand(script: Path, folder: Path) -> float:
    """Return the seconds of a run to its end, and of one from its second save."""
    whole = timed([sys.executable, str(script), str(folder)])
    for later in sorted(folder.iterdir())[2:]:
        later.unlink()
    resumed = timed([sys.executable, str(script), str(folder)])
    shutil.rmtree(folder)
    return whole + resumed


def verified(script: Path, folder: Path) -> float:
    """Return the seconds of the verification of the same two runs."""
    words = [sys.executable, "-m", "ckptcheck", "verify", "--out", str(folder), "--"]
    return timed([*words, sys.executable, str(script), "{run}"])


def start_up(top: Path) -> float:
    """Return the milliseconds that the observer adds to the start of a process."""
    request = top / "request.json"
    request.write_text(json.dumps({"edges": edges(), "home": str(HERE), "folder": str(top)}))
    site = Path(hooks.__file__).with_name("site")
    observed = {hooks.ENVIRONMENT: str(request), "PYTHONPATH": str(site)}
    words = [sys.executable, "-c", "pass"]
    pairs = [(timed(words, observed), timed(words, {"PYTHONPATH": ""})) for _ in range(20)]
    return 1000 * statistics.median(one - other for one, other in pairs)


def main(pairs: int, framework: str) -> None:
    """Measure, in alternating order, and print the medians."""
    with tempfile.TemporaryDirectory() as folder:
        top = Path(folder)
        script = top / "train.py"
        script.write_text(SCRIPTS[framework])
        both = [(verified(script, top / "out"), by_hand(script, top / "run")) for _ in range(pairs)]
        ours, theirs = (statistics.median(column) for column in zip(*both, strict=True))
        ratio = statistics.median(one / other for one, other in both)
        print(json.dumps({"verify": ours, "by hand": theirs, "ratio": ratio}))
        print(json.dumps({"start-up in ms": start_up(top)}))


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
