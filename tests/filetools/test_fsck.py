"""The findings of `fsck`: each fault is planted in a whole folder, and each finding asserted in full."""

import json
import shutil
from pathlib import Path

import pytest

from ckptcheck import UsageError
from ckptcheck.filetools.fsck import Check, fsck
from ckptcheck.filetools.fsck_findings import UNKNOWN, WRONG
from ckptcheck.filetools.fsck_text import text
from tests.checkpoints import bundles
from tests.checkpoints.bundles import write
from tests.filetools.faults import (
    PLANTED,
    a_byte_changed,
    found_in,
    index_of,
    interrupted_saves,
    state_file_empty,
    tensors,
)


def test_a_whole_folder(folder: Path) -> None:
    found = fsck(folder)
    assert (
        found.findings,
        found.tensors,
        len(found.checkpoints),
        found.exit_code(strict=True),
    ) == ((), 8, 2, 0)
    assert found.bytes == 2 * (16 + 8 + 48 + 8)


@pytest.mark.parametrize("what", PLANTED)
def test_planted(what: str, folder: Path) -> None:
    plant, expected = PLANTED[what]
    plant(folder)
    assert found_in(folder) == expected
    check = fsck(folder)
    assert check.exit_code() == any(each.grade == WRONG for each in expected)
    assert check.exit_code(strict=True) == 1


def test_a_single_checkpoint_has_only_its_own_findings(folder: Path) -> None:
    for plant in (a_byte_changed, interrupted_saves, state_file_empty):
        plant(folder)
    assert found_in(folder, folder / "model.ckpt-5") == []
    assert len(found_in(folder, folder / "model.ckpt-10")) == 1
    assert len(found_in(folder, folder / "checkpoint")) == 7


def test_a_bundle_named_like_a_keras_file(folder: Path) -> None:
    write(folder / "x.keras", tensors(1))
    assert fsck(folder / "x.keras.index").findings == ()
    assert len(fsck(folder).checkpoints) == 3


def test_subfolders(folder: Path) -> None:
    shutil.copytree(folder, folder / "deeper" / "still")
    a_byte_changed(folder / "deeper" / "still")
    check = fsck(folder)
    assert (len(check.checkpoints), len(check.findings)) == (4, 1)


def test_unsupported_content_is_neither_wrong_nor_whole(folder: Path) -> None:
    index_of(folder).write_bytes(bundles.COMPRESSED)
    (finding,) = found_in(folder)
    assert (finding.grade, finding.what) == (
        UNKNOWN,
        "A block is compressed by the unknown method 9",
    )
    check = fsck(folder)
    assert (check.exit_code(), check.exit_code(strict=True), check.to_dict()["whole"]) == (
        3,
        3,
        False,
    )
    first, *_, last = text(check, False, None)
    assert (first, last) == (
        "Not checked:",
        "1 not checked: 2 checkpoints, 4 tensors, 80 B read.",
    )


def test_nothing_to_check(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="has no checkpoint to check, and no part of one"):
        fsck(tmp_path)
    (tmp_path / "model.data-00000-of-00001").touch()
    assert len(fsck(tmp_path).findings) == 1


def test_json(folder: Path) -> None:
    a_byte_changed(folder)
    found: Check = fsck(folder)
    document = json.loads(found.to_json())
    assert (document["whole"], document["tensors"], len(document["checkpoints"])) == (False, 8, 2)
    assert list(document["findings"][0]) == ["grade", "what", "where", "effect", "remedy"]
