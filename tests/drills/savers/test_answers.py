"""What an answer counts as, and the numbers of a row."""

import pytest

from ckptcheck.crash_states.states import Family
from ckptcheck.drills.savers.answers import Answer, Crash, Outcome, Row, Tried, judged
from ckptcheck.drills.savers.catalogue import SAVERS, Saver, chosen, why_left_out
from ckptcheck.errors import UsageError

OLD = {"w": "1", "m": "1", "step": "1", "same": "s"}
NEW = {"w": "2", "m": "2", "step": "2", "same": "s"}
SAVER = Saver("planted", "a call", "no.module", ())


@pytest.mark.parametrize(
    ("answer", "outcome", "reason"),
    [
        (Answer(OLD), Outcome.OLD, ""),
        (Answer(NEW), Outcome.NEW, ""),
        (Answer(dict(reversed(NEW.items()))), Outcome.NEW, ""),
        (Answer(None), Outcome.NOTHING, "It finds no checkpoint."),
        (Answer(trouble="EOFError: short"), Outcome.REFUSED, "EOFError: short"),
        (
            Answer({**OLD, "w": "2"}),
            Outcome.WRONG,
            "Of 3 arrays, 2 are old, 1 is new, and 0 are neither.",
        ),
        (
            Answer({**NEW, "w": "0"}),
            Outcome.WRONG,
            "Of 3 arrays, 0 are old, 2 are new, and 1 is neither.",
        ),
        (
            Answer({**NEW, "same": "0"}),
            Outcome.WRONG,
            "Of 4 arrays, 0 are old, 3 are new, and 1 is neither.",
        ),
        (
            Answer({"w": "2"}),
            Outcome.WRONG,
            "Of 4 arrays, 0 are old, 1 is new, and 3 are neither.",
        ),
        (
            Answer({**NEW, "more": "0"}),
            Outcome.WRONG,
            "Of 4 arrays, 0 are old, 3 are new, and 1 is neither.",
        ),
        (Answer({}), Outcome.WRONG, "Of 4 arrays, 0 are old, 0 are new, and 4 are neither."),
    ],
)
def test_what_it_counts_as(answer: Answer, outcome: Outcome, reason: str) -> None:
    assert judged(answer, OLD, NEW) == (outcome, reason)


def test_which_crash_leaves_a_state() -> None:
    assert [Crash.of(family) for family in Family] == [Crash.KILL, Crash.KILL, Crash.POWER]


def tried(crash: Crash, outcome: Outcome, description: str = "") -> Tried:
    return Tried(crash, description, outcome, "why" if outcome is Outcome.REFUSED else "")


def test_a_row_counts_kills_and_power_failures_apart() -> None:
    row = Row(
        SAVER,
        [
            tried(Crash.KILL, Outcome.REFUSED, "emptied"),
            tried(Crash.KILL, Outcome.REFUSED, "half"),
            tried(Crash.KILL, Outcome.NEW),
            tried(Crash.POWER, Outcome.OLD),
            tried(Crash.POWER, Outcome.WRONG, "unsynced"),
        ],
    )
    none = dict.fromkeys(("old", "new", "refused", "nothing", "wrong"), 0)
    document = row.document()
    assert document["kill"] == {"states": 3, **none, "refused": 2, "new": 1}
    assert document["power_failure"] == {"states": 2, **none, "old": 1, "wrong": 1}
    assert [each["state"] for each in document["lost"]] == ["emptied", "half", "unsynced"]
    assert row.count(Crash.KILL, Outcome.OLD, Outcome.NEW) == 1


def test_the_worst_state_is_of_a_kill_if_one_loses_anything() -> None:
    refused = tried(Crash.KILL, Outcome.REFUSED)
    wrong, nothing = tried(Crash.KILL, Outcome.WRONG), tried(Crash.KILL, Outcome.NOTHING)
    power = tried(Crash.POWER, Outcome.WRONG)
    kept = tried(Crash.KILL, Outcome.OLD)
    assert Row(SAVER, [kept, refused, nothing, wrong, power]).worst is wrong
    assert Row(SAVER, [refused, nothing]).worst is nothing
    assert Row(SAVER, [power, refused]).worst is refused
    assert Row(SAVER, [kept, power]).worst is power
    assert Row(SAVER, [kept]).worst is None


def test_each_saver_has_a_fixed_twin() -> None:
    stock = [each.name for each in SAVERS if not each.fixes]
    assert sorted(name for each in SAVERS for name in each.fixes) == sorted(stock)
    assert len({each.name for each in SAVERS}) == len(SAVERS)


def test_a_saver_is_chosen_with_its_twin() -> None:
    assert chosen(()) == [*SAVERS]
    assert [each.name for each in chosen(["dcp"])] == ["dcp", "dcp-fixed"]
    assert [each.name for each in chosen(["torch-save-rename", "dcp-fixed"])] == [
        "torch-save-rename",
        "torch-save-fixed",
        "dcp-fixed",
    ]
    with pytest.raises(
        UsageError, match=r"^There is no saver called 'torch-sav'\. Did you mean torch-save"
    ):
        chosen(["torch-sav"])


def test_why_a_saver_is_left_out() -> None:
    assert why_left_out(SAVER) is None
    assert why_left_out(Saver("a", "", "", ("numpy", "no_package"))) == (
        "no_package is not installed"
    )
    assert why_left_out(Saver("a", "", "", ("no_package", "no_other"))) == (
        "no_package and no_other are not installed"
    )
