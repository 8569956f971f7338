"""Which files a process writes outside the folder of its runs."""

import os
import shutil
import tempfile
from pathlib import Path

import pytest

from ckptcheck.run.run import Facts
from ckptcheck.run.writes import Writes, made_of
from tests.builder import changed, control


def facts(started: float, wrote: dict[str, tuple[str, float]]) -> Facts:
    return changed(control(), started=started, wrote=wrote).facts


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def put(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("old")
        os.utime(folder / name, (9, 9))


def test_what_becomes_of_files(here: Path) -> None:
    put(here, *"abcdefg", "log/1", "log/2")
    writes = Writes()
    (here / "a").write_text("new")
    with (here / "b").open("a") as file:
        file.write("more")
    (here / "c").unlink()
    (here / "d").replace(here / "moved")
    (here / "moved").replace(here / "e")
    os.truncate(here / "f", 1)
    (here / "g").open("r+").close()  # stays as it is
    (here / "a").read_text()
    shutil.rmtree(here / "log")
    (here / "new").write_text("new")
    (here / "brief").write_text("new")
    (here / "brief").unlink()
    (here / "work").mkdir()
    (here / "work" / "inside").write_text("new")
    shutil.rmtree(here / "work")
    (here / "made").mkdir()
    (here / "link").symlink_to("a")
    assert writes.outside(here / "runs") == {
        "a": ("changed", 9.0),
        "b": ("changed", 9.0),
        "c": ("deleted", 9.0),
        "d": ("deleted", 9.0),
        "e": ("changed", 9.0),
        "f": ("changed", 9.0),
        "link": ("new", 0.0),
        "log": ("deleted", pytest.approx(writes.began, abs=60)),
        "new": ("new", 0.0),
    }


def test_what_does_not_count(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = here.parent / "home"
    monkeypatch.setenv("HOME", str(home))
    (home / ".keras").mkdir(parents=True)
    (here / "runs").mkdir()
    (here / "__pycache__").mkdir()
    writes = Writes()
    (home / ".keras" / "data.npz").write_text("new")
    (here / "runs" / "model.keras").write_text("new")
    (here / "__pycache__" / "train.pyc").write_text("new")
    Path(os.devnull).write_text("")
    with tempfile.NamedTemporaryFile("w", dir=here, delete=False) as temporary:
        temporary.write("code")
    folder = Path(tempfile.mkdtemp(dir=here))
    (folder / "data").write_text("new")
    assert writes.outside(here / "runs") == {}


def test_a_path_elsewhere_is_absolute(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writes = Writes()
    (here / "inner").mkdir()
    monkeypatch.chdir(here / "inner")  # a job may do so
    Path("log.csv").write_text("1")
    monkeypatch.setattr(tempfile, "tempdir", str(here / "temporary"))
    (here.parent / "beside").write_text("1")
    assert writes.outside(here / "runs") == {
        str(here.parent / "beside"): ("new", 0.0),
        "inner/log.csv": ("new", 0.0),
    }


def test_what_a_run_made_is_new_whoever_finds_it() -> None:
    first = {"a": ("changed", 9.0), "b": ("new", 0.0), "c": ("deleted", 9.0), "d": ("new", 0.0)}
    # Ran at the same time: it found what the first run had made of `e`, or deleted it.
    second = {"a": ("changed", 102.0), "b": ("changed", 102.0), "e": ("deleted", 102.0)}
    runs = [facts(101.0, second), facts(100.0, first)]
    expected = {"a": "changed", "b": "new", "c": "deleted", "d": "new"}
    assert made_of(runs) == made_of(runs[::-1]) == expected
    assert made_of([]) == {}
