"""The command line as a user meets it: exit codes, whole messages, and what is on which stream."""

import contextlib
import fcntl
import json
import os
import pty
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path
from xml.etree import ElementTree

import pytest

from ckptcheck import Report
from tests.conftest import toy

CKPTCHECK = [sys.executable, "-m", "ckptcheck"]
TOY_RUN = ["--steps", "21", "--boundary", "9"]


def run(*arguments: str, cwd: Path, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*CKPTCHECK, *arguments], cwd=cwd, capture_output=True, text=True, check=False, **options)


def test_default_run(default_command: tuple[Path, subprocess.CompletedProcess[str]], default_report: Report) -> None:
    """The README's first command; its document equals the one of the library's own run, digests included."""
    folder, done = default_command
    assert done.returncode == 0, done.stderr
    out = folder / "ckptcheck-out"
    assert json.loads((out / "report.json").read_text()) == default_report.document()
    assert sorted(each.name for each in out.iterdir()) == [
        ".ckptcheck",
        "curves.png",
        "curves.svg",
        "evaluations.csv",
        "losses.csv",
        "report.json",
        "runs",
        "tensors.csv",
    ]
    assert "ckptcheck: bn-polyak × ema done" in done.stderr.splitlines()
    assert [line for line in done.stderr.splitlines() if "warning" in line] == [
        "ckptcheck: warning: bn-layers × trainable: the restore does not cover 39 of 56 tensors, which keep their initial "
        "values: conv1/bn/moving_mean, conv1/bn/moving_variance, conv2/bn/moving_mean, conv2/bn/moving_variance and 35 more.",
        "ckptcheck: warning: bn-polyak × ema: the restore does not cover 14 of 70 tensors, which keep their initial "
        "values: conv1/kernel/ExponentialMovingAverage, conv1/bn/gamma/ExponentialMovingAverage, "
        "conv1/bn/beta/ExponentialMovingAverage, conv2/kernel/ExponentialMovingAverage and 10 more.",
    ]


def test_text_report(tmp_path: Path) -> None:
    done = run("verify", toy("StepLost"), *TOY_RUN, cwd=tmp_path)
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    assert max(len(line) for line in lines if "/" not in line) <= 80
    assert "diverged: goes on, but as another run" in lines
    assert "  step-lost (not applied at load)" in lines
    assert "FAIL: a case did not do what was expected of it." in lines
    assert lines[-1] == "Curves: ckptcheck-out/curves.png   All numbers: ckptcheck-out/report.json"
    assert not any(line != line.rstrip() for line in lines)


def test_what_a_job_prints_does_not_spoil_the_document(tmp_path: Path) -> None:
    done = run("verify", toy("Prints"), "--json", *TOY_RUN, cwd=tmp_path)
    document = json.loads(done.stdout)
    assert document["verdict"] == "pass"
    assert document == json.loads((tmp_path / "ckptcheck-out" / "report.json").read_text())
    folder = tmp_path / "ckptcheck-out" / "runs" / "toy_jobs-Prints"
    assert "a line that must not spoil standard output" in (folder / "control" / "output.txt").read_text()


def test_live_progress_on_a_terminal(tmp_path: Path) -> None:
    terminal, end = pty.openpty()
    command = [*CKPTCHECK, "verify", toy("Slow"), "--steps", "6"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=end, env=os.environ | {"TERM": "xterm"}):
        os.close(end)
        seen = b""
        with contextlib.suppress(OSError):  # the terminal is gone when the process is
            while read := os.read(terminal, 4096):
                seen += read
    os.close(terminal)
    assert b"Traceback" not in seen
    for shown in ("starting; TensorFlow", "Slow control", "Slow \u00d7 all", "4/6", "6/6"):
        assert shown.encode() in seen


def test_expectation_is_met_or_not(tmp_path: Path) -> None:
    asked = ["verify", toy("StepLost"), "--restore", "all", *TOY_RUN]
    assert run(*asked, "--expect", "diverged", cwd=tmp_path).returncode == 0
    assert run(*asked, "--expect", "refused", cwd=tmp_path).returncode == 1


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["verify", "bn-n"], "There is no job called 'bn-n'. Did you mean bn-nn? Known: bn-layers, bn-nn, bn-polyak, plain."),
        (["verify", "plain", "--restore", "savr"], "There is no restore of plain called 'savr'. Did you mean saver? Known: saver, trainable."),
        (["verify", "plain", "--set", "seed"], "--set takes KEY=VALUE, not 'seed'."),
        (["verify", "plain", "--set", "seed=x"], "The option seed of plain must be a whole number from 0 to 2147483647, not 'x'."),
        (["verify", "plain", "--set", "dataset=no.npz"], "There is no dataset file no.npz."),
        (["verify", "plain", "--boundary", "0"], "The boundary lies outside the run: it is step 0, the run has 154 steps. Choose a boundary from 1 to 153."),
        (["verify", toy("Clean"), "--restore", "al"], "There is no restore of this job called 'al'. Did you mean all? Known: all."),
        (["verify", toy("Nothing")], f"{toy('Nothing').rpartition(':')[0]} has nothing called 'Nothing'."),
        (["verfy"], "No such command 'verfy'. Did you mean 'verify'?"),
    ],
)  # fmt: skip
def test_wrong_request(arguments: list[str], text: str, tmp_path: Path) -> None:
    done = run(*arguments, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert [line for line in done.stderr.splitlines() if not line.endswith("…")] == [f"ckptcheck: {text}"]
    assert list(tmp_path.iterdir()) == []  # nothing is left behind


def test_value_that_is_no_number(tmp_path: Path) -> None:
    done = run("verify", "--steps", "many", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("ckptcheck: Invalid value for '--steps': ")  # the rest is the library's


def test_reader_who_closes_the_pipe(tmp_path: Path) -> None:
    command = " ".join([*CKPTCHECK, "verify", toy("StepLost"), *TOY_RUN])
    script = f"{command} 2> errors | true; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == "1\n"
    assert "Traceback" not in (tmp_path / "errors").read_text()


def test_output_folder_that_holds_something_else(tmp_path: Path) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "report.json").write_text("mine")
    (tmp_path / "thesis" / "chapter.tex").write_text("mine too")
    done = run("verify", toy("Clean"), "--out", "thesis", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (
        2,
        "ckptcheck: The output folder thesis holds something else (chapter.tex): nothing was written. "
        "Name a folder that is empty, is not there yet, or holds earlier results of the same command.\n",
    )
    assert (tmp_path / "thesis" / "report.json").read_text() == "mine"
    (tmp_path / "thesis" / "chapter.tex").unlink()
    assert "holds something else (report.json)" in run("verify", toy("Clean"), "--out", "thesis", cwd=tmp_path).stderr


def test_output_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = run("verify", toy("Clean"), "--out", "file/out", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (
        2,
        "ckptcheck: The output folder file/out cannot be written: Not a directory.\n",
    )


def test_two_verifications_with_one_output_folder(tmp_path: Path) -> None:
    assert run("verify", toy("Clean"), "--out", "out", *TOY_RUN, cwd=tmp_path).returncode == 0
    before = (tmp_path / "out" / "report.json").read_text()
    with (tmp_path / "out" / ".ckptcheck").open("a") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        done = run("verify", toy("StepLost"), "--out", "out", *TOY_RUN, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (
        2,
        "ckptcheck: Another ckptcheck is writing to out. Wait for it, or name another folder with --out.\n",
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
    assert done.stderr.splitlines()[-1] == "ckptcheck: The report could not be written to out: File too large."
    assert list(tmp_path.iterdir()) == []


def processes_under(folder: Path) -> list[str]:
    """Return the command lines of living processes whose arguments or open files lead into a folder."""
    found = []
    for each in Path("/proc").iterdir():
        if each.name.isdigit() and int(each.name) != os.getpid():
            try:
                links = [str(link.readlink()) for link in [each / "cwd", *(each / "fd").iterdir()]]
                command = (each / "cmdline").read_text().replace("\0", " ")
            except OSError:
                continue
            if any(link.startswith(str(folder)) for link in links):
                found.append(command)
    return found


def wait_for(condition: object, seconds: float = 20) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.05)
    return False


@pytest.fixture
def slow_verification(tmp_path: Path) -> subprocess.Popen[str]:
    """A verification in the middle of its control run."""
    command = [*CKPTCHECK, "verify", toy("Slow"), "--out", "out", "--steps", "200"]
    process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True, start_new_session=True)
    assert wait_for(lambda: list(tmp_path.glob("out/.partial/runs/*/control/initial.npz")))
    assert wait_for(lambda: len(processes_under(tmp_path)) == 5)  # itself, two servers, the control, the one without saves
    return process


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted(number: int, slow_verification: subprocess.Popen[str], tmp_path: Path) -> None:
    slow_verification.send_signal(number)
    _, errors = slow_verification.communicate(timeout=20)
    assert slow_verification.returncode == 3
    assert errors.splitlines()[-1] == (
        "ckptcheck: Interrupted: nothing was verified, no report was written, no process was left behind."
    )
    assert wait_for(lambda: processes_under(tmp_path) == [])
    assert list(tmp_path.iterdir()) == []


def test_killed(slow_verification: subprocess.Popen[str], tmp_path: Path) -> None:
    slow_verification.kill()
    slow_verification.communicate(timeout=20)
    assert wait_for(lambda: processes_under(tmp_path) == [])
    done = run("verify", toy("Clean"), "--out", "out", *TOY_RUN, cwd=tmp_path)
    assert done.returncode == 0
    assert not (tmp_path / "out" / ".partial").exists()


def test_a_process_that_hangs_is_ended_and_the_others_go_on(tmp_path: Path) -> None:
    names = [toy("Hangs"), toy("ControlHangs"), toy("Clean")]
    done = run("verify", *names, "--timeout", "1", "--json", *TOY_RUN, cwd=tmp_path)
    assert done.returncode == 3
    silence = "it gave no sign of life for 1 s and was ended (--timeout)."
    assert [(case["outcome"], case["reason"]) for case in json.loads(done.stdout)["cases"]] == [
        ("inconclusive", f"The resumed run did not finish: {silence}"),
        ("inconclusive", f"The control did not finish: {silence}"),
        ("recovered", None),
    ]


def test_jobs_lists_every_job_restore_and_option(tmp_path: Path) -> None:
    from dataclasses import fields

    from ckptcheck.jobs.registry import JOBS

    listed = run("jobs", cwd=tmp_path).stdout
    for job in JOBS.values():
        for word in (job.name, *job.expected, *(option.name for option in fields(job.options))):
            assert word in listed


def test_help_names_the_exit_codes(tmp_path: Path) -> None:
    for arguments in (["--help"], ["verify", "--help"]):
        text = " ".join(run(*arguments, cwd=tmp_path).stdout.split())
        assert "0 each case did what was expected; 1 a case did not; 2 the request itself is wrong; 3 it could" in text


def test_version(tmp_path: Path) -> None:
    assert run("--version", cwd=tmp_path).stdout == "ckptcheck 0.1.0\n"


def test_what_a_ci_server_gets(tmp_path: Path) -> None:
    summary = tmp_path / "summary.md"
    summary.write_text("# before\n")
    on_github = os.environ | {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(summary)}
    asked = ["verify", toy("StepLost"), *TOY_RUN, "--junit", "junit.xml", "--markdown", "report.md", "--json"]
    done = run(*asked, cwd=tmp_path, env=on_github)
    assert done.returncode == 1
    assert json.loads(done.stdout)["verdict"] == "fail"
    suite = ElementTree.parse(tmp_path / "junit.xml").getroot()[0]
    assert {name: suite.get(name) for name in ("tests", "failures", "errors")} == {
        "tests": "1",
        "failures": "1",
        "errors": "0",
    }
    text = (tmp_path / "report.md").read_text()
    assert text.startswith("## ckptcheck: fail\n")
    assert summary.read_text() == f"# before\n{text}\n"
    errors = [line for line in done.stderr.splitlines() if line.startswith("::error ")]
    assert len(errors) == 1
    assert "step-lost (not applied at load)" in errors[0]


def test_what_a_ci_server_gets_when_nothing_could_be_verified(tmp_path: Path) -> None:
    asked = ["verify", "bn-n", "--junit", "junit.xml", "--markdown", "report.md"]
    done = run(*asked, cwd=tmp_path, env=os.environ | {"GITHUB_ACTIONS": "true"})
    sentence = "There is no job called 'bn-n'. Did you mean bn-nn? Known: bn-layers, bn-nn, bn-polyak, plain."
    assert done.returncode == 2
    assert ElementTree.parse(tmp_path / "junit.xml").getroot()[0].get("errors") == "1"
    assert sentence in (tmp_path / "report.md").read_text().replace("&#x27;", "'")
    assert any(line.startswith("::error ") and line.endswith(sentence) for line in done.stderr.splitlines())
    assert sorted(each.name for each in tmp_path.iterdir()) == ["junit.xml", "report.md"]


def test_a_file_for_the_ci_server_that_cannot_be_written(tmp_path: Path) -> None:
    done = run("verify", toy("Clean"), "--junit", "no/such/folder.xml", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "ckptcheck: The file no/such/folder.xml cannot be written: No such file or directory.\n"


def test_judging_kept_runs_anew(tmp_path: Path) -> None:
    assert run("verify", toy("Rounds"), *TOY_RUN, cwd=tmp_path).returncode == 1
    assert run("judge", "ckptcheck-out", cwd=tmp_path).returncode == 1
    done = run("judge", "ckptcheck-out", "--rtol", "1e-5", "--atol", "1e-7", cwd=tmp_path)
    assert done.returncode == 0
    assert "recovered: goes on as if nothing had happened, within what is allowed" in done.stdout
    assert "Equal means within the tolerance asked for: rtol=1e-05 atol=1e-07." in done.stdout
    assert run("judge", "ckptcheck-out", "--expect", "diverged", "--restore", "all", cwd=tmp_path).returncode == 0
    nothing = run("judge", ".", cwd=tmp_path)
    assert nothing.returncode == 2
    assert "Name the folder that `ckptcheck verify --out` wrote." in nothing.stderr


def test_several_boundaries(tmp_path: Path) -> None:
    done = run("verify", toy("Clean"), "--steps", "21", "--boundaries", "1,epoch,last", "--json", cwd=tmp_path)
    assert done.returncode == 0
    assert [each["boundary_step"] for each in json.loads(done.stdout)["cases"]] == [1, 12, 20]
