"""`ckptcheck verify`: exit codes, whole messages, and both output streams."""

import json
import os
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import pytest

from ckptcheck import Report, verify
from tests.command_line import CKPTCHECK, TOY_RUN, call, run
from tests.planted_jobs import SHORT, toy


def test_default_run(
    default_command: tuple[Path, subprocess.CompletedProcess[str]], default_report: Report
) -> None:
    """The first command of the README: its report is that of its runs, judged again."""
    folder, done = default_command
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) <= 45
    assert max(map(len, lines)) <= 80
    assert lines[-6:] == [
        "",
        "A plain Saver brings every moving mean and variance back, bit for bit.",
        "`ema.variables_to_restore()` is not needed: it fails in bn-nn and puts averages",
        "into the weights in bn-polyak. `Saver(tf.trainable_variables())` loses the",
        "moving means and variances in bn-layers.",
        "As expected: 3 recovered, 3 failed as they should.",
    ]
    assert lines[-7] == (
        "Curves: ckptcheck-out/curves.png   All numbers: ckptcheck-out/report.json"
    )
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
        "ckptcheck: warning: bn-layers × trainable: the restore does not cover 39 of 56 tensors, "
        "which keep their initial values: conv1/bn/moving_mean, conv1/bn/moving_variance, "
        "conv2/bn/moving_mean, conv2/bn/moving_variance and 35 more.",
        "ckptcheck: warning: bn-polyak × ema: the restore does not cover 14 of 70 tensors, which "
        "keep their initial values: conv1/kernel/ExponentialMovingAverage, "
        "conv1/bn/gamma/ExponentialMovingAverage, conv1/bn/beta/ExponentialMovingAverage, "
        "conv2/kernel/ExponentialMovingAverage and 10 more.",
    ]


def test_text_report(tmp_path: Path) -> None:
    done = run("verify", toy("StepLost"), *TOY_RUN, cwd=tmp_path)
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    assert max(len(line) for line in lines if "/" not in line) <= 80
    assert "  step-lost (changes the trajectory; not applied at load)" in lines
    accept = lines.index("  To accept: --allow step-lost --allow wrong-first-step")
    assert lines[accept + 1] == "  wrong-first-step shows only once step-lost is accepted."
    assert lines[-4:] == [
        "Curves: ckptcheck-out/curves.png   All numbers: ckptcheck-out/report.json",
        "",
        "StepLost does not recover with `all`: it loses the step counter.",
        "FAIL: 1 of 1 case did not do what was expected: StepLost × all diverged.",
    ]
    assert not any(line != line.rstrip() for line in lines)
    assert "\x1b" not in done.stdout
    document = json.loads((tmp_path / "ckptcheck-out" / "report.json").read_text())
    assert document == verify(toy("StepLost"), **SHORT).document()


def test_more_and_less_text(tmp_path: Path) -> None:
    done = run("verify", toy("StepLost"), *TOY_RUN, "--quiet", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (1, "")
    # The warning is cut where the line is full, so how much of it is there depends on the path.
    whole = (
        "FAIL: 1 of 1 case did not do what was expected: StepLost × all diverged (step-lost). "
        f"1 warning: {toy('StepLost')} × all: the restore does not cover 1 of 6 tensors, which"
    )
    assert done.stdout.endswith(" …\n")
    assert whole.startswith(done.stdout.removesuffix(" …\n"))
    verbose = call("judge", "ckptcheck-out", "-v", cwd=tmp_path).stdout.splitlines()
    assert "diverged: continues on a different trajectory" in verbose
    assert "StepLost: norms of the moving means and variances after the restore" in verbose


def test_what_a_job_prints_does_not_spoil_the_document(tmp_path: Path) -> None:
    done = run("verify", toy("Prints"), "--json", *TOY_RUN, cwd=tmp_path)
    document = json.loads(done.stdout)
    assert document["verdict"] == "pass"
    assert document == json.loads((tmp_path / "ckptcheck-out" / "report.json").read_text())
    (folder,) = (tmp_path / "ckptcheck-out" / "runs").glob("*-Prints")
    assert (
        "a line that must not spoil standard output"
        in (folder / "control" / "output.txt").read_text()
    )


def test_expectation_is_met(tmp_path: Path) -> None:
    asked = ["verify", toy("StepLost"), "--restore", "all", *TOY_RUN]
    assert run(*asked, "--expect", "diverged", cwd=tmp_path).returncode == 0


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["verify", "bn-n"], "There is no job called 'bn-n'. Did you mean bn-nn? Known: bn-layers, bn-nn, bn-polyak, bn-torch, plain."),
        (["verify", "plain", "--restore", "savr"], "There is no restore of plain called 'savr'. Did you mean saver? Known: saver, trainable."),
        (["verify", "plain", "--set", "seed"], "--set takes KEY=VALUE, not 'seed'."),
        (["verify", "plain", "--set", "seed=x"], "The option seed of plain must be a whole number from 0 to 2147483647, not 'x'."),
        (["verify", "plain", "--set", "dataset=no.npz"], "The dataset file no.npz does not exist."),
        (["verify", "plain", "--boundary", "0"], "The boundary 0 lies outside the run of 154 steps. Choose a boundary from 1 to 153."),
        (["verify", toy("Clean"), "--restore", "al"], f"There is no restore of {toy('Clean')} called 'al'. Did you mean all? Known: all."),
        (["verify", toy("Nothing")], f"{toy('Nothing').rpartition(':')[0]} defines nothing called 'Nothing'."),
        (["verfy"], "No such command 'verfy'. Did you mean 'verify'?"),
    ],
)  # fmt: skip
def test_wrong_request(arguments: list[str], text: str, tmp_path: Path) -> None:
    done = call(*arguments, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    *progress, last = done.stderr.splitlines()
    assert last == f"ckptcheck: {text}"
    assert all(line.endswith(("…", " done")) for line in progress)
    assert list(tmp_path.iterdir()) == []  # it leaves nothing behind


def test_reader_who_closes_the_pipe(tmp_path: Path) -> None:
    command = " ".join([*CKPTCHECK, "verify", toy("StepLost"), *TOY_RUN])
    script = f"{command} 2> errors | true; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout == "1\n"
    assert "Traceback" not in (tmp_path / "errors").read_text()


def test_several_boundaries(tmp_path: Path) -> None:
    done = run(
        "verify",
        toy("Clean"),
        "--steps",
        "21",
        "--boundaries",
        "1,epoch,last",
        "--json",
        cwd=tmp_path,
    )
    assert done.returncode == 0
    assert [each["boundary_step"] for each in json.loads(done.stdout)["cases"]] == [1, 12, 20]


def test_ci_outputs(tmp_path: Path) -> None:
    """Of a case that does not do what is expected."""
    summary = tmp_path / "summary.md"
    summary.write_text("# before\n")
    on_github = os.environ | {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(summary)}
    asked = [
        "verify",
        toy("StepLost"),
        *TOY_RUN,
        "--junit",
        "junit.xml",
        "--markdown",
        "report.md",
        "--json",
    ]
    asked += ["--restore", "all", "--expect", "refused"]
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
    assert "step-lost (changes the trajectory; not applied at load)" in errors[0]


def test_ci_outputs_of_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    asked = ["verify", "bn-n", "--junit", "junit.xml", "--markdown", "report.md"]
    done = call(*asked, cwd=tmp_path)
    sentence = "There is no job called 'bn-n'. Did you mean bn-nn? Known: bn-layers, bn-nn, bn-polyak, bn-torch, plain."
    assert done.returncode == 2
    assert ElementTree.parse(tmp_path / "junit.xml").getroot()[0].get("errors") == "1"
    assert sentence in (tmp_path / "report.md").read_text().replace("&#x27;", "'")
    assert any(
        line.startswith("::error ") and line.endswith(sentence) for line in done.stderr.splitlines()
    )
    assert sorted(each.name for each in tmp_path.iterdir()) == ["junit.xml", "report.md"]


def test_a_file_for_the_ci_server_that_cannot_be_written(tmp_path: Path) -> None:
    done = call("verify", toy("Clean"), "--junit", "no/such/folder.xml", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert (
        done.stderr
        == "ckptcheck: The file no/such/folder.xml cannot be written: No such file or directory.\n"
    )


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["--json", "-v"], "--json prints the whole report as JSON: leave out --verbose."),
        (["--json", "-q"], "--json prints the whole report as JSON: leave out --quiet."),
        (["-v", "-q"], "--verbose and --quiet are opposites: give one of them."),
    ],
)
def test_outputs_that_exclude_each_other(options: list[str], text: str, tmp_path: Path) -> None:
    for command in (["verify", "plain"], ["judge", "out"], ["compare", "a", "b"]):
        done = call(*command, *options, cwd=tmp_path)
        assert (done.returncode, done.stdout, done.stderr) == (2, "", f"ckptcheck: {text}\n")
    assert list(tmp_path.iterdir()) == []


def test_help_groups_its_options(tmp_path: Path) -> None:
    lines = call("verify", "--help", cwd=tmp_path).stdout.splitlines()
    heads = [line for line in lines if line.endswith(":") and not line.startswith(" ")]
    assert heads == [
        "What to run:",
        "How to run it:",
        "A command, -- COMMAND:",
        "What counts as equal, and what to expect:",
        "Output:",
        "Other:",
        "Examples:",
    ]
    first_in = {head: lines[lines.index(head) + 1].split()[0] for head in heads}
    assert first_in["What to run:"] == "--restore"
    assert first_in["Other:"] == "-h,"


def test_a_job_that_raises_names_the_log_with_its_traceback(tmp_path: Path) -> None:
    base = Path(toy("Clean").partition(":")[0]).parent
    (tmp_path / "job.py").write_text(
        f"import sys; sys.path.insert(0, {str(base)!r})\nfrom base import Clean\n"
        "class Raises(Clean):\n    restores = ('all',)\n"
        "    def train(self, step):\n        raise RuntimeError('boom')\n"
    )
    done = run("verify", "job.py:Raises", *TOY_RUN, cwd=tmp_path)
    assert done.returncode == 3, done.stderr
    assert "ckptcheck: job.py:Raises control did not finish\n" in done.stderr
    log = "ckptcheck-out/runs/job-Raises/control/output.txt"
    assert f"\nTraceback: {log}\n" in done.stdout
    assert "RuntimeError: boom" in (tmp_path / log).read_text()
