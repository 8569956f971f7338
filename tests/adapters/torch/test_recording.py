"""A script on PyTorch that records itself: the state of its objects, and tensors of a step."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="PyTorch is an extra")

import ckptcheck  # noqa: E402
from ckptcheck.adapters.torch.recording import state_of, style_of  # noqa: E402
from ckptcheck.kinds import Kind  # noqa: E402

pytestmark = pytest.mark.torch


def objects() -> list[Any]:
    model = torch.nn.Sequential(torch.nn.Linear(2, 1), torch.nn.BatchNorm1d(1))
    optimizer = torch.optim.Adam(model.parameters())
    return [model, optimizer, torch.optim.lr_scheduler.StepLR(optimizer, 1)]


def test_objects_are_named_after_their_classes() -> None:
    given = objects()
    more = [torch.nn.Linear(1, 1), torch.optim.swa_utils.AveragedModel(given[0]), torch.Generator()]
    kinds = {name: each.kind for name, each in state_of([*given, *more]).items()}
    expected = {
        "model/0.weight": Kind.WEIGHT,
        "model/1.running_mean": Kind.MOVING_STATISTIC,
        "model_2/weight": Kind.OTHER,  # no optimizer trains it
        "averaged/module.0.weight": Kind.SHADOW,
        "optimizer/group 0/lr": Kind.HYPERPARAMETER,
        "scheduler/last_epoch": Kind.COUNTER,
        "random/generator": Kind.RNG,
        "random/torch": Kind.RNG,
    }
    assert expected.items() <= kinds.items()
    assert style_of(given) == "torch"
    assert "Linear/weight" not in kinds


def test_what_holds_no_state() -> None:
    with pytest.raises(TypeError) as caught:
        state_of([3])
    assert str(caught.value) == (
        "int holds no state: pass modules, optimizers, schedulers, a GradScaler, generators or loaders"
    )


def trained(folder: Path, dtype: Any, scheduler: bool = True) -> dict[str, Any]:
    torch.manual_seed(0)
    given = objects()
    model, optimizer, schedule = given
    with ckptcheck.record(folder, given if scheduler else given[:2]) as run:
        for step in range(4):
            x = torch.full((4, 2), float(step)) + torch.arange(8.0).reshape(4, 2)
            loss = model(x).sum() + model(x).pow(2).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            run.step(
                loss, batch=[x.to(dtype), x.sum(1)], learning_rate=optimizer.param_groups[0]["lr"]
            )
            if step == 1:
                run.boundary(2)
                run.evaluation(loss)
    first: dict[str, Any] = json.loads((folder / "steps.jsonl").read_text().splitlines()[0])
    return first


def test_a_step_takes_tensors(tmp_path: Path) -> None:
    single, half = trained(tmp_path / "a", torch.float32), trained(tmp_path / "b", torch.bfloat16)
    assert single["loss"] == half["loss"]
    assert single["batch"] != half["batch"]
    assert trained(tmp_path / "c", torch.float32)["batch"] == single["batch"]
    facts = json.loads((tmp_path / "a" / "run.json").read_text())
    assert facts["framework"] == "torch"
    assert len(facts["evaluations"]) == 1


def test_the_framework_of_the_objects_reads_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where TensorFlow was imported first."""
    from ckptcheck.job import frameworks

    monkeypatch.setitem(sys.modules, "tensorflow", sys)
    assert frameworks.state_of(objects()) is state_of
    assert frameworks.style_of(objects()) == "torch"
    assert frameworks.arrays_of([1.0]) == [1.0]
    assert [str(each.dtype) for each in frameworks.arrays_of([torch.ones(1).half()])] == ["float16"]
