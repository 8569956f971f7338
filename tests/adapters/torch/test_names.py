"""Modules and optimizers have the names of the variables that hold them."""

import copy
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="PyTorch is an extra")

from ckptcheck.adapters.torch.observer.names import holders  # noqa: E402
from ckptcheck.observer.program import Program  # noqa: E402

pytestmark = pytest.mark.torch


def named(kind: type = torch.nn.Linear) -> dict[str, Any]:
    """Return what is named, of the kinds that these tests make: libraries may hold others."""
    return {name: item for name, item in holders(Program()).items() if isinstance(item, kind)}


def hiding(held: Any) -> Any:
    """Return a function that alone holds something: functions are not followed."""
    return lambda: held


class Trainer:
    """A class of the program's own."""

    def __init__(self) -> None:
        self.generator = torch.nn.Linear(1, 1)
        self.networks = {"critic": torch.nn.Linear(1, 1)}


def test_a_variable(main: Any) -> None:
    main.model = torch.nn.Linear(1, 1)
    assert named() == {"model": main.model}


def test_a_local_variable_of_a_running_function(main: Any) -> None:
    def train() -> dict[str, Any]:
        local = torch.nn.Linear(1, 1)
        return {name: found is local for name, found in named().items()}

    assert train() == {"local": True}


def test_a_model_has_one_name_in_its_step_and_outside(main: Any) -> None:
    """Lightning calls `training_step` of the model, whose `self` is a local variable, too."""

    class Regression(torch.nn.Linear):  # type: ignore[misc, name-defined]
        def training_step(self) -> list[str]:
            return list(named(Regression))

    def train(model: Regression) -> tuple[list[str], list[str]]:
        return list(named(Regression)), model.training_step()

    assert train(Regression(1, 1)) == (["model"], ["model"])


def test_attributes_and_what_they_hold(main: Any) -> None:
    main.trainer = Trainer()
    assert set(named()) == {"trainer.generator", "trainer.networks['critic']"}


def test_lists(main: Any) -> None:
    main.models = [torch.nn.Linear(1, 1), torch.nn.Linear(1, 1)]
    main.pair = (torch.nn.Linear(1, 1),)
    assert named() == {
        "models[0]": main.models[0],
        "models[1]": main.models[1],
        "pair[0]": main.pair[0],
    }


def test_a_part_of_a_module_is_named_by_the_module(main: Any) -> None:
    main.head = torch.nn.Linear(1, 1)
    main.model = torch.nn.Sequential(main.head)
    assert named(torch.nn.Module) == {"model": main.model}


def test_a_deep_copy_is_a_module_of_its_own(main: Any) -> None:
    main.model = torch.nn.Linear(1, 1)
    main.target = copy.deepcopy(main.model)
    assert named() == {"model": main.model, "target": main.target}


def test_two_variables_of_one_module(main: Any) -> None:
    main.model = main.net = torch.nn.Linear(1, 1)
    assert named() == {"model": main.model}


def test_the_way_without_private_names_counts(main: Any) -> None:
    class Engine:
        pass

    model, main.a = torch.nn.Linear(1, 1), Engine()
    main.trainer = Trainer()
    main.a._models, main.trainer.model = [model], model
    assert "trainer.model" in named()
    main.net = model
    assert "net" in named()


def test_a_local_variable_of_the_outermost_function(main: Any) -> None:
    def forward(inner: Any) -> set[str]:
        return set(named())

    def run() -> set[str]:
        model = Trainer()
        return forward(model)

    assert run() == {"model.generator", "model.networks['critic']"}


def wrapped(inner: Any) -> Any:
    """Return a wrapper of an optimizer that has no state of its own, as `AcceleratedOptimizer`."""
    shown = {
        "__init__": lambda self: None,
        "state": property(lambda self: inner.state),
        "param_groups": property(lambda self: inner.param_groups),
    }
    return type("Wrapper", (torch.optim.Optimizer,), shown)()


class SchedulerWrapper:
    """Wraps a scheduler, as `AcceleratedScheduler` does."""

    def __init__(self, scheduler: Any) -> None:
        self.scheduler = scheduler


def test_a_wrapper_of_an_optimizer_is_that_optimizer(main: Any) -> None:
    inner = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], 0.1)
    main.optimizer = wrapped(inner)
    main.scheduler = SchedulerWrapper(torch.optim.lr_scheduler.StepLR(inner, 1))
    held = {name: each for name, each in holders(Program()).items() if "inear" not in name}
    assert held["optimizer"] is inner
    assert [name for name, each in held.items() if isinstance(each, torch.optim.Optimizer)] == [
        "optimizer"
    ]
    assert "scheduler" in held


def test_what_no_variable_leads_to_is_named_by_its_class(main: Any) -> None:
    main.hidden = hiding([torch.nn.Linear(1, 1), torch.nn.Linear(1, 1)])
    assert set(named()) == {"Linear", "Linear_1"}


def test_every_kind(main: Any) -> None:
    main.model = torch.nn.Linear(1, 1)
    main.optimizer = torch.optim.SGD(main.model.parameters(), 0.1)
    main.scheduler = torch.optim.lr_scheduler.StepLR(main.optimizer, 1)
    main.scaler = torch.amp.GradScaler("cpu")
    main.loader = torch.utils.data.DataLoader([1.0])
    main.order = torch.Generator()
    expected = dict(vars(main))
    assert {name: item for name, item in holders(Program()).items() if name in expected} == {
        name: item for name, item in expected.items() if not name.startswith("__")
    }
