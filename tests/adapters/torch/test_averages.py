"""Averages of weights that a PyTorch program keeps, and what only looks like them."""

import copy
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from torch.optim.swa_utils import AveragedModel  # noqa: E402

from ckptcheck.adapters.torch.observer.averages import (  # noqa: E402
    Averages,
    by_hand,
    is_called_average,
    still_parts,
    trained_by,
)
from ckptcheck.adapters.torch.observer.live import _of_modules  # noqa: E402
from ckptcheck.kinds import Kind  # noqa: E402


class Net(nn.Module):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__()
        self.back = nn.Sequential(nn.Linear(4, 4, bias=False), nn.BatchNorm1d(4))
        self.head = nn.Linear(4, 1)
        self.register_buffer("mask", torch.ones(4))

    def forward(self, x: Any) -> Any:
        return self.head(self.back(x * self.mask))


class Shadow:
    """As many scripts have it."""

    def __init__(self, model: Any) -> None:
        self.shadow = {name: each.detach().clone() for name, each in model.named_parameters()}
        self.backup: dict[str, Any] = {}


class ModelEma:
    def __init__(self, model: Any) -> None:
        self.params = [each.detach().clone() for each in model.parameters()]
        self.collected_params = [each.detach().clone() for each in model.parameters()]


@pytest.fixture
def model() -> Any:
    torch.manual_seed(0)
    return Net()


def train(model: Any, after: Callable[[], object]) -> Any:
    """Make one step; return the optimizer."""
    model.train()
    optimizer = torch.optim.SGD([each for each in model.parameters() if each.requires_grad], 0.1)
    (model(torch.randn(8, 4)) - torch.randn(8, 1)).pow(2).mean().backward()
    optimizer.step()
    after()
    return optimizer


def kinds(named: Mapping[str, Any], step: Callable[[], Any], optimizer: Any) -> dict[str, Kind]:
    """Return the kinds of all tensors in modules after a step, as a run reads them."""
    averages = Averages(trained_by([optimizer]))
    for each in (lambda: None, step):
        each()
        averages.still = still_parts(named.values())
        readers = dict(_of_modules(named, averages, {}))
    return {name: read().kind for name, read in readers.items()}


def of(kinds: Mapping[str, Kind], holder: str, kind: Kind) -> list[str]:
    return [name.partition("/")[2] for name, its in kinds.items()
            if name.startswith(f"{holder}/") and its is kind]  # fmt: skip


def test_what_an_averaged_model_averages_is_shadows(model: Any) -> None:
    averaged = AveragedModel(model)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    found = kinds(
        {"model": model, "averaged": averaged},
        lambda: train(model, lambda: [averaged.update_parameters(model) for _ in range(2)]),
        optimizer,
    )
    assert "n_averaged" in of(found, "averaged", Kind.SHADOW)
    assert "module.back.1.running_mean" in of(found, "averaged", Kind.SHADOW)
    assert of(found, "averaged", Kind.OTHER) == ["module.mask"]
    assert of(found, "averaged", Kind.WEIGHT) == of(found, "model", Kind.SHADOW) == []


def test_an_averaged_model_that_never_moves_is_called_so(model: Any) -> None:
    averaged = AveragedModel(model)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    found = kinds({"averaged": averaged}, lambda: None, optimizer)
    assert "module.head.weight" in of(found, "averaged", Kind.SHADOW)


@pytest.mark.parametrize(("moves", "kind"), [(True, Kind.SHADOW), (False, Kind.OTHER)])
def test_a_frozen_copy_is_an_average_if_it_moves(model: Any, moves: bool, kind: Kind) -> None:
    """A reference model that stands still, as of DPO, is none."""
    other = copy.deepcopy(model).requires_grad_(False)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    found = kinds(
        {"model": model, "other": other},
        lambda: moves and [each.data.add_(0.5) for each in other.parameters()],
        optimizer,
    )
    assert {found[f"other/{name}"] for name, _ in other.named_parameters()} == {kind}


@pytest.mark.parametrize(("has_gradient", "kind"), [(False, Kind.SHADOW), (True, Kind.WEIGHT)])
def test_a_target_network_is_no_weight(model: Any, has_gradient: bool, kind: Kind) -> None:
    """Nothing trains it, although it may be: a module that computes gradients trains itself."""
    other = copy.deepcopy(model)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)

    def step() -> None:
        for each in other.parameters():
            each.data.add_(0.5)
            each.grad = torch.ones_like(each) if has_gradient else None

    found = kinds({"model": model, "other": other}, step, optimizer)
    assert {found[f"other/{name}"] for name, _ in other.named_parameters()} == {kind}


def test_a_frozen_part_and_its_average_may_stand_still(model: Any) -> None:
    model.back.requires_grad_(False)
    averaged = AveragedModel(model)

    def step() -> None:
        model.back.eval()
        for each in (*averaged.module.head.parameters(), averaged.n_averaged):
            each.data.add_(1)

    optimizer = torch.optim.SGD(model.head.parameters(), 0.1)
    found = kinds({"model": model, "averaged": averaged}, step, optimizer)
    assert of(found, "averaged", Kind.SHADOW) == [
        "module.head.weight", "module.head.bias", "n_averaged"
    ]  # fmt: skip
    assert of(found, "model", Kind.MOVING_STATISTIC) == []
    assert of(found, "model", Kind.WEIGHT) == ["head.weight", "head.bias"]


def test_statistics_of_a_frozen_part_that_is_in_training_mode_move(model: Any) -> None:
    model.back.requires_grad_(False)
    optimizer = torch.optim.SGD(model.head.parameters(), 0.1)
    found = kinds({"model": model}, lambda: None, optimizer)
    assert "back.1.running_mean" in of(found, "model", Kind.MOVING_STATISTIC)


def names(held: dict[str, Any], model: Any) -> list[str]:
    return [name for name, _ in by_hand(held, [model])]


def test_averages_by_hand_are_found_by_their_names(model: Any) -> None:
    state = {name: each.clone() for name, each in model.state_dict().items()}
    parameters = [f"[{name}]" for name, _ in model.named_parameters()]
    assert names({"ema": state}, model) == [f"ema[{name}]" for name in state]
    assert names({"tracker": Shadow(model)}, model) == [f"tracker.shadow{it}" for it in parameters]
    assert names({"x": ModelEma(model)}, model) == [f"x.params{it}" for it in parameters]
    wrapped = {f"module.{name}": each for name, each in state.items()}
    assert names({"main.avg_weights": wrapped}, model)[0] == "main.avg_weights[mask]"


def test_what_only_looks_like_an_average_is_none(model: Any) -> None:
    train(model, lambda: None)
    state = model.state_dict()
    copied = copy.deepcopy(state)
    gradients = [each.grad for each in model.parameters()]
    clones = [each.clone() for each in gradients]
    checkpoint = {"ema": copied}
    every: tuple[dict[str, Any], ...] = (
        {"ema": state},  # the model's own tensors
        {"best_state": copied},
        {"best_ema": copied},
        {"checkpoint": checkpoint},
        {"ema_checkpoint": copied},
        {"grads": clones},
        {"ema": gradients},
        {"averages": [torch.ones(3), torch.ones(3)]},
        {"ema": {"loss": torch.ones(())}},
        {"batches": [torch.ones(8, 4)] * 6},
        {"ema": SimpleNamespace(decay=0.9)},
        {"shadow": {}},
    )
    for held in every:
        assert names(held, model) == [], held


def test_a_reader_of_an_average_reads_its_present_value(model: Any) -> None:
    ema = {name: each.clone() for name, each in model.state_dict().items()}
    readers = dict(by_hand({"ema": ema}, [model]))
    ema["head.bias"] = torch.full((1,), 7.0)
    assert readers["ema[head.bias]"]().item() == 7


@pytest.mark.parametrize(
    ("name", "is_average"),
    [
        ("ema", True),
        ("trainer.ema_model", True),
        ("main.avg", True),
        ("shadow_params", True),
        ("ema.backup", False),
        ("model", False),
        ("avgpool", False),
        ("schema", False),
    ],
)
def test_is_called_average(name: str, is_average: bool) -> None:
    assert is_called_average(name) is is_average


def test_a_model_that_is_put_aside_later_is_no_state(model: Any) -> None:
    averages = Averages(trained_by([torch.optim.SGD(model.parameters(), 0.1)]))
    target = copy.deepcopy(model)
    assert averages.is_state("model", model)
    assert averages.is_state("target", target)
    averages.has_read = True
    assert averages.is_state("target", target)
    assert not averages.is_state("kept", copy.deepcopy(model))
    assert not averages.is_state("best_model", copy.deepcopy(model))
    assert averages.is_state("late", AveragedModel(model))
