"""`drill --suite savers`: what is asked for wrongly, what is left out, and what is printed."""

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from ckptcheck.crash_states.strace_log import why_not
from ckptcheck.drills.savers import study, terminal
from ckptcheck.drills.savers.answers import Crash, Outcome, Row, Tried
from ckptcheck.drills.savers.catalogue import SAVERS, Saver
from ckptcheck.drills.savers.study import SaversReport
from ckptcheck.errors import NotVerifiedError
from ckptcheck.report.outputs.console import SafeConsole
from tests.command_line import call


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--suite", "saver"], "There is no suite of a drill called 'saver'. Did you mean savers?"),
        (
            ["--suite", "savers", "--only", "dpc"],
            "There is no saver called 'dpc'. Did you mean dcp?",
        ),
        (
            ["--suite", "savers", "--", "python", "train.py", "{run}"],
            "--suite takes no command: leave out what follows --.",
        ),
        (
            ["--suite", "savers", "--states"],
            "--suite savers takes --only and --json alone: leave out --states.",
        ),
        (
            ["--suite", "savers", "-q"],
            "--suite savers takes --only and --json alone: leave out --quiet.",
        ),
        (
            ["--suite", "savers", "--equal-nan", "--json"],
            "--suite savers takes --only and --json alone: leave out --equal-nan.",
        ),
        (
            ["--only", "dcp", "--", "python", "train.py", "{run}"],
            "--only names savers of a suite: add --suite savers.",
        ),
    ],
)
def test_a_request_that_is_wrong(tmp_path: Path, arguments: list[str], message: str) -> None:
    done = call("drill", *arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.splitlines()[-1].startswith(f"ckptcheck: {message}")
    assert not [*tmp_path.iterdir()]


def test_without_strace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(study, "why_not", lambda: "strace is not installed.")
    with pytest.raises(
        NotVerifiedError, match=r"^Crash states cannot be enumerated: strace is not installed\.$"
    ):
        study.study()


def missing(name: str) -> Saver:
    return Saver(name, "", "no.module", ("no_package",))


@pytest.mark.skipif(why_not() is not None, reason=why_not() or "")
def test_where_no_package_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(study, "chosen", lambda only: [missing("a"), missing("b")])
    with pytest.raises(NotVerifiedError) as raised:
        study.study()
    assert str(raised.value) == (
        "No saver can be run here. a: no_package is not installed; b: no_package is not installed."
    )


def of(name: str) -> Saver:
    return next(each for each in SAVERS if each.name == name)


REPORT = SaversReport(
    (
        Row(
            of("torch-save"),
            [
                Tried(Crash.KILL, "after 2 of 6 operations", Outcome.REFUSED, "EOFError: short"),
                Tried(Crash.KILL, "after the save", Outcome.NEW),
                Tried(Crash.POWER, "power loss", Outcome.NOTHING, "It finds no checkpoint."),
            ],
        ),
        Row(of("torch-save-fixed"), [Tried(Crash.KILL, "after the save", Outcome.NEW)]),
        Row(of("dcp"), trouble="It does not save: OSError: no room"),
        Row(of("backup-and-restore-fixed")),
    ),
    {"tf-saver": "tensorflow is not installed"},
    {"torch": "2.13.0"},
)


def printed(report: SaversReport, width: int) -> str:
    console = SafeConsole(file=io.StringIO(), width=width)
    terminal.show(report, console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_the_table_fits_on_80_columns() -> None:
    text = printed(REPORT, 80)
    assert max(map(len, text.splitlines())) <= 80
    assert text.partition("complaint).\n\n")[2] == (
        """\
                           kill:                    power:
saver                       kept refused none wrong   kept refused none wrong
torch-save                     1       1    0     0      0       0    1     0
  torch-save-fixed             1       0    0     0      0       0    0     0
dcp                            –       –    –     –      –       –    –     –
  backup-and-restore-fixed     0       0    0     0      0       0    0     0

torch-save: torch.save(state, path)
  refused after 2 of 6 operations
    EOFError: short

"""
    )


def test_it_is_as_wide_as_it_must_be() -> None:
    assert isinstance(SafeConsole(width=200), Console)
    assert "torch-save                     1" in printed(REPORT, 200)


def test_what_the_table_does_not_cover() -> None:
    assert REPORT.warnings() == [
        "tf-saver is left out: tensorflow is not installed.",
        "dcp could not be run. It does not save: OSError: no room",
    ]
    assert REPORT.exit_code == 3
    assert SaversReport(REPORT.rows[:2], REPORT.left_out).exit_code == 0


def test_json() -> None:
    document = json.loads(REPORT.to_json())
    assert document["versions"] == {"torch": "2.13.0"}
    assert document["left_out"] == {"tf-saver": "tensorflow is not installed"}
    first, second, third, _ = document["savers"]
    assert first["lost"] == [
        {
            "crash": "kill",
            "state": "after 2 of 6 operations",
            "outcome": "refused",
            "reason": "EOFError: short",
        },
        {
            "crash": "power failure",
            "state": "power loss",
            "outcome": "nothing",
            "reason": "It finds no checkpoint.",
        },
    ]
    assert second["fixes"] == ["torch-save", "torch-save-rename"]
    assert third["trouble"] == "It does not save: OSError: no room"
