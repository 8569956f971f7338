"""Reading state files, well-formed, torn and missing."""

from pathlib import Path

import pytest

from ckptcheck.checkpoints import DamagedError, state_file


def state(folder: Path, text: str | bytes) -> state_file.State:
    (folder / "checkpoint").write_bytes(text if isinstance(text, bytes) else text.encode())
    return state_file.read(folder / "checkpoint")


def test_a_state_file(tmp_path: Path) -> None:
    found = state(
        tmp_path,
        '# said so\nmodel_checkpoint_path: "m-\\303\\274-2\\"x\\""\r\nall_model_checkpoint_paths: \'m-1\'\n\n'
        'all_model_checkpoint_paths: "m-\\x32"\nall_model_checkpoint_timestamps: 1.5\nlast_preserved_timestamp: 1e9\n',
    )
    assert (found.newest, found.kept) == ('m-ü-2"x"', ("m-1", "m-2"))
    assert found.resolve("m-1") == tmp_path / "m-1"
    assert found.resolve("/m-1") == Path("/m-1")
    assert state(tmp_path, 'model_checkpoint_path: "a" all_model_checkpoint_paths: "a"').kept == (
        "a",
    )
    assert state(tmp_path, 'model_checkpoint_path: "a" # said so\n').newest == "a"
    assert state(tmp_path, 'model_checkpoint_path: "ck" "pt-1";').newest == "ckpt-1"
    assert state(tmp_path, b'model_checkpoint_path: "\xff"').newest == "\udcff"


TORN = {
    "with a mark": (
        '\ufeffmodel_checkpoint_path: "a"',
        "line 1 does not belong in a state file: '\\ufeffmodel_checkpoint_path: \"a\"'",
    ),
    "with more than there is": (
        'model_checkpoint_path: "a"\nother: 1',
        "line 2 does not belong in a state file: 'other: 1'",
    ),
    "empty": (
        "",
        "there is no model_checkpoint_path; the file is empty, or a write was interrupted",
    ),
    "cut off": (
        'model_checkpoint_path: "mod',
        "line 1 does not belong in a state file: 'model_checkpoint_path: \"mod'",
    ),
    "of another kind": ("\0\1\2", "line 1 does not belong in a state file: '\\x00\\x01\\x02'"),
    "a pointer": (
        "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\n",
        "the file is a Git LFS pointer, not a state file; fetch the real file: git lfs pull --include checkpoint",
    ),
    "without the newest": (
        'all_model_checkpoint_paths: "a"',
        "there is no model_checkpoint_path; the file is empty, or a write was interrupted",
    ),
}


@pytest.mark.parametrize("what", TORN)
def test_a_torn_state_file(what: str, tmp_path: Path) -> None:
    text, sentence = TORN[what]
    with pytest.raises(DamagedError) as caught:
        state(tmp_path, text)
    assert str(caught.value) == f"{tmp_path / 'checkpoint'}: {sentence}."


def test_no_state_file(tmp_path: Path) -> None:
    assert state_file.in_folder(tmp_path) == []
    (tmp_path / "checkpoint").mkdir()  # Keras callbacks may create a folder of this name
    assert state_file.in_folder(tmp_path) == []


def test_state_files_of_other_names(tmp_path: Path) -> None:
    """`Saver.save(latest_filename=…)` chooses the name."""
    (tmp_path / "notes").write_text("model_checkpoint: none")
    for name in ("checkpoint", "best"):
        (tmp_path / name).write_text('model_checkpoint_path: "a"')
    assert state_file.in_folder(tmp_path) == [tmp_path / "checkpoint", tmp_path / "best"]
    assert not state_file.is_state_file(tmp_path / "notes")


def test_a_huge_state_file_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "checkpoint").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(DamagedError, match="too many for a state file"):
        state_file.read(tmp_path / "checkpoint")
