"""Which folders and files are of Orbax, and which step of a CheckpointManager is taken."""

from pathlib import Path

import numpy as np
import pytest

from ckptcheck.checkpoints import Location, find
from ckptcheck.checkpoints.find import checkpoints_in, whole_folder
from ckptcheck.checkpoints.orbax import layout
from ckptcheck.checkpoints.orbax.format import ORBAX
from ckptcheck.errors import UsageError
from ckptcheck.filetools.diff import diff
from ckptcheck.filetools.inspect import inspect

from .writer import item, root, step


def test_an_item_a_step_and_their_files(tmp_path: Path) -> None:
    saved = step(tmp_path / "5", {"default": {"w": np.ones(600)}, "ema": {"w": np.ones(2)}})
    assert find(saved) == whole_folder(saved) == Location(saved, ORBAX)
    assert find(saved / "ema") == Location(saved / "ema", ORBAX)
    assert find(saved / "ema" / "_METADATA") == Location(saved / "ema", ORBAX)
    assert find(saved / "ema" / "manifest.ocdbt") == Location(saved / "ema", ORBAX)
    assert find(saved / "_CHECKPOINT_METADATA") == Location(saved, ORBAX)
    assert checkpoints_in(saved) == [Location(saved, ORBAX)]
    of_process = saved / "ema" / "ocdbt.process_0"
    of_process.mkdir()
    (of_process / "manifest.ocdbt").touch()
    assert find(of_process / "manifest.ocdbt") == Location(saved / "ema", ORBAX)
    assert not layout.is_step(of_process)


def test_a_step_without_metadata_of_its_own(tmp_path: Path) -> None:
    saved = step(tmp_path / "5", {"state": {"w": np.ones(2)}})
    (saved / "_CHECKPOINT_METADATA").unlink()
    assert find(saved) == Location(saved, ORBAX)


def test_the_newest_step_is_taken(tmp_path: Path) -> None:
    root(tmp_path, 2, 9, 10)
    found = find(tmp_path)
    assert found == Location(tmp_path / "10", ORBAX, f"the newest complete step in {tmp_path}")
    assert found.open().chosen == found.chosen
    assert inspect(tmp_path).tensors[0][1].max == 10
    assert not diff(tmp_path, tmp_path / "9").same
    assert diff(tmp_path, tmp_path / "10").same
    assert whole_folder(tmp_path) is None
    assert checkpoints_in(tmp_path) == []


def test_the_newest_step_that_is_complete_is_taken(tmp_path: Path) -> None:
    root(tmp_path, 2, 9, 10, 11)
    (tmp_path / "10" / "default" / "_METADATA").unlink()
    (tmp_path / "11").rename(tmp_path / "11.orbax-checkpoint-tmp-123")
    chosen = f"the newest complete step in {tmp_path}; incomplete: 10"
    assert find(tmp_path) == Location(tmp_path / "9", ORBAX, chosen)


@pytest.mark.parametrize("name", ["ckpt_5", "000005", "run_1_000005"])
def test_names_of_steps(name: str, tmp_path: Path) -> None:
    saved = item(tmp_path / name, {"w": np.ones(2)})
    assert find(tmp_path).path == saved
    assert layout.number(saved) == 5


@pytest.mark.parametrize("name", ["best", "5a", "5.5", "5-old"])
def test_names_of_none(name: str, tmp_path: Path) -> None:
    saved = step(tmp_path / name, {"default": {"w": np.ones(2)}})
    assert layout.number(saved) is None
    with pytest.raises(UsageError) as caught:
        find(tmp_path)
    assert str(caught.value) == (
        f"The folder {tmp_path} has no checkpoint. Nearby checkpoints: {name}/, {name}/default/."
    )


def test_other_files_are_of_none(tmp_path: Path) -> None:
    for name in ("metadata", "commit_success.txt", "MANIFEST.ocdbt", "model_METADATA"):
        (tmp_path / name).touch()
        assert ORBAX.of_file(tmp_path / name) is None
    assert ORBAX.at(tmp_path) is None
    assert ORBAX.at(tmp_path / "metadata") is None
