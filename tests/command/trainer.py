"""A trainer of its own: NumPy alone, its own checkpoints, and one of several logs.

It looks for its newest checkpoint when it starts. `--fault` plants what goes wrong then.
"""

import argparse
import csv
import json
import os
import pathlib
import struct
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

parser = argparse.ArgumentParser()
parser.add_argument("--out", type=pathlib.Path, required=True)
parser.add_argument("--log", default="csv", choices=["csv", "jsonl", "events", "print", "none"])
parser.add_argument("--log-every", type=int, default=1)
parser.add_argument("--first", type=int, default=0)
parser.add_argument("--mode", default="a", choices=["a", "w", "buffered"])
parser.add_argument("--fault", default="")
parser.add_argument("--format", default="npz", choices=["npz", "h5", "pt"])
parser.add_argument("--without", default="")
parser.add_argument("--pause", type=float, default=0.6)
parser.add_argument("--saves", type=int, default=3)
given = parser.parse_args()
out, every = given.out, 4
steps = every * given.saves


def load() -> tuple[Any, Any, int]:
    found = sorted(out.glob("ckpt-*"))
    if not found or given.fault == "anew":
        return np.linspace(1, 2, 5), np.zeros(5), 0
    start = int(found[-1].name[5:8])
    if given.format == "npz":
        with np.load(found[-1]) as saved:
            w, m = saved["w"], saved["m"]
    else:
        import h5py

        with h5py.File(found[-1]) as saved:
            w, m = saved["w"][:], saved["m"][:]
    return w, np.zeros(5) if given.fault == "momentum" else m, start


def save(done: int) -> None:
    values: dict[str, Any] = {"w": w, "m": m, "global_step": np.int64(done)}
    values = {name: value for name, value in values.items() if name != given.without}
    if given.format == "npz":
        np.savez(out / f"ckpt-{done:03}.npz", **values)
    elif given.format == "pt":
        (out / f"ckpt-{done:03}.pt").write_bytes(b"of a format that is not read")
    else:
        import h5py

        with h5py.File(out / f"ckpt-{done:03}.weights.h5", "w") as file:
            for name, value in values.items():
                file[name] = value


class Csv:
    def __init__(self) -> None:
        self.file = (out / "log.csv").open("w" if given.mode == "w" else "a", newline="")
        if not self.file.tell():
            csv.writer(self.file).writerow(["step", "val_loss", "loss"])

    def __call__(self, step: int, loss: float) -> None:
        csv.writer(self.file).writerow([step, 9.0, loss])
        if given.mode != "buffered":
            self.file.flush()


def json_lines(step: int, loss: float) -> None:
    with (out / "log.jsonl").open("a") as file:
        file.write(json.dumps({"step": step, "loss": loss, "time": time.time()}) + "\n")


class Events:
    def __init__(self) -> None:
        sys.path.insert(0, os.environ["TESTS_OF"])
        from tests.command import events

        self.events, self.path = events, out / f"events.out.tfevents.{time.time():.6f}"

    def __call__(self, step: int, loss: float) -> None:
        value = self.events.tensor(2, self.events.message(4, struct.pack("<d", loss)))
        with self.path.open("ab") as file:
            file.write(self.events.record(self.events.event(step, "loss", value, time.time())))


def printed(step: int, loss: float) -> None:
    print(f"step {step} loss {loss!r}", flush=True)


out.mkdir(parents=True, exist_ok=True)
w, m, start = load()


def silent(step: int, loss: float) -> None:
    pass


logs: dict[str, Callable[[], Callable[[int, float], None]]] = {
    "csv": Csv,
    "jsonl": lambda: json_lines,
    "events": Events,
    "print": lambda: printed,
    "none": lambda: silent,
}
log = logs[given.log]()
if given.fault == "idle" and start:
    sys.exit(0)
for step in range(start, steps):
    x = np.random.default_rng(None if given.fault == "noise" else step).normal(size=5)
    loss = float(((w - 3 + 0.1 * x) ** 2).mean())
    m = 0.9 * m + (w - 3 + 0.1 * x)
    w = w - 0.05 * m
    if step % given.log_every == 0:
        log(step + given.first, loss)
    if (step + 1) % every == 0:
        save(step + 1)
        time.sleep(given.pause if step + 1 < steps else 0)
