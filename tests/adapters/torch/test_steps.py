"""What makes a training step: the updates that follow from one gradient."""

from collections.abc import Iterator
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="PyTorch is an extra")

from ckptcheck.adapters.torch.observer.steps import _Steps  # noqa: E402

pytestmark = pytest.mark.torch


class Seen:
    """What an observation is told."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.losses: list[Any] = []
        self.framework = ""

    def saves(self) -> int:
        return 0

    def before(self, what: str) -> None:
        self.told.append("before")

    def updated(self) -> None:
        self.told.append("updated")

    def stepped(self, what: str, loss: Any, *_: Any) -> None:
        self.told.append("stepped")
        self.losses.append(loss)


class Gradients:
    """Whether gradients are state."""

    has_gradients = False


class Program:
    """A program whose calls are passed to the steps as the hooks would."""

    def __init__(self) -> None:
        self.seen, self.live = Seen(), Gradients()
        self.steps = _Steps(self.seen, self.live)  # type: ignore[arg-type]
        self.steps._watch_forward()

    def forward(self) -> None:
        torch.nn.Linear(1, 1)(torch.ones(1, 1))

    def backward(self, loss: float = 1.0) -> None:
        self.steps._on_backward(lambda *_: None, torch.tensor(loss))

    def update(self, optimizer: Any) -> None:
        self.steps._on_update(optimizer)
        self.steps._on_updated(optimizer)


@pytest.fixture
def program() -> Iterator[Program]:
    made = Program()
    yield made
    if made.steps._hook is not None:
        made.steps._hook.remove()


def sgd() -> Any:
    return torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], 0.1)


def test_a_step_is_told_when_the_next_one_begins(program: Program) -> None:
    program.forward()
    program.backward(2.0)
    program.update(sgd())
    assert program.seen.told == ["before", "updated"]
    program.forward()
    assert program.seen.told == ["before", "updated", "stepped", "before"]
    assert program.seen.losses == [2.0]


def test_two_optimizers_after_one_gradient_make_one_step(program: Program) -> None:
    first, second = sgd(), sgd()
    for _ in range(2):
        program.forward()
        program.backward()
        program.update(first)
        program.update(second)
    program.steps._end()
    assert program.seen.told.count("stepped") == 2


def test_each_gradient_makes_a_step(program: Program) -> None:
    first, second = sgd(), sgd()
    program.forward()
    program.backward(1.0)
    program.update(first)
    program.backward(3.0)
    program.update(second)
    program.steps._end()
    assert program.seen.losses == [1.0, 3.0]


def test_an_optimizer_that_steps_twice_makes_two_steps(program: Program) -> None:
    optimizer = sgd()
    program.update(optimizer)
    program.update(optimizer)
    program.steps._end()
    assert program.seen.told.count("stepped") == 2


def test_gradients_are_state_until_an_update_or_until_a_scaler_leaves_it_out(
    program: Program,
) -> None:
    program.forward()
    program.backward()
    assert program.live.has_gradients
    program.steps._on_scaled_step()
    assert not program.live.has_gradients
    program.forward()
    assert program.seen.told == ["before", "before"]
