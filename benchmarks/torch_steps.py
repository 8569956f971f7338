"""What it costs a PyTorch loop to be observed, for each training step.

    python benchmarks/torch_steps.py PAIRS

Prints the medians of runs with and without the observer, in alternating order: on the CPU the
microseconds of processor time that it adds to a step of a small network; where there is a device,
also the ratio of the seconds of a loop whose steps take 20 to 30 ms there, and which never reads
its loss.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from ckptcheck.command.launch import OUTPUT, launch
from ckptcheck.observer.request import Request

HERE = Path(__file__).parents[1]
SMALL = """
import time, torch
torch.manual_seed(0)
torch.set_num_threads(1)
model = torch.nn.Sequential(*[torch.nn.Linear(32, 32) for _ in range(20)])
optimizer = torch.optim.SGD(model.parameters(), 1e-3)

def train(steps):
    for step in range(steps):
        optimizer.zero_grad()
        model(torch.ones(8, 32) * step * 1e-4).sum().backward()
        optimizer.step()

train(200)
began = time.process_time()
train(1024)
print((time.process_time() - began) / 1024 * 1e6)
"""
LARGE = """
import time, torch
from torch import nn
torch.manual_seed(0)
layer = nn.TransformerEncoderLayer(768, 12, 3072, 0.1, "gelu", batch_first=True, norm_first=True)
model = nn.Sequential(nn.Embedding(50304, 768), nn.TransformerEncoder(layer, 12, None, False),
                      nn.Linear(768, 50304)).cuda()
optimizer = torch.optim.AdamW(model.parameters(), 1e-4)
data = torch.randint(50304, (16, 8, 512), device="cuda")

def train(steps):
    for step in range(steps):
        tokens = data[step % 16]
        with torch.autocast("cuda", torch.bfloat16):
            loss = nn.functional.cross_entropy(model(tokens).flatten(0, 1), tokens.flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    torch.cuda.synchronize()

train(64)
began = time.perf_counter()
train(256)
print((time.perf_counter() - began) / 256 * 1e6)
"""


def bare(script: Path) -> float:
    """Return the microseconds of a step."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    ended = subprocess.run(
        [sys.executable, script], env=environment, check=True, capture_output=True, text=True
    )
    return float(ended.stdout)


def observed(script: Path, top: Path) -> float:
    """Return the microseconds of a step under the observer."""
    with tempfile.TemporaryDirectory(dir=top) as folder:
        request = Request("control", "train", None, folder, f"{folder}/run", folder)
        words = [sys.executable, str(script)]
        ended = launch(words, request, "0", 600.0, lambda done: None, lambda: False)
        printed = (Path(folder) / OUTPUT).read_text(encoding="utf-8")
        if ended.status or not (Path(folder) / "observed.json").exists():
            raise RuntimeError(f"the run was not observed: {printed}")
        return float(printed)


def main(pairs: int) -> None:
    """Measure, in alternating order, and print the medians."""
    import torch  # after the constants: it takes seconds

    os.environ["OMP_NUM_THREADS"] = "1"
    scripts = {"cpu": SMALL} | ({"device": LARGE} if torch.cuda.is_available() else {})
    with tempfile.TemporaryDirectory() as folder:
        for name, text in scripts.items():
            script = Path(folder) / f"{name}.py"
            script.write_text(text)
            both = [(observed(script, Path(folder)), bare(script)) for _ in range(pairs)]
            ours, theirs = (statistics.median(column) for column in zip(*both, strict=True))
            added = statistics.median(one - other for one, other in both)
            ratio = statistics.median(one / other for one, other in both)
            shown = {"us observed": ours, "us bare": theirs, "us added": added, "ratio": ratio}
            print(json.dumps({name: {key: round(value, 4) for key, value in shown.items()}}))


if __name__ == "__main__":
    main(int(sys.argv[1]))
