"""A script that records itself, for timing `ckptcheck compare`: 200 steps and 60 tensors.

python benchmarks/recorded.py FOLDER control|resumed
"""

import sys

import numpy as np

import ckptcheck

folder, mode = sys.argv[1:]
first = 0 if mode == "control" else 100
draw = np.random.default_rng(0)
state = {f"layer{index}/kernel": draw.normal(size=(64, 64)) for index in range(60)}
for _ in range(first):
    state = {name: value * 0.999 for name, value in state.items()}
with ckptcheck.record(folder, lambda: state) as run:
    run.boundary(first)
    for step in range(first, 200):
        run.step(float(step), [np.full((32, 8), step)], 0.1)
        state = {name: value * 0.999 for name, value in state.items()}
        if mode == "control" and step == 99:
            run.boundary(100)
