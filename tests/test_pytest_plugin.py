"""The plugin in its own session: a failure shows the diagnosis, and tests share a control."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.planted_jobs import PLANTED, toy

TWO_WAYS, NOPE = toy("TwoWays"), toy("Nope")

TESTS = f'''
JOB = "{TWO_WAYS}"

def test_recovers(verify_recovery):
    report = verify_recovery(JOB, "all", steps=21, boundary=9)
    assert report.verdict == "pass"

def test_forgets(verify_recovery):
    verify_recovery(JOB, "weights", steps=21, boundary=9)

def test_forgets_as_expected(verify_recovery):
    verify_recovery(JOB, "weights", expect="diverged", steps=21, boundary=9)

def test_no_such_job(verify_recovery):
    verify_recovery("{NOPE}")

def test_no_such_restore(verify_recovery):
    verify_recovery(JOB, "weight", steps=21, boundary=9)

def test_a_class(verify_recovery):
    from base import Clean
    verify_recovery(Clean, steps=21)
'''


def session(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    (folder / "test_resume.py").write_text(TESTS)
    (folder / "pytest.ini").write_text(f"[pytest]\npythonpath = {PLANTED}\n")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def first(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Path, subprocess.CompletedProcess[str]]:
    folder = tmp_path_factory.mktemp("plugin")
    return folder, session(folder, "--ckptcheck-out", str(folder / "kept"))


def test_a_failure_shows_the_whole_diagnosis(
    first: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    folder, done = first
    assert done.returncode == 1
    assert "3 failed, 3 passed" in done.stdout
    (runs,) = (folder / "kept").glob("clean-py-TwoWays-*[!k]")
    story = done.stdout.partition("test_forgets _")[2].partition("\n")[2].partition("____")[0]
    assert story == (
        "1 of 1 case did not do what was expected.\nTwoWays does not recover with "
        f"`weights`: it loses the optimizer state.\n\n{TWO_WAYS} × weights: diverged, expected recovered\n  At "
        "the boundary, 5 of 6 tensors are bit-equal and the evaluation loss is 0.252231 (control "
        "0.252231). After it, 1 of 12 training losses are bit-equal.\n  slots-lost (changes the "
        "trajectory; not applied at load): 1 of 1 optimizer slot has its initial value. An "
        "optimizer acts after the loss of a step. Lost slots alone leave the first resumed loss "
        "equal and change every later one.\n    Tensors: w/momentum\n  Remedy: The checkpoint "
        "holds the lost tensors, but the restore did not ask for them. Read them, too: "
        "tensors.update(np.load(path)).\n  To accept: --allow slots-lost\n\nRuns: "
        f"{runs}\n"
    ).replace("0.252231", story.partition("loss is ")[2].partition(" ")[0])
    assert (
        f"ckptcheck could not verify {NOPE}: {PLANTED / 'base.py'} defines nothing called 'Nope'.\n"
        in done.stdout
    )
    assert (
        "There is no restore among these runs called 'weight'. Did you mean weights? Known: all, "
        "weights.\n" in done.stdout
    )
    assert "During handling" not in done.stdout


def test_controls_are_shared(first: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    folder, _ = first
    jobs = sorted(
        each.name.rpartition("-")[0] for each in (folder / "kept").iterdir() if each.is_dir()
    )
    assert jobs == ["base-py-Clean", "clean-py-TwoWays"]


def test_kept_runs_are_not_run_again(first: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    folder, before = first

    def written() -> dict[str, float]:
        return {str(each): each.stat().st_mtime for each in (folder / "kept").rglob("run.json")}

    runs = written()
    again = session(folder, "--ckptcheck-out", str(folder / "kept"))
    assert (
        again.stdout.splitlines()[-1].partition(" in ")[0]
        == before.stdout.splitlines()[-1].partition(" in ")[0]
    )
    assert written() == runs
    assert (
        len(runs) == 7
    )  # TwoWays: its control, the one without saves, two restores; Clean: the same with one


def test_under_xdist(tmp_path: Path) -> None:
    done = session(
        tmp_path, "-n", "2", "--ckptcheck-boundaries", "first,9", "-k", "class or forgets"
    )
    assert "1 failed, 2 passed" in done.stdout, done.stdout


def test_an_unused_plugin_imports_nothing_heavy(tmp_path: Path) -> None:
    (tmp_path / "test_light.py").write_text(
        "import sys\ndef test_light():\n    assert not {'numpy', 'pandas', 'tensorflow', 'keras'} & set(sys.modules)\n"
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_light.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert (
        "--ckptcheck-repeat"
        in subprocess.run(
            [*command, "--help"], cwd=tmp_path, capture_output=True, text=True, check=True
        ).stdout
    )


def test_each_run_is_resumed_twice(tmp_path: Path) -> None:
    kept = str(tmp_path / "kept")
    done = session(
        tmp_path, "--ckptcheck-resume-twice", "--ckptcheck-out", kept, "-k", "test_recovers"
    )
    assert "1 passed" in done.stdout
    (runs,) = Path(kept).glob("clean-py-TwoWays-*[!k]/clean-TwoWays")
    assert (runs / "resumed-all@9@15" / "run.json").is_file()
