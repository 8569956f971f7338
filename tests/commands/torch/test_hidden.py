"""State that is in no module and no optimizer: it is seen where it hides, and is no false alarm."""

import sys
from pathlib import Path

import pytest

from ckptcheck import verify
from ckptcheck.report.case import Case

pytestmark = [pytest.mark.torch, pytest.mark.timeout(900)]  # several processes, on two cores

SCRIPT = """
import sys
from pathlib import Path
import torch
from torch import nn

path, place, is_kept = Path(sys.argv[1]) / "last.pt", sys.argv[2], "--kept" in sys.argv
path.parent.mkdir(exist_ok=True)
torch.manual_seed(0)
inputs = torch.randn(64, 8)
targets = inputs[:, :1] * inputs[:, 1:2]

def in_closure(size):
    average = torch.zeros(size)
    return lambda: average

class Best:
    value = float("inf")

def main():
    model = nn.Linear(8, 1)
    optimizer = torch.optim.Adam(model.parameters(), 0.3)
    held, large, best, first = torch.zeros(8), torch.zeros(1 << 20), Best(), 0
    closed = in_closure(8)
    optimizer.average = torch.zeros(8)
    places = {"function": lambda: held, "closure": closed, "large": lambda: large,
              "optimizer": lambda: optimizer.average, "file": lambda: torch.zeros(1)}
    place_of = places[place]
    if path.exists():
        saved = torch.load(path)
        model.load_state_dict(saved["model"])
        optimizer.load_state_dict(saved["optimizer"])
        first = saved["epoch"]
        if is_kept:
            place_of().copy_(saved["held"])
            best.value = saved["best"]
    for epoch in range(first, 4):
        for step in range(5):
            rows = torch.randint(64, (8,), generator=torch.Generator().manual_seed(5 * epoch + step))
            loss = ((model(inputs[rows]) - targets[rows]) ** 2).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            place_of().mul_(0.5).add_(float(model.bias))
            value = float(((model(inputs) - targets) ** 2).mean())
        if place == "file" and value < best.value:
            best.value = value
            torch.save(model.state_dict(), path.with_name("best.pt"))
        state = {"model": model.state_dict(), "optimizer": optimizer.state_dict()}
        torch.save({**state, "epoch": epoch + 1, "held": place_of(), "best": best.value}, path)

main()
"""
# Where it is, and how the report names it.
NAMED = {
    "function": "main.held",
    "closure": "main.closed.average",
    "large": "main.large",
    "optimizer": "main.optimizer.average",
    "file": "best.pt",
}


def verified(tmp_path: Path, *words: str) -> Case:
    (tmp_path / "train.py").write_text(SCRIPT)
    command = [sys.executable, str(tmp_path / "train.py"), "{run}", *words]
    (case,) = verify(command=command, folder=tmp_path / "out").cases
    return case


@pytest.mark.parametrize("place", NAMED)
def test_it_is_seen_where_it_is_lost(place: str, tmp_path: Path) -> None:
    case = verified(tmp_path, place)
    assert case.outcome == "inconclusive"
    assert case.reason is not None
    assert f" {NAMED[place]}" in case.reason
    if place == "file":
        assert case.reason == (
            "All that was seen is equal, but at the end, best.pt, which the command wrote, is "
            "missing or torn, or holds other values than the control's: state outside of the "
            "framework or a file was lost, or it depends on the time."
        )


@pytest.mark.parametrize("place", NAMED)
def test_what_is_kept_is_no_alarm(place: str, tmp_path: Path) -> None:
    case = verified(tmp_path, place, "--kept")
    assert case.outcome == "recovered", case.reason
