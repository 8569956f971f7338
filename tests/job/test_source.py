"""The jobs in a file, read from its source: nothing is imported, and no function is called."""

from collections.abc import Callable
from pathlib import Path

import pytest

from ckptcheck.errors import UsageError
from ckptcheck.job import load
from ckptcheck.job.loading import made
from ckptcheck.job.source import all_jobs, check_name, jobs_in, only_job, restores_of

TWO = """
raise RuntimeError("this file was imported")
from ckptcheck.adapters.keras import FitJob
import ckptcheck.adapters.tf2 as tf2

class _Base(FitJob):
    restores = ("keras", "weights")

class Train(_Base): ...
class Loop(tf2.CheckpointJob): ...
class Dataset: ...
class ByHand:
    def build(self, seed): ...
    def save(self, folder, step): ...
    def restore(self, folder, restore): ...
if True:
    class Late(Train):
        restores = ["mine"]
def main(): ...
def make() -> Train: ...
try:
    import jobs as imported
except ImportError:
    fallback = None
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "train.py"
    path.write_text(TWO)
    return path


def test_jobs_in_a_file(file: Path) -> None:
    assert jobs_in(file) == ["Train", "Loop", "ByHand", "Late"]
    assert (restores_of(file, "Train"), restores_of(file, "Late")) == (
        ["keras", "weights"],
        ["mine"],
    )
    assert restores_of(file, "Loop") == []


def test_a_file_with_several_jobs_lists_them(file: Path) -> None:
    with pytest.raises(UsageError) as caught:
        only_job(str(file))
    assert str(caught.value) == (
        f"{file} defines 4 jobs. Name those to verify: {file}:Train, {file}:Loop, {file}:ByHand, {file}:Late."
    )


def test_a_file_with_one_job_names_it(tmp_path: Path) -> None:
    file = tmp_path / "train.py"
    file.write_text("class Train(FitJob): ...\nclass Data: ...\n")
    assert only_job(str(file)) == f"{file}:Train"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "class A: ...\nclass B(A): ...\n",
            "{0} defines no job. A job is a class derived from FitJob, CheckpointJob, GraphJob or TorchJob, or one with the methods of ckptcheck.job.Job. If A or B is one, write {0}:A. A script that trains when it is run is a command: ckptcheck verify -- python {0} {{run}}.",
        ),
        (
            "def main(): ...\n",
            "{0} defines no job. A job is a class derived from FitJob, CheckpointJob, GraphJob or TorchJob, or one with the methods of ckptcheck.job.Job. A script that trains when it is run is a command: ckptcheck verify -- python {0} {{run}}.",
        ),
        ("class (\n", "{0} cannot be read as Python: `python {0}` reports where."),
    ],
)
def test_a_file_without_a_job(text: str, sentence: str, tmp_path: Path) -> None:
    file = tmp_path / "t1.py"
    file.write_text(text)
    with pytest.raises(UsageError) as caught:
        only_job(str(file))
    assert str(caught.value) == sentence.format(file)
    with pytest.raises(UsageError, match=r"There is no file .*t.py. Did you mean t1.py\?"):
        only_job(str(tmp_path / "t.py"))


@pytest.mark.parametrize("content", [b"class (\n", b"\x80\x00PK", b"", b"def main(): ...\n"])
def test_the_jobs_of_a_file_are_refused_as_verify_refuses_them(
    content: bytes, tmp_path: Path
) -> None:
    file = tmp_path / "t.py"
    file.write_bytes(content)
    with pytest.raises(UsageError) as listed:
        all_jobs(str(file))
    with pytest.raises(UsageError) as verified:
        only_job(str(file))
    assert str(listed.value) == str(verified.value)
    assert str(listed.value).startswith(f"{file} ")


@pytest.mark.parametrize("ask", [all_jobs, only_job, lambda place: check_name(f"{place}:Train")])
def test_a_folder_is_not_a_file(ask: Callable[[str], object], tmp_path: Path) -> None:
    (tmp_path / "dir.py").mkdir()
    (tmp_path / "dirs.py").mkdir()
    (tmp_path / "bin.py").touch()
    with pytest.raises(UsageError) as caught:
        ask(f"{tmp_path}/dir.py")
    assert str(caught.value) == (
        f"{tmp_path}/dir.py is a folder. Name a Python file in it: {tmp_path}/dir.py/FILE.py."
    )
    with pytest.raises(UsageError) as caught:
        ask(f"{tmp_path}/bins.py")  # nor is a folder suggested
    assert str(caught.value) == (
        f"There is no file {tmp_path}/bins.py. Did you mean bin.py? "
        "A path is relative to the working directory."
    )


@pytest.mark.parametrize("name", ["Train", "Late", "make", "imported", "fallback"])
def test_names_that_a_file_defines(name: str, file: Path) -> None:
    check_name(f"{file}:{name}")


def test_a_misspelt_class_is_found_before_anything_is_imported(file: Path) -> None:
    with pytest.raises(UsageError) as caught:
        check_name(f"{file}:Trian")
    assert str(caught.value) == f"{file} defines nothing called 'Trian'. Did you mean Train?"


def test_of_a_module_too(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = file.parent / "ckptcheck_package"
    package.mkdir()
    (package / "__init__.py").write_text("raise RuntimeError\n")
    file.rename(package / "train.py")
    monkeypatch.syspath_prepend(file.parent)
    check_name("ckptcheck_package.train:Train")
    check_name("no_such_module:Train")  # the process that imports it says so
    with pytest.raises(UsageError) as caught:
        check_name("ckptcheck_package.train:Trian")
    assert str(caught.value) == (
        "ckptcheck_package.train defines nothing called 'Trian'. Did you mean Train?"
    )


@pytest.mark.parametrize(
    "line", ["from jobs import *", "globals()['Train'] = 3", "def __getattr__(name): ..."]
)
def test_a_name_that_may_appear_only_at_run_time_is_no_error(line: str, tmp_path: Path) -> None:
    file = tmp_path / "train.py"
    file.write_text(f"{line}\nclass Known: ...\n")
    check_name(f"{file}:Train")


UNCALLED = "{0}:main is a function, so it was not called: a job is a class. To verify the job that a function returns, annotate its class: def main() -> Train."


@pytest.mark.parametrize("returns", ["", " -> None", " -> int"])
def test_a_function_of_a_script_is_not_called(
    returns: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.path", [*__import__("sys").path])
    file = tmp_path / f"ckptcheck_script{len(returns)}.py"
    file.write_text(f"def main(){returns}:\n    raise RuntimeError\n")
    for refused in (check_name, lambda target: made(target, load(target))):
        with pytest.raises(UsageError) as caught:
            refused(f"{file}:main")
        assert str(caught.value) == UNCALLED.format(file)
