"""Datasets: the shipped digits, a user's own file, and the errors about it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from filelock import FileLock, Timeout

from ckptcheck.errors import NotVerifiedError, UsageError
from ckptcheck.jobs.datasets import load

X, Y = np.zeros((12, 8, 8), np.uint8), np.arange(12) % 3


def test_the_split_of_digits() -> None:
    data = load("digits")
    assert data.train_images.shape == (1438, 8, 8, 1)
    assert data.validation_images.shape == (359, 8, 8, 1)
    assert (data.train_images.dtype, data.train_labels.dtype, data.classes) == (
        np.float32,
        np.int64,
        10,
    )
    assert (data.train_images.min(), data.train_images.max()) == (0, 1)
    assert set(np.bincount(data.validation_labels) > 20) == {True}


def test_a_batch_is_a_function_of_seed_and_step() -> None:
    data, again = load("digits"), load("digits")
    forwards = [data.batch(step, 32, 0)[0] for step in range(90)]
    backwards = [again.batch(step, 32, 0)[0] for step in reversed(range(90))][::-1]
    assert all(np.array_equal(*pair) for pair in zip(forwards, backwards, strict=True))
    assert not np.array_equal(forwards[0], data.batch(0, 32, 1)[0])
    assert not np.array_equal(forwards[0], forwards[44])  # the next epoch has a different order


def test_an_epoch_has_every_image_once() -> None:
    data = load("digits")
    images = np.concatenate([data.batch(step, 32, 5)[0] for step in range(44)]).reshape(44 * 32, -1)
    every = data.train_images.reshape(1438, -1)
    assert len(np.unique(images, axis=0)) >= len(np.unique(every, axis=0)) - 30
    assert data.steps_per_epoch(32) == 44


def save(folder: Path, **arrays: Any) -> str:
    np.savez(folder / "mine.npz", **arrays)
    return str(folder / "mine.npz")


def test_a_users_own_file(tmp_path: Path) -> None:
    data = load(save(tmp_path, x=np.full((12, 8, 9, 3), 255, np.uint8), y=Y))
    assert data.train_images.shape == (10, 8, 9, 3)
    assert data.validation_images.shape == (2, 8, 9, 3)
    assert (data.train_images.max(), data.classes) == (1.0, 3)
    assert load(save(tmp_path, x=np.full((12, 8, 9), 7.5), y=Y)).train_images.max() == 7.5


NOT_FINITE = np.zeros((12, 8, 8))
NOT_FINITE[3, 4, 5] = np.nan


@pytest.mark.parametrize(
    ("arrays", "text"),
    [
        ({"x": X}, "The dataset {path} lacks the array y; it holds x."),
        ({"images": X, "y": Y}, "The dataset {path} lacks the array x; it holds images, y."),
        ({"x": X.astype(str), "y": Y}, "x must hold integers or floats, not <U3."),
        (
            {"x": X[0], "y": Y},
            "x has the shape (8, 8); it must be (images, height, width) or (images, height, width, channels), height and width "
            "at least 4 pixels.",
        ),
        (
            {"x": X[:, :2], "y": Y},
            "x has the shape (12, 2, 8); it must be (images, height, width) or (images, height, width, channels), height and "
            "width at least 4 pixels.",
        ),
        (
            {"x": NOT_FINITE, "y": Y},
            "x is NaN or infinite in 1 of 768 values, first at (3, 4, 5).",
        ),
        ({"x": X, "y": Y * 1.0}, "y must hold integer class numbers, not float64."),
        (
            {"x": X, "y": Y[:5]},
            "y has the shape (5,); it must be (12,), one label for each image of x.",
        ),
        (
            {"x": X[:4], "y": Y[:4]},
            "it has 4 images; training and validation need at least 10.",
        ),
        (
            {"x": X, "y": Y - 1},
            "y must hold class numbers from 0 to less than the number of images, not -1 to 1.",
        ),
        (
            {"x": X, "y": Y * 10**9},
            "y must hold class numbers from 0 to less than the number of images, not 0 to 2000000000.",
        ),
    ],
)
def test_a_file_that_cannot_be_used(arrays: dict[str, Any], text: str, tmp_path: Path) -> None:
    path = save(tmp_path, **arrays)
    with pytest.raises(UsageError) as caught:
        load(path)
    message = text if "{path}" in text else "The dataset {path} cannot be used: " + text
    assert str(caught.value) == message.format(path=path)


@pytest.mark.parametrize("content", [b"", b"not a zip", b"PK\x03\x04 torn"])
def test_a_file_that_is_no_npz(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "bad.npz").write_bytes(content)
    with pytest.raises(
        UsageError, match=r"bad\.npz cannot be read as an \.npz file of plain arrays: "
    ):
        load(str(tmp_path / "bad.npz"))


def test_no_code_is_run_from_a_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="allow_pickle=False"):
        load(save(tmp_path, x=np.array([print], object), y=Y))


def test_missing_file_and_unknown_name() -> None:
    with pytest.raises(UsageError) as caught:
        load("no/such.npz")
    assert str(caught.value) == "The dataset file no/such.npz does not exist."
    with pytest.raises(UsageError) as caught:
        load("digit")
    assert str(caught.value) == (
        "There is no dataset called 'digit'. Did you mean digits? Known: cifar10, digits, fashion_mnist, mnist. "
        "Or give the path of an .npz file with the arrays x and y."
    )


def test_a_download_without_network(monkeypatch: pytest.MonkeyPatch) -> None:
    class Offline:
        @staticmethod
        def load_data() -> None:
            raise OSError("URL fetch failure: no route to host")

    monkeypatch.setattr("importlib.import_module", lambda name: Offline)
    with pytest.raises(NotVerifiedError) as caught:
        load("mnist")
    assert str(caught.value) == (
        "keras.datasets could not download the dataset mnist: URL fetch failure: no route to host. Try again with a network "
        "connection, or set dataset=digits, which needs none, or dataset=FILE.npz."
    )


def test_one_process_downloads_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that needs a dataset during its download waits, and reads the downloaded files."""

    class Downloaded:
        @staticmethod
        def load_data() -> tuple[tuple[Any, Any], tuple[Any, Any]]:
            with pytest.raises(Timeout):
                FileLock(tmp_path / "ckptcheck-mnist.lock").acquire(timeout=0)
            return (X, Y), (X, Y)

    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("importlib.import_module", lambda name: Downloaded)
    data = load("mnist")
    assert (len(data.train_images), len(data.validation_images)) == (19, 5)
    FileLock(tmp_path / "ckptcheck-mnist.lock").acquire(timeout=0)  # free again
