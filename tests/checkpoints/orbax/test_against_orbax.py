"""What Orbax saves is read as Orbax restores it, bit for bit; a seal does not disturb it."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ckptcheck.checkpoints import find, open_checkpoint
from ckptcheck.filetools.fsck import fsck
from ckptcheck.filetools.seal import seal

pytestmark = [
    pytest.mark.torch,  # of the session that has frameworks beside TensorFlow
    pytest.mark.filterwarnings("default"),
]

TYPES = [
    *("bool", "int8", "int16", "int32", "uint8", "uint16", "uint32", "float16", "float32"),
    *("complex64", "bfloat16", "int4", "float8_e4m3fn", "float8_e5m2"),
]
WAYS: dict[str, dict[str, bool]] = {
    "OCDBT": {},
    "OCDBT of zarr3": {"use_zarr3": True},
    "zarr": {"use_ocdbt": False},
    "zarr3": {"use_ocdbt": False, "use_zarr3": True},
}


@pytest.fixture(scope="module")
def orbax() -> Any:
    os.environ["JAX_PLATFORMS"] = "cpu"
    os.environ["XLA_FLAGS"] = "--xla_force_host_platform_device_count=4"
    return pytest.importorskip("orbax.checkpoint")


def tree() -> dict[str, Any]:
    import jax
    import jax.numpy as jnp
    from jax.sharding import Mesh, NamedSharding, PartitionSpec

    mesh = Mesh(np.array(jax.devices()).reshape(2, 2), ("x", "y"))
    whole = jnp.arange(4096.0).reshape(64, 64)
    sharded = NamedSharding(mesh, PartitionSpec("x", "y"))
    raw = np.random.default_rng(0).integers(0, 2, (3, 5))
    return {
        "params": {
            "sharded": jax.device_put(whole, sharded),
            "copied": jax.device_put(whole, NamedSharding(mesh, PartitionSpec())),
            "layers": [jnp.ones(3), (jnp.zeros(2), jnp.ones(()))],
            "mlp/~/linear": {"w": jnp.ones(2)},
        },
        "many": {name: jnp.asarray(raw, name) for name in TYPES},
        "one": {name: jnp.asarray(1, name) for name in TYPES},
        "numpy": np.arange(5.0),
        "step": 3,
        "rate": 0.1,
        "name": "run",
        "empty": {},
        "nothing": None,
    }


def leaves(restored: Any) -> dict[str, Any]:
    import jax

    flat = jax.tree_util.tree_flatten_with_path(restored)[0]
    return {
        "/".join(str(getattr(key, "key", getattr(key, "idx", ""))) for key in path): value
        for path, value in flat
    }


@pytest.mark.parametrize("way", WAYS)
def test_values_are_those_that_orbax_restores(way: str, orbax: Any, tmp_path: Path) -> None:
    orbax.PyTreeCheckpointer(**WAYS[way]).save(tmp_path / "saved", tree())
    restored = leaves(orbax.PyTreeCheckpointer().restore(tmp_path / "saved"))
    opened = open_checkpoint(tmp_path / "saved")
    assert opened.entries.keys() == restored.keys()
    for key, value in restored.items():
        entry = opened.entries[key]
        if isinstance(value, str):
            assert opened.texts(entry) == [value.encode()]
            continue
        array, expected = opened.value(entry), np.asarray(value)
        assert (array.dtype, array.shape) == (expected.dtype, expected.shape)
        assert array.tobytes() == expected.tobytes()
    assert fsck(tmp_path).findings == ()


def test_a_manager_does_not_stumble_over_seals(orbax: Any, tmp_path: Path) -> None:
    import jax.numpy as jnp

    def manager() -> Any:
        return orbax.CheckpointManager(
            tmp_path, options=orbax.CheckpointManagerOptions(max_to_keep=2)
        )

    def save(*steps: int) -> None:
        with manager() as opened:
            for step in steps:
                opened.save(step, args=orbax.args.StandardSave({"w": jnp.full(3, step)}))

    save(1, 2)
    assert find(tmp_path).path == tmp_path / "2"
    for step in ("1", "2"):
        seal(tmp_path / step)
        seal(tmp_path / step / "default")
    assert fsck(tmp_path).findings == ()
    with manager() as opened:
        assert (list(opened.all_steps()), opened.latest_step()) == ([1, 2], 2)
        assert opened.restore(2, args=orbax.args.StandardRestore())["w"].tolist() == [2, 2, 2]
    save(3, 4)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["3", "4"]


@pytest.mark.parametrize(
    "lost", ["10/default/_METADATA", "10/default/manifest.ocdbt", "10/default"]
)
def test_an_incomplete_step_raises_as_is_said(lost: str, orbax: Any, tmp_path: Path) -> None:
    import shutil

    import jax.numpy as jnp

    with orbax.CheckpointManager(tmp_path) as opened:
        for step in (9, 10):
            opened.save(step, args=orbax.args.StandardSave({"w": jnp.full(3, step)}))
    path = tmp_path / lost
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    effect = "CheckpointManager.latest_step() returns 10, and restore raises"
    assert effect in [each.effect for each in fsck(tmp_path).findings]
    with orbax.CheckpointManager(tmp_path) as opened:
        assert opened.latest_step() == 10
        with pytest.raises((ValueError, FileNotFoundError)):
            opened.restore(10, args=orbax.args.StandardRestore())
    assert find(tmp_path).path == tmp_path / "9"
