"""The output folder: only its own files, one process at a time, complete or absent."""

import fcntl
import os
import resource
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from ckptcheck.errors import UsageError
from ckptcheck.report.outputs.folder import single_file
from tests.command_line import TOY_RUN, call, run
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


@pytest.mark.parametrize("linked", [False, True])
def test_a_pipe_is_written_to_and_stays(linked: bool, tmp_path: Path) -> None:
    pipe, link, read = tmp_path / "pipe", tmp_path / "link", []
    os.mkfifo(pipe)
    link.symlink_to(pipe)  # as /dev/stdout is one
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()), daemon=True)
    reader.start()
    with single_file(link if linked else pipe) as write:
        write("report")
    reader.join(10)
    assert (read, pipe.is_fifo(), link.is_symlink()) == (["report"], True, True)
    assert sorted(tmp_path.iterdir()) == [link, pipe]


def test_a_pipe_of_standard_output(tmp_path: Path) -> None:
    """As `| cat` is: the pipe has no path, so a link to its descriptor stands for /dev/stdout."""
    code = (
        "from pathlib import Path\n"
        "from ckptcheck.report.outputs.folder import single_file\n"
        "with single_file(Path('link')) as write:\n"
        "    write('report')\n"
    )
    (tmp_path / "link").symlink_to("/proc/self/fd/1")
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout == "report\n"
    assert (tmp_path / "link").is_symlink()


def test_a_link_stays_and_its_target_is_written(tmp_path: Path) -> None:
    (tmp_path / "target").mkdir()
    link, target = tmp_path / "link", tmp_path / "target" / "report.md"
    link.symlink_to(target)
    for text in ("new", "written again"):
        with single_file(link) as write:
            write(text)
        assert (link.is_symlink(), target.read_text()) == (True, text)
    assert list(target.parent.iterdir()) == [target]


def test_a_link_to_itself_is_refused(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(UsageError, match="symbolic links"), single_file(tmp_path / "loop"):
        pass


def test_standard_output_is_written_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file to which standard output is redirected must not be replaced under it."""
    file = tmp_path / "out"
    with file.open("w") as stream:
        monkeypatch.setattr("sys.stdout", stream)
        print("before")
        with single_file(file) as write:
            write("report")
        print("after")
    assert file.read_text() == "before\nreport\nafter\n"


def test_text_that_is_not_utf_8_is_written_escaped(tmp_path: Path) -> None:
    with single_file(tmp_path / "file") as write:
        write("od\udcff")
    assert (tmp_path / "file").read_text() == "od\\udcff"


def test_one_file_for_two_outputs(tmp_path: Path) -> None:
    asked = ("--junit", "x", "--markdown", str(tmp_path / "x"))
    done = call("verify", toy("Clean"), *asked, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (
        2,
        f"ckptcheck: --junit and --markdown both write {tmp_path / 'x'}. "
        "Choose two different files.\n",
    )
    assert list(tmp_path.iterdir()) == []


def test_an_output_that_would_replace_a_job(tmp_path: Path) -> None:
    (tmp_path / "job.py").write_text("class Job: ...")
    done = call("verify", "job.py:Job", "--markdown", "./job.py", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (
        2,
        "ckptcheck: --markdown job.py would replace the file of the job job.py:Job. "
        "Choose a different file.\n",
    )
    assert (tmp_path / "job.py").read_text() == "class Job: ..."
