"""Which files a restore reads, and where the pointers of a copied checkpoint lead."""

import os
import tempfile
from pathlib import Path

from ckptcheck.run.file_audit import FileAudit, lead_to_copy


def read_there(folder: Path, audit: FileAudit) -> set[str]:
    return {path.name for path in audit.written_since(0, but=[]) if folder in path.parents}


def test_what_a_process_makes_itself_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "read").write_text("old")
    (tmp_path / "appended").write_text("old")
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "inside").write_text("old")
    audit = FileAudit()
    (tmp_path / "before").write_text("new")
    with audit.reading():
        (tmp_path / "read").read_text()
        (tmp_path / "before").read_text()
        (tmp_path / "written").write_text("new")
        (tmp_path / "written").read_text()
        (tmp_path / "truncated").open("w+").close()
        os.close(os.open(tmp_path / "created", os.O_RDWR | os.O_CREAT))
        (tmp_path / "created").read_text()
        (tmp_path / "there").mkdir(exist_ok=True)
        (tmp_path / "there" / "inside").read_text()
        # AutoGraph writes its code into such a file, and imports it.
        with tempfile.NamedTemporaryFile("w", dir=tmp_path, delete=False) as temporary:
            temporary.write("code")
        Path(temporary.name).read_text()
        Path(temporary.name).replace(tmp_path / "moved")
        (tmp_path / "moved").read_text()
        # A library may write into a folder without Python's knowledge.
        folder = Path(tempfile.mkdtemp(dir=tmp_path))
        os.system(f"echo new > {folder}/unpacked")
        (folder / "unpacked").read_text()
    (tmp_path / "written").open("r+").close()
    assert read_there(tmp_path, audit) == {"read", "inside"}


def test_a_file_that_is_extended_holds_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("old")
    audit = FileAudit()
    with audit.reading():
        (tmp_path / "log").open("a").close()
        (tmp_path / "log").read_text()
        (tmp_path / "log").write_text("new")
    assert read_there(tmp_path, audit) == {"log"}


def test_files_read_although_written_lately(tmp_path: Path) -> None:
    own = tmp_path / "own"
    for path in (
        own / "copy",
        tmp_path / "new",
        tmp_path / "old",
        tmp_path / "__pycache__" / "module.pyc",
    ):
        path.parent.mkdir(exist_ok=True)
        path.touch()
    os.utime(tmp_path / "old", (100, 100))
    audit = FileAudit()
    with audit.reading():
        for path in (*tmp_path.rglob("*"), Path("/proc/stat")):
            if path.is_file():
                path.read_bytes()
    assert audit.written_since(200, but=[own]) == [tmp_path / "new"]


def test_a_copy_points_to_itself(tmp_path: Path) -> None:
    original, copy = tmp_path / "original", tmp_path / "copy"
    copy.mkdir()
    (copy / "pointer").write_text(f"newest: {original}/state-3")
    (copy / "state-3").write_bytes(b"\xff\x00")
    assert lead_to_copy(copy, original) is None
    assert (copy / "pointer").read_text() == f"newest: {copy}/state-3"
    (copy / "index").write_bytes(b"\xff" + os.fsencode(original))
    assert lead_to_copy(copy, original) == copy / "index"
