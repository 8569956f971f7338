"""Which files a restore opens, and where the pointers of a copied checkpoint lead."""

import os
import tempfile
from pathlib import Path

from ckptcheck.run.file_audit import lead_to_copy, opened_files, written_since


def test_a_file_is_marked_as_read_if_first_opened_for_reading(tmp_path: Path) -> None:
    (tmp_path / "read").write_text("old")
    with opened_files() as opened:
        (tmp_path / "read").read_text()
        (tmp_path / "written").write_text("new")
        (tmp_path / "written").read_text()
        (tmp_path / "appended").open("a").close()
        os.close(os.open(tmp_path / "read", os.O_RDONLY))
        (tmp_path / "truncated").open("w+").close()
        # AutoGraph writes its code into such a file, and imports it.
        with tempfile.NamedTemporaryFile("w", dir=tmp_path, delete=False) as temporary:
            temporary.write("code")
        Path(temporary.name).read_text()
        opened[str(tmp_path / "temporary")] = opened.pop(temporary.name)
    (tmp_path / "written").open("r+").close()
    of_here = {
        Path(name).name: reads for name, reads in opened.items() if Path(name).parent == tmp_path
    }
    assert of_here == {
        "read": True,
        "written": False,
        "appended": False,
        "truncated": False,
        "temporary": False,
    }


def test_files_read_although_written_lately(tmp_path: Path) -> None:
    own = tmp_path / "own"
    for path in (
        own / "copy",
        tmp_path / "new",
        tmp_path / "old",
        tmp_path / "__pycache__" / "module.pyc",
        tmp_path / "out",
    ):
        path.parent.mkdir(exist_ok=True)
        path.touch()
    os.utime(tmp_path / "old", (100, 100))
    opened = {str(path): path.name != "out" for path in tmp_path.rglob("*")} | {
        str(tmp_path / "gone"): True,
        "/proc/stat": True,
    }
    assert written_since(opened, 200, but=[own]) == [tmp_path / "new"]


def test_a_copy_points_to_itself(tmp_path: Path) -> None:
    original, copy = tmp_path / "original", tmp_path / "copy"
    copy.mkdir()
    (copy / "pointer").write_text(f"newest: {original}/state-3")
    (copy / "state-3").write_bytes(b"\xff\x00")
    assert lead_to_copy(copy, original) is None
    assert (copy / "pointer").read_text() == f"newest: {copy}/state-3"
    (copy / "index").write_bytes(b"\xff" + os.fsencode(original))
    assert lead_to_copy(copy, original) == copy / "index"
