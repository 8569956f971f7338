"""The array digests of a Keras file."""

from pathlib import Path

import keras
import numpy as np
import pytest

from ckptcheck.adapters.tensorflow.contents import values_in
from ckptcheck.checkpoints import open_checkpoint
from ckptcheck.run.digests import digest

# Keras' variables do not say whether they copy.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("files")
    layers = [
        keras.layers.Dense(4),
        keras.layers.BatchNormalization(),
        keras.layers.Dropout(0.5),
        keras.layers.Dense(1),
    ]
    model = keras.Sequential([keras.Input((6,)), *layers])
    model.compile(keras.optimizers.Adam(use_ema=True), "mse")
    draw = np.random.default_rng(0)
    model.fit(draw.normal(size=(8, 6)), draw.normal(size=(8, 1)), verbose=0)
    model.save(folder / "model.keras")
    model.save_weights(folder / "model.weights.h5")
    return [folder / "model.keras", folder / "model.weights.h5"]


@pytest.mark.parametrize("which", [0, 1], ids=["keras", "weights"])
def test_our_reader_finds_the_same(which: int, files: list[Path]) -> None:
    checkpoint = open_checkpoint(files[which])
    values = [digest(checkpoint.value(entry)) for entry in checkpoint.entries.values()]
    assert sorted(values_in(files[which])) == sorted(values)
    assert len(values) > 20


def test_a_missing_file_has_no_digests(tmp_path: Path) -> None:
    assert values_in(tmp_path / "latest.weights.h5") == []
