"""Constants of layers that are known under different names."""

from pathlib import Path

import numpy as np

from tests.checkpoints.bundles import Value
from tests.filetools.differing import between, drawn


def keras(*kernels: int) -> dict[str, Value]:
    """Dense layers as a Keras file names them, and batch norm: fresh."""
    file: dict[str, Value] = {}
    for number in kernels:
        file[f"layers/dense_{number}/vars/0"] = drawn(4, 3, seed=number)
        file[f"layers/dense_{number}/vars/1"] = np.zeros(3, "float32")
    file["layers/norm/vars/0"] = np.ones(3, "float32")
    file["layers/norm/vars/1"] = np.zeros(3, "float32")
    return file


def bundle(*kernels: int) -> dict[str, Value]:
    """The same as a bundle names them."""
    file: dict[str, Value] = {}
    for number in kernels:
        file[f"net/dense_{number}/kernel"] = drawn(4, 3, seed=number)
        file[f"net/dense_{number}/bias"] = np.zeros(3, "float32")
    file["net/norm/gamma"] = np.ones(3, "float32")
    file["net/norm/beta"] = np.zeros(3, "float32")
    return file


def pairs(folder: Path, a: dict[str, Value], b: dict[str, Value]) -> dict[str, str]:
    return {each.a.name: each.b.name for each in between(folder, a, b).renamed}


def test_constants_of_layers(tmp_path: Path) -> None:
    assert pairs(tmp_path, keras(0, 1), bundle(0, 1)) == {
        "layers/dense_0/vars/0": "net/dense_0/kernel",
        "layers/dense_0/vars/1": "net/dense_0/bias",
        "layers/dense_1/vars/0": "net/dense_1/kernel",
        "layers/dense_1/vars/1": "net/dense_1/bias",
        # No value in this layer is distinctive: only the pattern of its name shows the match.
        "layers/norm/vars/0": "net/norm/gamma",
        "layers/norm/vars/1": "net/norm/beta",
    }


def test_no_layer_is_known(tmp_path: Path) -> None:
    a = {"layers/norm/vars/0": np.ones(3), "layers/norm/vars/1": np.zeros(3)}
    assert (
        pairs(tmp_path, {**a}, {"net/norm/gamma": np.ones(3), "net/norm/beta": np.zeros(3)}) == {}
    )


def test_two_equal_constants_of_a_layer(tmp_path: Path) -> None:
    a, b = keras(0), bundle(0)
    known = {
        "layers/dense_0/vars/0": "net/dense_0/kernel",
        "layers/dense_0/vars/1": "net/dense_0/bias",
    }
    a["layers/norm/vars/1"] = np.ones(3, "float32")
    b["net/norm/beta"] = np.ones(3, "float32")
    assert pairs(tmp_path / "on both sides", a, b) == known
    b["net/norm/beta"] = np.zeros(3, "float32")
    assert pairs(tmp_path / "on one side", a, b) == known


def test_constants_of_two_kinds(tmp_path: Path) -> None:
    """The mean of fresh batch norm is zeros, as beta is."""
    mean: Value = np.zeros(3, "float32")
    a = keras(0) | {"layers/norm/vars/moving_mean": mean}
    found = pairs(tmp_path, a, bundle(0) | {"net/norm/moving_mean": mean})
    assert found["layers/norm/vars/1"] == "net/norm/beta"
    assert found["layers/norm/vars/moving_mean"] == "net/norm/moving_mean"


def test_a_different_constant(tmp_path: Path) -> None:
    b = bundle(0) | {"net/dense_0/bias": np.ones(3, "float32")}
    assert "layers/dense_0/vars/1" not in pairs(tmp_path, keras(0), b)


def test_a_layer_in_two_places(tmp_path: Path) -> None:
    """The variables of one optimizer have two parents: the count is still the only one."""
    a: dict[str, Value] = {
        "optimizer/vars/0": np.array(3),
        "optimizer/vars/1": drawn(3),
        "optimizer/vars/2": np.float32(0.001) * np.ones((), "float32"),
    }
    b: dict[str, Value] = {
        "optimizer/count": np.array(3),
        "optimizer/rate": a["optimizer/vars/2"],
        "adam/momentum": drawn(3),
    }
    assert pairs(tmp_path / "one", a, b)["optimizer/vars/0"] == "optimizer/count"
    b["adam/count"] = np.array(3)
    assert "optimizer/vars/0" not in pairs(tmp_path / "two", a, b)
