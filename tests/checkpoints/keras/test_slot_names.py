"""The weights that the numbered variables of Keras's optimizers belong to, against Keras itself."""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ckptcheck.checkpoints import open_checkpoint
from ckptcheck.kinds import Kind
from tests.checkpoints.keras.files import weights

keras = pytest.importorskip("keras")

# Of Keras itself.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

OPTIMIZERS: dict[str, Callable[[], Any]] = {
    "Adadelta": lambda: keras.optimizers.Adadelta(),
    "Adagrad": lambda: keras.optimizers.Adagrad(),
    "Adam": lambda: keras.optimizers.Adam(),
    "Adam, amsgrad": lambda: keras.optimizers.Adam(amsgrad=True),
    "AdamW, averages": lambda: keras.optimizers.AdamW(use_ema=True),
    "Adamax": lambda: keras.optimizers.Adamax(),
    "Ftrl": lambda: keras.optimizers.Ftrl(),
    "Lamb": lambda: keras.optimizers.Lamb(gradient_accumulation_steps=2),
    "Lion": lambda: keras.optimizers.Lion(),
    "Nadam": lambda: keras.optimizers.Nadam(),
    "RMSprop": lambda: keras.optimizers.RMSprop(),
    "RMSprop, all": lambda: keras.optimizers.RMSprop(momentum=0.9, centered=True),
    "SGD, momentum": lambda: keras.optimizers.SGD(
        momentum=0.9, use_ema=True, gradient_accumulation_steps=2
    ),
    "loss scale": lambda: keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam()),
}
UNNAMED: dict[str, Callable[[], Any]] = {
    "SGD": lambda: keras.optimizers.SGD(),
    "Adafactor": lambda: keras.optimizers.Adafactor(),
    "Muon": lambda: keras.optimizers.Muon(),
}


def model(optimizer: Any) -> Any:
    """Layers of equal shapes, of which one is frozen and one nested, not in the order of their names."""
    layers = keras.layers
    inner = keras.Sequential([keras.Input((3,)), layers.Dense(3, name="nested")], name="block")
    frozen = layers.Dense(3, name="frozen", trainable=False)
    names = ("zeta", "alpha", "mu")
    some = [layers.Dense(3, name=name) for name in names]
    made = keras.Sequential(
        [keras.Input((3,)), some[0], layers.BatchNormalization(), inner, some[1], frozen, some[2]]
    )
    made.compile(optimizer, "mse")
    made.optimizer.build(made.trainable_variables)
    return made


def saved(made: Any, path: Path) -> dict[str, tuple[str, float]]:
    """Save a model in which each slot holds its own number; return the weight and role of each."""
    inner = getattr(made.optimizer, "inner_optimizer", made.optimizer)
    paths = {weight.path.replace("/", "_"): weight.path for weight in made.trainable_variables}
    slots: dict[str, tuple[str, float]] = {}
    for number, variable in enumerate(inner.variables):
        name = variable.path.rpartition("/")[2]
        weight = next((each for each in paths if name.startswith(f"{each}_")), None)
        if weight is not None:
            variable.assign(variable * 0 + number)
            slots[paths[weight] + " " + name.removeprefix(f"{weight}_")] = (paths[weight], number)
    made.save(path)
    return slots


def marked(made: Any) -> dict[float, str]:
    """Fill each trained weight with a number of its own, and return its path by the number."""
    for number, weight in enumerate(made.trainable_variables):
        weight.assign(weight * 0 + 100 + number)
    return {100.0 + number: weight.path for number, weight in enumerate(made.trainable_variables)}


@pytest.mark.parametrize("what", OPTIMIZERS)
def test_each_slot_is_named_after_its_weight(what: str, tmp_path: Path) -> None:
    made = model(OPTIMIZERS[what]())
    by_number = marked(made)
    slots = saved(made, tmp_path / "model.keras")
    found = open_checkpoint(tmp_path / "model.keras")

    def first(key: str) -> float:
        return float(found.value(found.entries[key]).reshape(-1)[0])

    named = {}
    for entry in found.entries.values():
        weight, is_slot, role = entry.name.removesuffix(")").partition(" (optimizer: ")
        if is_slot and not role.endswith("again"):
            assert entry.kind in (Kind.SLOT, Kind.SHADOW, Kind.ACCUMULATOR)
            path = by_number[first(weight)]
            named[f"{path} {role}"] = (path, first(entry.key))
    expected = {
        key.replace("accumulated_delta_var", "accumulated_delta")
        .replace("accumulated_grad", "accumulated_gradient")
        .replace("_", " "): value
        for key, value in slots.items()
    }
    assert {key.replace("_", " "): value for key, value in named.items()} == expected
    assert len(named) >= 10


@pytest.mark.parametrize("what", UNNAMED)
def test_what_is_not_known_keeps_its_number(what: str, tmp_path: Path) -> None:
    model(UNNAMED[what]()).save(tmp_path / "model.keras")
    entries = open_checkpoint(tmp_path / "model.keras").entries
    assert all(entry.name == key for key, entry in entries.items())


def test_kinds_of_a_loss_scale_optimizer(tmp_path: Path) -> None:
    model(OPTIMIZERS["loss scale"]()).save(tmp_path / "model.keras")
    kinds = {key: entry.kind for key, entry in open_checkpoint(tmp_path / "model.keras").entries.items()}  # fmt: skip
    assert [kinds[f"optimizer/vars/{number}"] for number in range(7)] == [
        Kind.COUNTER,
        Kind.HYPERPARAMETER,
        Kind.LOSS_SCALE,
        Kind.LOSS_SCALE,
        Kind.COUNTER,
        Kind.HYPERPARAMETER,
        Kind.SLOT,
    ]


FORGED: list[object] = [
    [],
    {"compile_config": 1},
    {"compile_config": {"optimizer": {"class_name": "Adam", "config": []}}},
    {"config": {"layers": [1, {"config": {"name": 3}}]}, "compile_config": {"optimizer": {"class_name": "Adam", "config": {"inner_optimizer": 2}}}},
]  # fmt: skip


@pytest.mark.parametrize("config", FORGED, ids=range(len(FORGED)))
def test_a_forged_config_names_nothing(config: object, tmp_path: Path) -> None:
    inside = weights(tmp_path / "model.weights.h5")
    with zipfile.ZipFile(tmp_path / "model.keras", "w") as file:
        file.writestr("config.json", json.dumps(config))
        file.writestr("model.weights.h5", inside.read_bytes())
    entries = open_checkpoint(tmp_path / "model.keras").entries
    assert all(entry.name == key for key, entry in entries.items())
