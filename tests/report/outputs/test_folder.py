"""The output folder: only its own files, one process at a time, complete or absent."""

import fcntl
import resource
import shutil
from pathlib import Path

import pytest

from tests.commands import TOY_RUN, call, run
from tests.conftest import toy


@pytest.fixture(scope="module")
def verified(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An output folder with a report."""
    folder = tmp_path_factory.mktemp("verified")
    assert run("verify", toy("Clean"), "--out", "out", *TOY_RUN, cwd=folder).returncode == 0
    return folder / "out"


def test_output_folder_with_other_files(tmp_path: Path) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "report.json").write_text("mine")
    (tmp_path / "thesis" / "chapter.tex").write_text("mine too")
    done = call("verify", toy("Clean"), "--out", "thesis", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (
        2,
        "ckptcheck: The output folder thesis holds other files (chapter.tex), so nothing was "
        "written. Choose a folder that is new, empty, or holds earlier results of the same "
        "command.\n",
    )
    assert (tmp_path / "thesis" / "report.json").read_text() == "mine"
    (tmp_path / "thesis" / "chapter.tex").unlink()
    assert (
        "holds other files (report.json)"
        in call("verify", toy("Clean"), "--out", "thesis", cwd=tmp_path).stderr
    )


def test_output_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = call("verify", toy("Clean"), "--out", "file/out", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (
        2,
        "ckptcheck: The output folder file/out cannot be written: Not a directory.\n",
    )


def test_two_verifications_with_one_output_folder(verified: Path, tmp_path: Path) -> None:
    shutil.copytree(verified, tmp_path / "out")
    before = (tmp_path / "out" / "report.json").read_text()
    with (tmp_path / "out" / ".ckptcheck").open("a") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        done = call("verify", toy("StepLost"), "--out", "out", *TOY_RUN, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (
        2,
        (
            "ckptcheck: Another ckptcheck is writing to out. Wait for it, or choose a different "
            "folder with --out.\n"
        ),
    )
    assert (tmp_path / "out" / "report.json").read_text() == before
    assert run("verify", toy("StepLost"), "--out", "out", *TOY_RUN, cwd=tmp_path).returncode == 1
    assert (tmp_path / "out" / "report.json").read_text() != before


def test_report_that_does_not_fit(tmp_path: Path) -> None:
    """A file size limit of 20 kB stands for a full disk: the runs fit, the figure does not."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    done = run("verify", toy("Clean"), "--out", "out", *TOY_RUN, cwd=tmp_path, preexec_fn=limit)
    assert done.returncode == 3
    assert (
        done.stderr.splitlines()[-1]
        == "ckptcheck: The report could not be written to out: File too large."
    )
    assert list(tmp_path.iterdir()) == []
