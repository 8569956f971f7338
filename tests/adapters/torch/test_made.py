"""Whatever holds state is noted when it is made, in each way to make it."""

import copy
import gc
import pickle
from collections.abc import Callable
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="PyTorch is an extra")

from torch import nn  # noqa: E402

from ckptcheck.adapters.torch.observer import made  # noqa: E402

pytestmark = pytest.mark.torch


def new(make: Callable[[], Any]) -> list[Any]:
    """Return what is noted while something is made, and the thing itself last."""
    before = {id(each) for each in made.alive()}
    item = make()
    return [*(each for each in made.alive() if id(each) not in before), item]


class Given(nn.Module):  # type: ignore[misc]
    """A module with arguments of its own."""

    def __init__(self, size: int, *, bias: bool) -> None:
        super().__init__()
        self.layer = nn.Linear(size, size, bias=bias)


class Listed(nn.Module, list[int]):  # type: ignore[misc]
    """A module that is a list, too: another class makes it."""


def sgd() -> Any:
    return torch.optim.SGD([nn.Parameter(torch.ones(1))], 0.1)


def test_a_module_and_its_parts() -> None:
    *noted, whole = new(lambda: Given(2, bias=False))
    assert noted == [whole, whole.layer]


@pytest.mark.parametrize(
    "copied", [copy.copy, copy.deepcopy, lambda it: pickle.loads(pickle.dumps(it))]
)
def test_a_copy(copied: Callable[[Any], Any]) -> None:
    module = nn.ReLU()
    noted, item = new(lambda: copied(module))
    assert noted is item
    assert noted is not module


def test_a_module_of_two_bases() -> None:
    noted, item = new(Listed)
    assert noted is item


def test_optimizers_and_scalers() -> None:
    for make in (sgd, lambda: torch.amp.GradScaler("cpu")):
        noted, item = new(make)
        assert noted is item


def test_schedulers_that_do_not_call_their_base() -> None:
    kinds = torch.optim.lr_scheduler
    optimizer = sgd()
    parts = [kinds.LinearLR(optimizer), kinds.LinearLR(optimizer)]
    for make in (
        lambda: kinds.SequentialLR(optimizer, list(parts), milestones=[2]),
        lambda: kinds.ChainedScheduler(list(parts)),
        lambda: kinds.ReduceLROnPlateau(optimizer),
    ):
        noted, item = new(make)
        assert noted is item


def test_garbage_is_gone() -> None:
    (gone,) = {id(each) for each in new(nn.ReLU)}
    gc.collect()
    assert gone not in {id(each) for each in made.alive()}


def test_what_was_made_before_the_watch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(made, "_made", {})
    module = nn.ReLU()
    made._made.clear()
    made.note_existing()
    made.note_existing()
    assert [each for each in made.alive() if each is module] == [module]


def test_wrong_arguments_raise_as_before() -> None:
    with pytest.raises(TypeError, match=r"Given\.__init__\(\) missing 1 required positional"):
        Given(bias=True)  # type: ignore[call-arg]


def test_a_compiled_function_may_make_modules() -> None:
    def step(value: Any) -> Any:
        return nn.Softplus()(value)

    compiled = torch.compile(step, fullgraph=True, backend="eager")
    assert torch.equal(compiled(torch.ones(2)), step(torch.ones(2)))
