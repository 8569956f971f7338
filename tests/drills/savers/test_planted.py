"""Planted savers, run for real under strace: what each loses is counted, and what is right is not."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from ckptcheck.crash_states.strace_log import why_not
from ckptcheck.drills.savers import processes
from ckptcheck.drills.savers.answers import Answer, Crash, Outcome, Row
from ckptcheck.drills.savers.catalogue import Saver
from ckptcheck.drills.savers.measured import rows_of
from ckptcheck.drills.savers.places import Place
from ckptcheck.errors import NotVerifiedError
from tests.conftest import ROOT
from tests.drills.savers.planted import SAVERS

pytestmark = pytest.mark.skipif(why_not() is not None, reason=why_not() or "")

SCRIPT = "tests.drills.savers.planted"
# Each of its restores of a damaged file ends the process, so these are tried apart.
APART = ("hangs", "dies-saving")


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Row]:
    names = [name for name in SAVERS if name not in APART]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(ROOT))
        return rows_by_name(names, tmp_path_factory.mktemp("savers"))


def rows_by_name(names: list[str], folder: Path) -> dict[str, Row]:
    savers = [Saver(name, "", SCRIPT, ()) for name in names]
    return {row.saver.name: row for row in rows_of(savers, folder)}


def outcomes(row: Row, crash: Crash) -> dict[str, int]:
    counts = {each.value: row.count(crash, each) for each in Outcome}
    return {name: count for name, count in counts.items() if count}


@pytest.mark.parametrize(
    ("name", "kill", "power"),
    [
        ("right", {"old": 3, "new": 1}, {"old": 1, "new": 1}),
        ("right-folder", {"old": 4, "new": 3}, {"old": 1, "new": 1}),
        ("renamed", {"old": 3, "new": 1}, {"old": 1, "refused": 1}),
        ("refuses", {"new": 1, "refused": 2}, {"old": 1, "refused": 1}),
        ("dies", {"new": 1, "refused": 2}, {"old": 1, "refused": 1}),
        ("exits", {"new": 1, "refused": 2}, {"old": 1, "refused": 1}),
        ("begins-anew", {"new": 1, "nothing": 2}, {"old": 1, "nothing": 1}),
        ("tolerant", {"new": 1, "wrong": 2}, {"old": 1, "wrong": 1}),
        ("mixes", {"old": 3, "new": 1, "wrong": 3}, {"old": 1, "new": 1, "wrong": 1}),
    ],
)
def test_what_it_loses(
    name: str, kill: dict[str, int], power: dict[str, int], rows: dict[str, Row]
) -> None:
    assert outcomes(rows[name], Crash.KILL) == kill
    assert outcomes(rows[name], Crash.POWER) == power
    assert rows[name].trouble == ""


@pytest.mark.parametrize(
    ("name", "description", "reason"),
    [
        (
            "refuses",
            "after 2 of 4 operations: last is emptied",
            "JSONDecodeError: Expecting value: line 1 column 1 (char 0)",
        ),
        (
            "renamed",
            "power loss after the save: data of last not on disk, its name is",
            "JSONDecodeError: Expecting value: line 1 column 1 (char 0)",
        ),
        (
            "dies",
            "after 2 of 4 operations: last is emptied",
            "The process was killed by SIGKILL.",
        ),
        ("exits", "after 2 of 4 operations: last is emptied", "SystemExit: damaged"),
        ("begins-anew", "after 2 of 4 operations: last is emptied", "It finds no checkpoint."),
        (
            "mixes",
            "after 6 of 14 operations: tmp-w is renamed to w",
            "Of 2 arrays, 1 is old, 1 is new, and 0 are neither.",
        ),
    ],
)
def test_why(name: str, description: str, reason: str, rows: dict[str, Row]) -> None:
    worst = rows[name].worst
    assert worst is not None
    assert (worst.description, worst.reason) == (description, reason)


@pytest.mark.parametrize(
    ("name", "trouble"),
    [
        (
            "forgets",
            "The old state was saved whole and is not restored. Of 2 arrays, 0 are old, 0 are new, and 2 are neither.",
        ),
        ("raises", "It does not save: OSError: no room"),
        ("nothing", "Its second save changes no file."),
        ("once", "It does not save twice."),
    ],
)
def test_a_saver_that_cannot_be_run(name: str, trouble: str, rows: dict[str, Row]) -> None:
    assert rows[name].trouble == trouble
    assert not rows[name].tried


def test_a_process_that_dies_while_it_saves(tmp_path: Path, found: None) -> None:
    rows = rows_by_name(["dies-saving"], tmp_path)
    assert rows["dies-saving"].trouble == "The process that saves was killed by SIGKILL."


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the processes find the planted savers."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


Restore = Callable[[str, list[str]], list[Answer]]


@pytest.fixture
def restore(tmp_path: Path, found: None) -> Restore:
    """Restore with a planted saver from files of these texts; a silent process is killed soon."""

    def restored(name: str, texts: list[str]) -> list[Answer]:
        place = Place(tmp_path / name)
        items = []
        for number, text in enumerate(texts):
            place.found(number).mkdir(parents=True)
            (place.found(number) / "last").write_text(text)
            folders = {"folder": str(place.folder), "found": str(place.found(number))}
            items.append({"name": name, "script": SCRIPT, **folders})
        return processes.restore(items, tmp_path, silent=5.0)

    return restored


WHOLE, TORN = json.dumps({"step": 1}), "{"


def test_a_restore_that_hangs_is_refused(restore: Restore) -> None:
    whole, torn, again = restore("hangs", [WHOLE, TORN, WHOLE])
    assert torn == Answer(trouble="The process answered nothing for too long and was killed.")
    assert whole == again
    assert whole.state is not None


def test_a_saver_that_kills_too_many_processes(
    restore: Restore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "MOST_DEATHS", 1)
    with pytest.raises(NotVerifiedError, match=r"^2 processes died of what they restored\.$"):
        restore("dies", [TORN, TORN, TORN])
