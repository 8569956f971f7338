"""The points of a drill: their names, their order, and when a run reaches each."""

from collections.abc import Sequence

import pytest

from ckptcheck.drills.points import POINTS, Point, Trigger, parse_points, parse_saves, trigger_of
from ckptcheck.drills.saves import Save
from ckptcheck.errors import UsageError

STEPS = 40
# Every 8 steps; each save takes half a second and has 5 file events before its last rename.
SAVES = [Save(done, done, done, 0.6, 5) for done in (8, 16, 24)]
# As the second one of these, but by a thread, during two further steps.
LATE = [SAVES[0], Save(16, 16, 18, 0.6, 5), SAVES[2]]
# Of one file, written at once: nothing precedes its close.
SMALL = [Save(8, 8, 8, 0.0, 0)]


@pytest.mark.parametrize(
    ("name", "trigger"),
    [
        ("mid", Trigger(17, 16, 1, 0.3)),
        ("before-commit", Trigger(17, 16, 5)),
        ("after-save", Trigger(17)),
        ("restart", Trigger(20)),
        ("term", Trigger(20)),
        ("first-event", Trigger(17, 16, 1)),
        ("between", Trigger(20)),
    ],
)
def test_when_a_run_reaches_each_point_of_a_save(name: str, trigger: Trigger) -> None:
    assert trigger_of(Point(name, 2), SAVES, STEPS) == trigger


def test_each_point_has_a_trigger() -> None:
    for name in POINTS:
        assert trigger_of(Point(name, 1), SAVES, STEPS).steps > SAVES[0].ended


@pytest.mark.parametrize(
    ("name", "saves", "number", "trigger"),
    [
        ("between", SAVES, 1, Trigger(12)),
        ("between", SAVES, 3, Trigger(32)),  # up to the end
        ("term", SAVES, 3, Trigger(32)),
        ("between", SAVES[:1], 1, Trigger(24)),
        ("restart", SAVES[:1], 1, Trigger(24)),
        ("mid", SAVES[:1], 1, Trigger(9, 8, 1, 0.3)),
        ("after-save", SAVES[:1], 1, Trigger(9)),
    ],
)
def test_the_last_or_only_save_is_followed_by_the_end(
    name: str, saves: Sequence[Save], number: int, trigger: Trigger
) -> None:
    assert trigger_of(Point(name, number), saves, STEPS) == trigger


@pytest.mark.parametrize(
    ("name", "trigger"),
    [
        ("mid", Trigger(19, 16, 1, 0.3)),
        ("before-commit", Trigger(19, 16, 5)),
        ("after-save", Trigger(19)),
        ("first-event", Trigger(19, 16, 1)),
        ("between", Trigger(20)),
    ],
)
def test_a_save_by_a_thread_is_over_once_the_thread_is_done(name: str, trigger: Trigger) -> None:
    assert trigger_of(Point(name, 2), LATE, STEPS) == trigger


def test_between_comes_after_a_save_that_lasts_until_the_next_one() -> None:
    saves = [Save(8, 8, 15, 0.6, 5), Save(16, 16, 16, 0.6, 5)]
    assert trigger_of(Point("between", 1), saves, STEPS) == Trigger(16)


def test_no_step_is_between_a_save_and_the_end() -> None:
    assert trigger_of(Point("between", 1), [Save(39, 39, 39, 0.6, 5)], STEPS) == Trigger(40)


@pytest.mark.parametrize(
    ("name", "saves", "triggers"),
    [
        ("mid", SAVES, [(1, pytest.approx(0.3 / times)) for times in (1, 3, 9)]),
        ("before-commit", SAVES, [(5, 0.0), (3, 0.0), (1, 0.0)]),
        ("first-event", SAVES, [(1, 0.0)] * 3),
        # There is no event before the first.
        ("before-commit", SMALL, [(1, 0.0)] * 3),
        ("mid", SMALL, [(1, 0.0)] * 3),
    ],
)
def test_after_a_kill_that_was_too_late_comes_an_earlier_one(
    name: str, saves: Sequence[Save], triggers: object
) -> None:
    found = [trigger_of(Point(name, 1), saves, STEPS, attempt) for attempt in range(3)]
    assert [(each.events, each.seconds) for each in found] == triggers
    assert {(each.steps, each.save) for each in found} == {(9, 8)}


def test_reports_name_a_point_with_its_save() -> None:
    assert [Point(name, 2).label for name in POINTS] == [
        "mid of save 2",
        "before-commit of save 2",
        "after save 2",
        "restart after save 2",
        "term after save 2",
        "first-event of save 2",
        "between, after save 2",
    ]


# --- What is asked for ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (None, tuple(POINTS)),
        ("mid", ("mid",)),
        ("between, mid ,restart", ("mid", "restart", "between")),
        (["term", "after-save"], ("after-save", "term")),
        (("mid", "mid"), ("mid",)),
        ("mid,mid", ("mid",)),
    ],
)
def test_points_come_the_most_telling_first(
    text: str | list[str] | None, names: tuple[str, ...]
) -> None:
    assert parse_points(text) == names


KNOWN = "Known: after-save, before-commit, between, first-event, mid, restart, term."


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("midd", f"There is no point called 'midd'. Did you mean mid? {KNOWN}"),
        (
            "mid,aftersave",
            f"There is no point called 'aftersave'. Did you mean after-save? {KNOWN}",
        ),
        (["mid", "power cut"], f"There is no point called 'power cut'. {KNOWN}"),
        ("Mid", f"There is no point called 'Mid'. Did you mean mid? {KNOWN}"),
        ("", f"There is no point called ''. {KNOWN}"),
        ("mid,", f"There is no point called ''. {KNOWN}"),
    ],
)
def test_a_wrong_point_is_named_with_those_that_there_are(text: str | list[str], why: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_points(text)
    assert str(caught.value) == why


def test_no_point_at_all_is_refused() -> None:
    with pytest.raises(UsageError):
        parse_points([])


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        (None, ()),
        (2, (2,)),
        ("2", (2,)),
        ("3, 1", (1, 3)),
        ([2, 1, 2], (1, 2)),
        ((1,), (1,)),
    ],
)
def test_saves_rise(text: str | int | Sequence[int] | None, numbers: tuple[int, ...]) -> None:
    assert parse_saves(text) == numbers


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (0, "0"),
        (-1, "-1"),
        ("", "''"),
        ("two", "'two'"),
        ("1,", "'1,'"),
        ("1-3", "'1-3'"),
        ([0, 1], "[0, 1]"),
        ([], "[]"),
        ([1.5], "[1.5]"),
    ],
)
def test_a_wrong_number_of_a_save_is_shown(text: str | int | Sequence[int], shown: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_saves(text)
    assert str(caught.value) == f"--saves takes numbers from 1, such as 2 or 1,2, not {shown}."
