"""Resolving a path to a checkpoint."""

import os
from pathlib import Path

import numpy as np
import pytest

from ckptcheck import UsageError
from ckptcheck.checkpoints import DamagedError, Location, find
from ckptcheck.checkpoints.find import by_number
from ckptcheck.checkpoints.keras.format import ARCHIVE, HDF5
from ckptcheck.checkpoints.tensor_bundle.format import TENSOR_BUNDLE
from tests.checkpoints.bundles import write, write_state
from tests.checkpoints.keras.files import weights

TENSORS = {"x": np.zeros(2)}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two checkpoints; the state file names the older one, since the number does not decide."""
    for step in (9, 10):
        write(tmp_path / f"model.ckpt-{step}", TENSORS)
    write_state(tmp_path, "model.ckpt-9")
    return tmp_path


@pytest.mark.parametrize(
    "name",
    [
        "model.ckpt-10",
        "model.ckpt-10.index",
        "model.ckpt-10.data-00000-of-00001",
        "model.ckpt-10.meta",
    ],
)
def test_a_prefix_and_its_files(name: str, folder: Path) -> None:
    (folder / "model.ckpt-10.meta").touch()
    found = find(folder / name)
    assert found == Location(folder / "model.ckpt-10", TENSOR_BUNDLE)


@pytest.mark.parametrize("name", ["", "checkpoint"])
def test_the_state_file_of_a_folder_decides(name: str, folder: Path) -> None:
    found = find(folder / name)
    assert (found.path, found.chosen) == (
        folder / "model.ckpt-9",
        f"named by {folder / 'checkpoint'}: model.ckpt-9",
    )


def test_a_state_file_that_names_a_different_folder(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = tmp_path_factory.mktemp("other")
    write(other / "model.ckpt-9", TENSORS)
    write_state(folder, str(other / "model.ckpt-9"))
    chosen = f"named by {folder / 'checkpoint'}: {other / 'model.ckpt-9'}, which is in a different folder"
    assert (find(folder).path, find(folder).chosen) == (other / "model.ckpt-9", chosen)


def test_a_state_file_that_names_a_missing_checkpoint(folder: Path) -> None:
    write_state(folder, "model.ckpt-8")
    with pytest.raises(DamagedError) as caught:
        find(folder)
    assert (
        str(caught.value)
        == f"{folder / 'checkpoint'}: the state file names model.ckpt-8, which does not exist."
    )


def test_a_state_file_that_names_its_folder_or_itself(folder: Path) -> None:
    for name in (".", "checkpoint", str(folder)):
        write_state(folder, name)
        with pytest.raises(DamagedError, match="which is not a checkpoint prefix"):
            find(folder)


def test_a_folder_of_the_same_name(folder: Path) -> None:
    """A state file names a prefix, not a folder, and so does a path."""
    write(folder / "model.ckpt-9" / "other-1", {"x": np.ones(2)})
    assert find(folder).path == folder / "model.ckpt-9"
    chosen = "not the folder of that name"
    assert find(folder / "model.ckpt-9") == Location(folder / "model.ckpt-9", TENSOR_BUNDLE, chosen)


def test_a_state_file_names_only_prefixes(folder: Path) -> None:
    write_state(folder, "model.ckpt-9.index")
    with pytest.raises(
        DamagedError,
        match=r"the state file names model\.ckpt-9\.index, which is not a checkpoint prefix\.$",
    ):
        find(folder)


def test_without_a_state_file(folder: Path) -> None:
    (folder / "checkpoint").unlink()
    with pytest.raises(UsageError) as caught:
        find(folder)
    assert str(caught.value) == (
        f"{folder} holds 2 checkpoints, and no state file to choose one: model.ckpt-9, model.ckpt-10. Name one, such as {folder / 'model.ckpt-10'}."
    )
    for path in folder.glob("*-9.*"):
        path.unlink()
    assert (find(folder).path, find(folder).chosen) == (
        folder / "model.ckpt-10",
        f"the only checkpoint in {folder}; there is no state file",
    )


def test_several_state_files_of_other_names(folder: Path) -> None:
    (folder / "checkpoint").rename(folder / "best")
    (folder / "last").write_text('model_checkpoint_path: "model.ckpt-10"')
    with pytest.raises(UsageError) as caught:
        find(folder)
    assert str(caught.value) == (
        f"{folder} has 2 state files, none of the usual name checkpoint: best, last. Name one, such as {folder / 'best'}."
    )
    assert find(folder / "last").path == folder / "model.ckpt-10"


def test_a_saved_model(tmp_path: Path) -> None:
    write(tmp_path / "variables" / "variables", TENSORS)
    (tmp_path / "saved_model.pb").touch()
    for path in (tmp_path, tmp_path / "saved_model.pb"):
        assert find(path).path == tmp_path / "variables" / "variables"


def test_a_keras_file(tmp_path: Path) -> None:
    for name, format_ in (("model.keras", ARCHIVE), ("model.weights.h5", HDF5)):
        (tmp_path / name).touch()
        assert find(tmp_path / name) == Location(tmp_path / name, format_)


def test_paths_without_a_checkpoint(folder: Path) -> None:
    with pytest.raises(UsageError) as caught:
        find(folder / "model.ckpt-11")
    assert str(caught.value) == (
        f"There is no checkpoint at {folder / 'model.ckpt-11'}: no file or folder of that name exists, and no model.ckpt-11.index. "
        "Nearby checkpoints: model.ckpt-9, model.ckpt-10."
    )
    (folder / "notes.txt").write_text("no checkpoint")
    with pytest.raises(
        UsageError, match=r"notes\.txt is not a checkpoint file of a supported format: \*\.index, "
    ):
        find(folder / "notes.txt")
    (folder / "empty").mkdir()
    with pytest.raises(UsageError, match="empty has no checkpoint"):
        find(folder / "empty")
    write(folder / "empty" / "runs" / "some" / "image" / "model.ckpt-1", TENSORS)
    with pytest.raises(UsageError) as caught:
        find(folder / "empty")
    assert (
        str(caught.value)
        == f"The folder {folder / 'empty'} has no checkpoint. Nearby checkpoints: runs/some/image/."
    )
    (folder / "model.weights.json").touch()
    with pytest.raises(
        UsageError,
        match=r"is the index of sharded Keras weights; name one of its \.weights\.h5 files\.",
    ):
        find(folder / "model.weights.json")
    with pytest.raises(UsageError, match="There is no checkpoint at"):
        find(folder / "nowhere" / "model.ckpt")


def test_a_renamed_index(folder: Path) -> None:
    path = (folder / "model.ckpt-9.index").rename(folder / "old.ckpt")
    with pytest.raises(UsageError) as caught:
        find(path)
    assert (
        str(caught.value) == f"{path} is the index of a V2 checkpoint: rename it to old.ckpt.index."
    )


def test_an_hdf5_file_with_a_different_ending(tmp_path: Path) -> None:
    path = weights(tmp_path / "model.weights.h5").rename(tmp_path / "model")
    with pytest.raises(UsageError) as caught:
        find(path)
    assert str(caught.value) == f"{path} is an HDF5 file: rename it to model.h5."
    with pytest.raises(UsageError) as caught:
        find(tmp_path)
    assert (
        str(caught.value)
        == f"The folder {tmp_path} has no checkpoint. model is an HDF5 file: rename it to model.h5."
    )


def test_an_unreadable_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "notes").touch()

    def refuse(path: Path, *_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(UsageError, match=r"notes cannot be read: Permission denied\.$"):
        find(tmp_path / "notes")


def test_order_by_number() -> None:
    assert by_number("1" * 5000) < by_number("2" * 5000)
    names = ["m-10", "m-9", "m", "10", "9-a", "m-9-b", "²", "m-٣"]
    assert sorted(names, key=by_number) == ["9-a", "10", "m", "m-9", "m-9-b", "m-10", "m-٣", "²"]


def test_a_pipe(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x.pt")
    with pytest.raises(UsageError) as caught:
        find(tmp_path / "x.pt")
    assert str(caught.value) == f"{tmp_path / 'x.pt'} is neither a file nor a folder."
