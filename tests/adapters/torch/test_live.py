"""The live state of a process, by name and kind."""

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is an extra")

from torch.optim.swa_utils import AveragedModel  # noqa: E402

from ckptcheck.adapters.torch.observer.live import Live  # noqa: E402
from ckptcheck.kinds import Kind  # noqa: E402
from ckptcheck.observer.program import Program  # noqa: E402
from ckptcheck.run.digests import digest  # noqa: E402

pytestmark = pytest.mark.torch


def live() -> Live:
    return Live(Program(), is_accumulating=False)


def kinds(holder: str) -> dict[str, Kind]:
    """Return the kinds of what belongs to a variable, by the rest of its name."""
    read = live().read().tensors
    return {
        name.removeprefix(f"{holder}/"): tensor.kind
        for name, tensor in read.items()
        if name.startswith(f"{holder}/")
    }


def value(name: str) -> Any:
    return live().read().tensors[name].value.tolist()


def trained(model: Any, optimizer: Any) -> None:
    model(torch.ones(2, 2)).sum().backward()
    optimizer.step()


def test_a_module(main: Any) -> None:
    main.model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.BatchNorm1d(2))
    main.model.register_buffer("mask", torch.ones(2), persistent=False)
    assert kinds("model") == {
        "0.weight": Kind.WEIGHT,
        "0.bias": Kind.WEIGHT,
        "1.weight": Kind.WEIGHT,
        "1.bias": Kind.WEIGHT,
        "mask": Kind.OTHER,
        "1.running_mean": Kind.MOVING_STATISTIC,
        "1.running_var": Kind.MOVING_STATISTIC,
        "1.num_batches_tracked": Kind.MOVING_STATISTIC,
    }
    assert value("model/1.running_var") == [1.0, 1.0]


def test_tied_weights_count_once(main: Any) -> None:
    main.model = torch.nn.Sequential(torch.nn.Linear(2, 2, bias=False), torch.nn.Linear(2, 2))
    main.model[1].weight = main.model[0].weight
    assert set(kinds("model")) == {"0.weight", "1.bias"}


def test_averages(main: Any) -> None:
    main.model = torch.nn.Linear(2, 1)
    main.optimizer = torch.optim.SGD(main.model.parameters(), 0.5)
    main.averaged = AveragedModel(main.model)
    found = kinds("averaged")
    assert found.pop("n_averaged") in (Kind.SHADOW, Kind.OTHER)  # once it has averaged, a shadow
    assert found == {
        "module.weight": Kind.SHADOW,
        "module.bias": Kind.SHADOW,
    }


def test_an_optimizer(main: Any) -> None:
    main.model = torch.nn.Linear(2, 1, bias=False)
    main.optimizer = torch.optim.Adam(main.model.parameters(), 0.5, betas=(0.5, 0.75))
    assert "weight/step" not in kinds("optimizer")
    trained(main.model, main.optimizer)
    found = kinds("optimizer")
    assert {name: kind for name, kind in found.items() if name.startswith("weight/")} == {
        "weight/step": Kind.COUNTER,
        "weight/exp_avg": Kind.SLOT,
        "weight/exp_avg_sq": Kind.SLOT,
    }
    assert found["group 0/lr"] is Kind.HYPERPARAMETER
    assert value("optimizer/group 0/lr") == 0.5
    assert [value(f"optimizer/group 0/betas[{place}]") for place in (0, 1)] == [0.5, 0.75]
    assert value("optimizer/weight/step") == 1.0
    assert live().counts() == {"iterations": 1}


def test_an_optimizer_that_does_not_count(main: Any) -> None:
    main.model = torch.nn.Linear(2, 1)
    main.optimizer = torch.optim.SGD(main.model.parameters(), 0.5, momentum=0.5)
    trained(main.model, main.optimizer)
    assert kinds("optimizer")["bias/momentum_buffer"] is Kind.SLOT
    assert live().counts() == {}


def test_parameters_of_no_module(main: Any) -> None:
    main.free = torch.nn.Parameter(torch.ones(2))
    main.optimizer = torch.optim.Adam([main.free])
    main.free.sum().backward()
    main.optimizer.step()
    assert kinds("optimizer")["parameter 0/exp_avg"] is Kind.SLOT


def test_a_scheduler(main: Any) -> None:
    main.model = torch.nn.Linear(2, 1)
    main.optimizer = torch.optim.SGD(main.model.parameters(), 0.5)
    main.scheduler = torch.optim.lr_scheduler.StepLR(main.optimizer, 3, gamma=0.5)
    found = kinds("scheduler")
    assert found["last_epoch"] is Kind.COUNTER
    assert "_step_count" not in found  # it follows from the last epoch
    assert found["gamma"] is found["base_lrs[0]"] is Kind.HYPERPARAMETER
    assert value("scheduler/base_lrs[0]") == 0.5


def test_a_gradient_scaler(main: Any) -> None:
    main.scaler = torch.amp.GradScaler("cpu", init_scale=8.0, growth_interval=5)
    assert set(kinds("scaler").values()) == {Kind.LOSS_SCALE}
    assert value("scaler/scale") == 8.0
    assert value("scaler/_growth_tracker") == 0


def test_generators(main: Any) -> None:
    main.order = torch.Generator()
    main.loader = torch.utils.data.DataLoader([1.0], generator=torch.Generator(), shuffle=True)
    read = live().read().tensors
    found = {name.removeprefix("random/") for name in read if name.startswith("random/")}
    assert {"torch", "python", "numpy", "order", "loader.generator"} <= found
    assert {read[f"random/{name}"].kind for name in found} == {Kind.RNG}


DRAWS: dict[str, Callable[[Any], object]] = {
    "torch": lambda main: torch.rand(1),
    "python": lambda main: random.random(),
    "numpy": lambda main: np.random.rand(),
    "order": lambda main: torch.rand(1, generator=main.order),
}


def test_the_generator_of_a_loader_keeps_its_name(main: Any) -> None:
    """An iterator that has begun holds it, too."""
    draw = torch.Generator()
    main.loader = torch.utils.data.DataLoader([1, 2], shuffle=True, generator=draw)
    main.batches = iter(main.loader)
    names = [name for name in live().read().tensors if "enerator" in name]
    assert names == ["random/loader.generator"]


@pytest.mark.parametrize("name", DRAWS)
def test_a_draw_moves_its_generator_alone(name: str, main: Any) -> None:
    main.order = torch.Generator()
    before = live().read().tensors
    DRAWS[name](main)
    after = live().read().tensors
    assert [
        each
        for each in DRAWS
        if digest(before[f"random/{each}"].value) != digest(after[f"random/{each}"].value)
    ] == [name]


def test_a_reading_draws_nothing_and_changes_nothing(main: Any) -> None:
    main.model = torch.nn.Linear(2, 1)
    before = torch.get_rng_state()
    live().read()
    assert torch.equal(torch.get_rng_state(), before)


def test_what_was_read_is_read_again_from_where_it_is_now(main: Any) -> None:
    main.model = torch.nn.Linear(2, 1, bias=False)
    reading = live().read()
    main.model.weight = torch.nn.Parameter(torch.full((1, 2), 3.0))
    assert reading.again()["model/weight"].value.tolist() == [[3.0, 3.0]]


def test_noise_spares_what_was_restored_and_what_is_frozen(main: Any) -> None:
    main.model = torch.nn.Sequential(*(torch.nn.Linear(2, 2) for _ in range(3)))
    main.model[1].requires_grad_(False)
    before = {name: tensor.detach().clone() for name, tensor in main.model.named_parameters()}
    restored = digest(main.model[2].weight.detach().numpy())
    live().poison(0, {restored})
    assert {
        name
        for name, tensor in main.model.named_parameters()
        if not torch.equal(tensor, before[name])
    } == {"0.weight", "0.bias", "2.bias"}


def test_noise_is_the_same_in_every_process(main: Any) -> None:
    main.model = torch.nn.Linear(2, 2)
    zeros = {name: torch.zeros_like(each) for name, each in main.model.named_parameters()}
    seen = []
    for _ in range(2):
        main.model.load_state_dict(zeros)
        live().poison(3, ())
        seen.append(main.model.weight.tolist())
    assert seen[0] == seen[1]
