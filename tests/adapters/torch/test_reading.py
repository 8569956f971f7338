"""What must not stop the reading of a program: lazy layers, meta, vmap, emptied optimizers, odd keys."""

from collections import defaultdict
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is an extra")

from ckptcheck.adapters.torch.observer.averages import is_called_average  # noqa: E402
from ckptcheck.adapters.torch.observer.batches import recorded  # noqa: E402
from ckptcheck.adapters.torch.observer.live import Live  # noqa: E402
from ckptcheck.kinds import Kind  # noqa: E402
from ckptcheck.observer.program import Program  # noqa: E402

pytestmark = pytest.mark.torch


def live() -> Live:
    return Live(Program(), is_accumulating=False)


def test_layers_without_values_are_left_out(main: Any) -> None:
    main.lazy = torch.nn.LazyLinear(2)
    main.meta = torch.nn.Linear(2, 2, device="meta")
    main.ema = {"weight": torch.ones(2, 2)}
    main.model = torch.nn.Linear(2, 2, bias=False)
    reading = live()
    reading.poison(1, ())
    assert not [name for name in reading.read().tensors if name.startswith(("lazy", "meta"))]


def test_a_batch_within_vmap_is_not_seen() -> None:
    seen = []

    def one(x: Any) -> Any:
        seen.append(recorded([x]))
        return x * 2

    torch.func.vmap(one)(torch.ones(3, 2))
    assert seen == [[]]


def test_an_optimizer_that_the_program_empties(main: Any) -> None:
    main.model = torch.nn.Linear(2, 2)
    main.optimizer = torch.optim.Adam(main.model.parameters())
    main.model(torch.ones(1, 2)).sum().backward()
    main.optimizer.step()
    reading = live().read()
    main.optimizer.state = defaultdict(dict)
    assert not [name for name in reading.again() if name.endswith("exp_avg")]
    assert not main.optimizer.state  # to look changes nothing


class Task:
    def __repr__(self) -> str:
        raise AssertionError("the program's code is called")


def test_keys_of_own_classes_are_named_by_their_class(main: Any) -> None:
    main.models = {Task(): torch.nn.Linear(1, 1)}
    assert "models[Task]/weight" in live().read().tensors


def test_generators_of_numpy_in_variables_and_data(main: Any) -> None:
    class Data:
        rng: Any

        def __init__(self) -> None:
            self.rng = np.random.default_rng(0)

        def __len__(self) -> int:
            return 1

    main.rng = np.random.default_rng(1)
    main.loader = torch.utils.data.DataLoader(Data())
    before = live().read().tensors
    main.loader.dataset.rng.random()
    after = live().read().tensors
    assert before["random/numpy/rng"].kind is Kind.RNG
    name = "random/numpy/loader.dataset.rng"
    assert before[name].value.tolist() != after[name].value.tolist()
    assert before["random/numpy/rng"].value.tolist() == after["random/numpy/rng"].value.tolist()


@pytest.mark.parametrize(
    ("name", "is_one"), [("ema_fold", True), ("ema_old", False), ("ema_init", False)]
)
def test_whole_words_put_an_average_aside(name: str, is_one: bool) -> None:
    assert is_called_average(name) == is_one
