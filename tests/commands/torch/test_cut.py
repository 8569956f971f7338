"""A PyTorch script that --max-steps ends before its next epoch draws the order of the data."""

import sys
from pathlib import Path
from typing import Any

import pytest

from ckptcheck import verify
from ckptcheck.report.case import Case

pytestmark = [pytest.mark.torch, pytest.mark.timeout(900)]  # several processes, on two cores

# An epoch of 8 steps, saved after each four, with the rest of its order.
SCRIPT = """
import random, sys
from pathlib import Path
import numpy as np
import torch

path, keeps = Path(sys.argv[1]) / "last.pt", sys.argv[2]
torch.manual_seed(0)
x = torch.randn(32, 4)
model = torch.nn.Linear(4, 1)
optimizer = torch.optim.Adam(model.parameters())
order, first = [], 0
if path.exists():
    saved = torch.load(path)
    model.load_state_dict(saved["model"])
    optimizer.load_state_dict(saved["optimizer"])
    order, first = saved["order"], saved["step"]
    if keeps == "keeps":
        torch.set_rng_state(saved["rng"])
for step in range(first, 24):
    if not order:
        order = torch.randperm(32).tolist()
    rows, order = order[:4], order[4:]
    loss = ((model(x[rows]) - x[rows, :1]) ** 2).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 4 == 3:
        torch.save(
            {
                "model": model.state_dict(),
                "optimizer": optimizer.state_dict(),
                "order": order,
                "step": step + 1,
                "rng": torch.get_rng_state(),
            },
            path,
        )
"""


def verified(folder: Path, keeps: str, **asked: Any) -> Case:
    script = folder / "train.py"
    script.write_text(SCRIPT)
    command = [sys.executable, str(script), "{run}", keeps]
    (case,) = verify(command=command, save=1, repeat=0, **asked).cases
    return case


@pytest.mark.parametrize("steps", [7, 12, None])
def test_a_script_that_keeps_its_generator_recovers(tmp_path: Path, steps: int | None) -> None:
    case = verified(tmp_path, "keeps", max_steps=steps)
    assert (case.outcome, case.reason) == ("recovered", None)


def test_a_lost_generator_that_is_not_drawn_from_before_the_end_is_unknown(tmp_path: Path) -> None:
    case = verified(tmp_path, "loses", max_steps=7)
    assert case.outcome == "inconclusive"
    assert str(case.reason).startswith(
        "random/torch differs from the control's, and no step before the end that --max-steps sets "
        "draws from it."
    )


@pytest.mark.parametrize("steps", [9, None])
def test_it_is_lost_once_it_is_drawn_from(tmp_path: Path, steps: int | None) -> None:
    case = verified(tmp_path, "loses", max_steps=steps)
    assert case.outcome == "diverged"
    assert {each.cause for each in case.diagnoses} & {"generators-shifted", "generators-restarted"}
