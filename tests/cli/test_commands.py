"""`verify -- COMMAND`, with commands that need no framework: bad requests, and what is not seen."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.command_line import CKPTCHECK, call, run
from tests.processes import default_sigint

PYTHON = sys.executable


def said(*arguments: str, cwd: Path) -> tuple[int, str, str]:
    done = run("verify", "--out", str(cwd / "out"), *arguments, cwd=cwd)
    answer = done.stdout[done.stdout.find("Whether") :] if "Whether" in done.stdout else ""
    return done.returncode, " ".join(answer.split()), done.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "The command is empty. Write it after --: -- python train.py --out {run}."),
        (
            ["python", "train.py"],
            "The command does not say where it writes its checkpoints. Put {run} in place of that folder, as in -- python train.py --out {run}, or name the folder with --writes DIR.",
        ),
        (
            ["no-such-program", "{run}"],
            "no-such-program cannot be started: No such file or directory.",
        ),
    ],
)
def test_a_request_that_is_wrong(tmp_path: Path, words: list[str], message: str) -> None:
    status, _, printed = said("--", *words, cwd=tmp_path)
    assert status == 2
    assert printed.splitlines()[-1] == f"ckptcheck: {message}"
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ["bn-nn"],
            "A command takes no job: only jobs in classes do. Its own options are resume, save, max-steps, writes and metric.",
        ),
        (
            ["--restore", "saver", "--steps", "5"],
            "A command takes no restore and no steps: only jobs in classes do. Its own options are resume, save, max-steps, writes and metric.",
        ),
        (
            ["--save", "soon"],
            "There is no save 'soon'. Write its number, `last`, or `2 of 10` for 2 saves spread over the first 10.",
        ),
        (["--resume", "a 'b"], '"a \'b" cannot be split into words: No closing quotation.'),
        (["--max-steps", "1"], "A run of 1 step cannot be resumed. Ask for at least 2."),
        (["--timeout", "0"], "The timeout must be above 0 seconds, not 0."),
    ],
)
def test_options_that_do_not_fit(tmp_path: Path, options: list[str], message: str) -> None:
    status, _, printed = said(*options, "--", PYTHON, "{run}", cwd=tmp_path)
    assert (status, printed.splitlines()[-1]) == (2, f"ckptcheck: {message}")


def test_a_file_that_cannot_be_executed(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text("print('trained')")
    status, _, printed = said("--", "./train.py", "{run}", cwd=tmp_path)
    assert status == 2
    assert printed.splitlines()[-1] == (
        "ckptcheck: ./train.py cannot be started: Permission denied. Make it executable, or name its interpreter first: -- python train.py {run}."
    )


def test_the_help_has_the_options_of_a_command(tmp_path: Path) -> None:
    shown = call("verify", "-h", cwd=tmp_path).stdout
    section = shown.partition("A command, -- COMMAND:\n")[2].partition("\n\n")[0]
    options = [line.split()[0] for line in section.splitlines() if line.strip().startswith("--")]
    assert options == ["--resume", "--writes", "--save", "--max-steps", "--metric"]


def test_options_of_a_command_without_one(tmp_path: Path) -> None:
    status, _, printed = said("bn-nn", "--save", "2", "--max-steps", "9", cwd=tmp_path)
    assert (status, printed) == (
        2,
        "ckptcheck: Only a command takes save and max-steps. Write the command after --: -- python train.py {run}.\n",
    )


def test_a_folder_that_holds_something_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "best.keras").write_text("mine")
    status, _, printed = said("--writes", "mine", "--", PYTHON, "-c", "1", cwd=tmp_path)
    assert status == 2
    assert printed.splitlines()[-1] == (
        f"ckptcheck: {tmp_path / 'mine'} is not empty. The command is verified from nothing: name a folder that is new or empty, or move its files away."
    )
    assert (tmp_path / "mine" / "best.keras").read_text() == "mine"


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        (
            "print('a'); print('b'); raise SystemExit(3)",
            "The control did not finish: it exited with status 3: b.",
        ),
        (
            "import sys; sys.exit(4)",
            "The control did not finish: it exited with status 4, and printed nothing.",
        ),
        (
            "input('Go on? ')",
            "The control did not finish: it exited with status 1: EOFError: EOF when reading a line. It asks for input, and gets none: pass the answer as an argument.",
        ),
        (
            "import os; os.kill(os.getpid(), 9)",
            "The control did not finish: it was killed by SIGKILL, and printed nothing.",
        ),
        (
            "print('trained')",
            "No Python process of the command imported TensorFlow or PyTorch, so nothing was seen of its training.",
        ),
    ],
)
def test_a_command_that_cannot_be_verified(tmp_path: Path, program: str, reason: str) -> None:
    status, answer, _ = said("--", PYTHON, "-c", program, "{run}", cwd=tmp_path)
    assert status == 3
    assert answer == (
        f"Whether {Path(PYTHON).name} recovers with `restart` is unknown. {reason} "
        f"INCONCLUSIVE: 1 of 1 case could not be judged: {Path(PYTHON).name} × restart."
    )


@pytest.mark.parametrize(
    ("program", "line"),
    [
        ("print('no data'); raise SystemExit(3)", "Output: "),
        ("print('no data'); raise ValueError", "Traceback: "),
    ],
)
def test_the_log_of_a_command_that_failed_is_named(tmp_path: Path, program: str, line: str) -> None:
    words = ("verify", "--out", str(tmp_path / "out"), "--", PYTHON, "-c", program, "{run}")
    printed = run(*words, cwd=tmp_path).stdout
    named = [each for each in printed.splitlines() if each.startswith(line)]
    assert len(named) == 1
    assert Path(named[0].removeprefix(line)).read_text().startswith("no data")


def test_what_a_command_printed_is_shown_if_asked(tmp_path: Path) -> None:
    words = ("--", PYTHON, "-c", "print('trained')", "{run}")
    done = run("verify", "-v", "--out", "out", *words, cwd=tmp_path)
    name = Path(PYTHON).name
    assert f"All of out/runs/{name}/control/output.txt:\n  trained\n" in done.stdout
    assert "trained" not in run("verify", "--out", "out", *words, cwd=tmp_path).stdout


def test_a_command_that_makes_no_step_is_killed(tmp_path: Path) -> None:
    program = "import subprocess, time; subprocess.Popen(['sleep', '77'], start_new_session=True); time.sleep(77)"
    words = ["--timeout", "2", "--", PYTHON, "-c", program, "{run}"]
    status, answer, _ = said(*words, cwd=tmp_path)
    assert status == 3
    assert (
        "it made no step for 2 s and was killed. Raise --timeout if its steps take longer."
        in answer
    )
    assert not _alive("77")


def test_a_command_that_cannot_be_observed_ends_at_once(tmp_path: Path) -> None:
    program = """
import json, os, pathlib, time
folder = json.loads(pathlib.Path(os.environ["CKPTCHECK_OBSERVER"]).read_text())["folder"]
pathlib.Path(folder, "trouble.txt").write_text("The command could not be observed.\\n")
time.sleep(60)
"""
    began = time.monotonic()
    status, answer, _ = said("--", PYTHON, "-c", program, "{run}", cwd=tmp_path)
    assert status == 3
    assert "is unknown. The command could not be observed. INCONCLUSIVE" in answer
    assert time.monotonic() - began < 30


def test_a_daemon_without_the_environment_is_killed(tmp_path: Path) -> None:
    program = "import subprocess, time; subprocess.Popen(['sleep', '79'], start_new_session=True, env={}); time.sleep(3)"
    status, _, _ = said("--", PYTHON, "-c", program, "{run}", cwd=tmp_path)
    assert status == 3
    assert not _alive("79")


def test_no_process_survives_an_interrupt(tmp_path: Path) -> None:
    program = "import subprocess, time; subprocess.Popen(['sleep', '78'], start_new_session=True); time.sleep(78)"
    command = [*CKPTCHECK, "verify", "--", PYTHON, "-c", program, "{run}"]
    process = subprocess.Popen(
        command, cwd=tmp_path, stderr=subprocess.PIPE, text=True, preexec_fn=default_sigint
    )
    deadline = time.monotonic() + 30
    while not _alive("78") and time.monotonic() < deadline:
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, printed = process.communicate(timeout=60)
    assert process.returncode == 3
    last = "ckptcheck: Interrupted: nothing was verified, and no process is left behind."
    assert printed.splitlines()[-1] == last
    assert not _alive("78")
    assert not list(tmp_path.iterdir())


def _alive(seconds: str) -> bool:
    found = (each.info["cmdline"] or [] for each in psutil.process_iter(["cmdline"]))
    return any(words[:2] == ["sleep", seconds] for words in found)


TABLE = """
[tool.ckptcheck.commands.train]
command = ["{python}", "-c", "print('named')", "{{run}}"]
max-steps = 5

[tool.ckptcheck.commands.other]
command = "false {{run}}"
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "pyproject.toml").write_text(TABLE.format(python=PYTHON))
    return tmp_path


def test_a_command_of_the_project_by_its_name(project: Path) -> None:
    status, answer, printed = said("train", cwd=project)
    assert status == 3
    first = f"ckptcheck: verifying the command train of {project / 'pyproject.toml'}"
    assert printed.splitlines()[0] == first
    assert "No Python process of the command imported TensorFlow" in answer
    (output,) = (project / "out" / "runs").glob("*/control/output.txt")
    assert output.read_text() == "named\n"


def test_several_commands_of_the_project(project: Path) -> None:
    status, _, printed = said(cwd=project)
    assert status == 2
    assert printed == (
        f"ckptcheck: {project / 'pyproject.toml'} names the commands train, other. Name one of them.\n"
    )


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            'comand = "x"',
            "[tool.ckptcheck.commands.train] in {} has no key 'comand'. Did you mean command?",
        ),
        (
            'resume = "x"',
            '[tool.ckptcheck.commands.train] in {} has no command. Write command = "python train.py --out {{run}}".',
        ),
        (
            "command = 3",
            "command in [tool.ckptcheck.commands.train] of {} must be a text, or a list of words, not 3.",
        ),
    ],
)
def test_a_table_that_is_wrong(tmp_path: Path, line: str, message: str) -> None:
    file = tmp_path / "pyproject.toml"
    file.write_text(f"[tool.ckptcheck.commands.train]\n{line}\n")
    status, _, printed = said(cwd=tmp_path)
    assert status == 2
    assert printed.startswith(f"ckptcheck: {message.format(file)}")
