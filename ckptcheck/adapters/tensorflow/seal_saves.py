"""A Keras callback that seals each checkpoint after its save."""

import warnings
from pathlib import Path
from typing import Any

import keras

from ckptcheck.checkpoints.find import checkpoints_in
from ckptcheck.checkpoints.format import Location
from ckptcheck.errors import CkptcheckError
from ckptcheck.filetools.seal import seal


class SealSaves(keras.callbacks.Callback):  # type: ignore[misc]
    """Seals what `fit` saves into a folder: `ckptcheck fsck` then finds any flipped bit.

    Put it behind the callback that saves, such as ModelCheckpoint. After each epoch, it looks for
    checkpoints that are new or changed, in subfolders, too. Those from before the training are left
    alone. What cannot be sealed is a warning: the training goes on.

    Args:
        folder: where the checkpoints are saved.
        each_batch: also look after each batch, as `ModelCheckpoint(save_freq=N)` needs.
    """

    def __init__(self, folder: str | Path, *, each_batch: bool = False) -> None:
        super().__init__()
        self._folder, self._each_batch = Path(folder), each_batch
        self._known: dict[Path, object] = {}
        self._sealed = 0

    def on_train_begin(self, logs: Any = None) -> None:
        """Note the checkpoints that are there already."""
        self._known = {each.path: _written(each) for each in self._saved()}

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Seal what was saved, if each batch may save."""
        if self._each_batch:
            self._seal()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Seal what was saved."""
        self._seal()

    def on_train_end(self, logs: Any = None) -> None:
        """Seal what was saved at the end; warn if nothing ever was."""
        self._seal()
        if not self._sealed:
            warnings.warn(f"SealSaves has seen no save in {self._folder}.", stacklevel=2)

    def _saved(self) -> list[Location]:
        if not self._folder.is_dir():
            return []
        folders = (self._folder, *(each for each in self._folder.rglob("*") if each.is_dir()))
        return [location for folder in folders for location in checkpoints_in(folder)]

    def _seal(self) -> None:
        for location in self._saved():
            written = _written(location)
            if self._known.get(location.path) == written:
                continue
            self._known[location.path] = written
            try:
                seal(location.path)
                self._sealed += 1
            except (CkptcheckError, OSError) as error:
                warnings.warn(f"{location.path} is not sealed: {error}", stacklevel=2)


def _written(location: Location) -> tuple[object, ...]:
    """Return when the files of a checkpoint were written, and their sizes."""
    files = sorted(location.format.files(location.path))
    return tuple((file, file.stat().st_mtime_ns, file.stat().st_size) for file in files)
