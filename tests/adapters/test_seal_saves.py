"""What `fit` saves is sealed, and nothing else."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from ckptcheck.adapters.keras import SealSaves
from ckptcheck.filetools.fsck import fsck

# Keras' own, with NumPy 2.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

X, Y = np.ones((8, 2), np.float32), np.ones((8, 1), np.float32)


def fitted(folder: Path, save: Any, epochs: int = 2, **options: Any) -> None:
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("adam", "mse")
    callbacks = [save, SealSaves(folder, **options)]
    model.fit(X, Y, batch_size=4, epochs=epochs, verbose=0, callbacks=callbacks)


def seals_in(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.glob(".*"))


def test_each_save_is_sealed(tmp_path: Path) -> None:
    name = str(tmp_path / "e{epoch}.weights.h5")
    fitted(tmp_path, keras.callbacks.ModelCheckpoint(name, save_weights_only=True))
    assert seals_in(tmp_path) == [".e1.weights.h5.seal.json", ".e2.weights.h5.seal.json"]
    assert fsck(tmp_path).findings == ()


def test_a_file_that_is_saved_again_is_sealed_again(tmp_path: Path) -> None:
    fitted(tmp_path, keras.callbacks.ModelCheckpoint(str(tmp_path / "m.keras")), epochs=3)
    check = fsck(tmp_path)
    assert (check.findings, check.notes) == ((), ("1 checkpoint compared with 1 seal.",))


def test_saves_between_epochs(tmp_path: Path) -> None:
    sealed_within: list[list[str]] = []

    class Look(keras.callbacks.Callback):  # type: ignore[misc]
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            sealed_within.append(seals_in(tmp_path))

    name = str(tmp_path / "b{batch}.weights.h5")
    save = keras.callbacks.ModelCheckpoint(name, save_weights_only=True, save_freq=1)
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("adam", "mse")
    callbacks = [save, SealSaves(tmp_path, each_batch=True), Look()]
    model.fit(X, Y, batch_size=4, verbose=0, callbacks=callbacks)
    assert list(map(len, sealed_within)) == [1, 2]


def test_what_was_there_before_is_left_alone(tmp_path: Path) -> None:
    keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]).save(tmp_path / "old.keras")
    fitted(tmp_path, keras.callbacks.ModelCheckpoint(str(tmp_path / "new.keras")))
    assert seals_in(tmp_path) == [".new.keras.seal.json"]


def test_subfolders_and_what_cannot_be_sealed(tmp_path: Path) -> None:
    class Torn(keras.callbacks.Callback):  # type: ignore[misc]
        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            (tmp_path / "other.h5").write_bytes(b"torn")

    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("adam", "mse")
    (tmp_path / "1").mkdir()
    save = keras.callbacks.ModelCheckpoint(str(tmp_path / "{epoch}" / "m.keras"))
    with pytest.warns(UserWarning, match=r"other\.h5 is not sealed: "):
        model.fit(X, Y, verbose=0, callbacks=[Torn(), save, SealSaves(tmp_path)])
    assert seals_in(tmp_path / "1") == [".m.keras.seal.json"]


def test_a_folder_without_saves(tmp_path: Path) -> None:
    save = keras.callbacks.ModelCheckpoint(str(tmp_path / "m.keras"))
    nowhere = tmp_path / "elsewhere"
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("adam", "mse")
    with pytest.warns(UserWarning, match=r"^SealSaves has seen no save in .*elsewhere\.$"):
        model.fit(X, Y, verbose=0, callbacks=[save, SealSaves(nowhere)])
