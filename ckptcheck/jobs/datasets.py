"""Load images to train on: the shipped digits, a Keras dataset, or an `.npz` file."""

import importlib
import tempfile
import zipfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from ckptcheck.errors import NotVerifiedError, UsageError, unknown

Array = np.ndarray[Any, Any]

# Keras downloads these, and needs TensorFlow to read them.
KERAS_NAMES = ("mnist", "fashion_mnist", "cifar10")
VALIDATION_SHARE = 0.2
SMALLEST_SIDE = 4  # the article's network halves the image twice
SPLIT_SEED = 0


@dataclass(frozen=True)
class Dataset:
    """Images and labels, split into training and validation.

    Images are float32 (n, height, width, channels), labels int64 (n,).
    """

    train_images: Array
    train_labels: Array
    validation_images: Array
    validation_labels: Array
    classes: int

    def steps_per_epoch(self, batch_size: int) -> int:
        """Return the number of whole batches in the training part."""
        count = len(self.train_images)
        if count < batch_size:
            raise UsageError(
                f"batch_size={batch_size} is larger than the training part of the dataset, "
                f"{count} images. Set a smaller batch_size."
            )
        return count // batch_size

    def batch(self, step: int, batch_size: int, seed: int) -> tuple[Array, Array]:
        """Return images and labels of a training step. They depend on seed and step alone."""
        epoch, position = divmod(step, self.steps_per_epoch(batch_size))
        order = _epoch_order(len(self.train_images), seed, epoch)
        indices = order[position * batch_size : (position + 1) * batch_size]
        return self.train_images[indices], self.train_labels[indices]


@lru_cache(maxsize=2)
def _epoch_order(count: int, seed: int, epoch: int) -> Array:
    return np.random.default_rng((seed, epoch)).permutation(count)


def load(name: str) -> Dataset:
    """Load a dataset.

    Args:
        name: `digits`, `mnist`, `fashion_mnist`, `cifar10`, or the path of an `.npz` file with the
            arrays `x` and `y`.

    Raises:
        UsageError: the dataset does not exist, or the file is unusable.
        NotVerifiedError: the dataset could not be downloaded.
    """
    if name in KERAS_NAMES:
        return _split(*_fetch(name))
    if name == "digits" or name.endswith(".npz"):
        return _split(*_read(_shipped_file() if name == "digits" else Path(name)))
    raise UsageError(
        f"{unknown('dataset', name, ('digits', *KERAS_NAMES))} "
        "Or give the path of an .npz file with the arrays x and y."
    )


def _shipped_file() -> Path:
    package = Path(__file__).parents[1]
    for folder in (package / "data", package.parent / "data"):  # in a wheel, in a checkout
        if (folder / "digits.npz").is_file():
            return folder / "digits.npz"
    raise NotVerifiedError(
        f"This installation of ckptcheck lacks digits.npz, looked for beside {package}. "
        "Reinstall ckptcheck."
    )


def _fetch(name: str) -> tuple[Array, Array]:
    # Imported here: only a download needs it.
    from filelock import FileLock

    module = importlib.import_module(f"keras.datasets.{name}")
    try:
        # Runs start side by side: one downloads, and the others wait for its files.
        with FileLock(Path(tempfile.gettempdir()) / f"ckptcheck-{name}.lock"):
            (train_x, train_y), (test_x, test_y) = module.load_data()
    except Exception as error:
        raise NotVerifiedError(
            f"keras.datasets could not download the dataset {name}: {error}. Try again with a "
            "network connection, or set dataset=digits, which needs none, or dataset=FILE.npz."
        ) from error
    return np.concatenate([train_x, test_x]), np.concatenate([train_y, test_y]).reshape(-1)


def _read(path: Path) -> tuple[Array, Array]:
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            missing = {"x", "y"} - set(file.files)
            if missing:
                lacking = " and ".join(sorted(missing))
                arrays = ", ".join(sorted(file.files)) or "no array"
                raise UsageError(
                    f"The dataset {path} lacks the array {lacking}; it holds {arrays}."
                )
            images, labels = file["x"], file["y"]
    except FileNotFoundError:
        raise UsageError(f"The dataset file {path} does not exist.") from None
    except UsageError:
        raise
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, AttributeError) as error:
        raise UsageError(
            f"The dataset {path} cannot be read as an .npz file of plain arrays: {error}."
        ) from error
    wrong = _wrong_images(images) or _wrong_labels(images, labels)
    if wrong:
        raise UsageError(f"The dataset {path} cannot be used: {wrong}")
    return images, labels


def _wrong_images(x: Array) -> str | None:
    if x.dtype.kind not in "uif":
        return f"x must hold integers or floats, not {x.dtype}."
    if x.ndim not in (3, 4) or min(x.shape[1:3], default=0) < SMALLEST_SIDE or 0 in x.shape:
        return (
            f"x has the shape {x.shape}; it must be (images, height, width) or (images, height, "
            f"width, channels), height and width at least {SMALLEST_SIDE} pixels."
        )
    if not np.isfinite(x).all():
        where = tuple(int(index) for index in np.argwhere(~np.isfinite(x))[0])
        count = int((~np.isfinite(x)).sum())
        return f"x is NaN or infinite in {count} of {x.size} values, first at {where}."
    return None


def _wrong_labels(x: Array, y: Array) -> str | None:
    if y.dtype.kind not in "ui":
        return f"y must hold integer class numbers, not {y.dtype}."
    if y.shape != (len(x),):
        return f"y has the shape {y.shape}; it must be ({len(x)},), one label for each image of x."
    if len(y) < 10:
        return f"it has {len(y)} images; training and validation need at least 10."
    if y.min() < 0 or y.max() >= len(y):
        return (
            "y must hold class numbers from 0 to less than the number of images, "
            f"not {y.min()} to {y.max()}."
        )
    return None


def _split(images: Array, labels: Array) -> Dataset:
    pixels = images.astype(np.float32)
    if images.dtype.kind in "ui":
        pixels /= max(1, int(images.max()))
    if pixels.ndim == 3:
        pixels = pixels[..., np.newaxis]
    order = np.random.default_rng(SPLIT_SEED).permutation(len(pixels))
    pixels, classes = pixels[order], labels[order].astype(np.int64)
    validation = max(1, round(len(pixels) * VALIDATION_SHARE))
    return Dataset(
        pixels[validation:],
        classes[validation:],
        pixels[:validation],
        classes[:validation],
        classes=int(classes.max()) + 1,
    )
