"""File events, grouped into the saves that they are part of."""

from collections.abc import Iterable

import pytest

from ckptcheck.drills.saves import (
    FileEvent,
    Save,
    is_of_save,
    routine_of,
    saves_of,
    without_repeats,
)


def events(*lines: str) -> list[FileEvent]:
    """Return events of lines `DONE WHAT PATH`, a tenth of a second apart."""
    words = [line.split() for line in lines]
    return [
        FileEvent(int(done), round(100 + place / 10, 1), path, what)
        for place, (done, what, path) in enumerate(words)
    ]


def written(done: int, name: str) -> list[str]:
    """A file that is written under a name of its own, and renamed."""
    written = [f"{done} {what} {name}.tmp" for what in ("create", "modify", "close")]
    return [*written, f"{done} delete {name}.tmp", f"{done} move {name}"]


def saves(dones: Iterable[int], *lines: str) -> list[tuple[int, int, float, int]]:
    found = saves_of(list(dones), 24, events(*lines))
    return [(each.done, each.ended, round(each.seconds, 1), each.uncommitted) for each in found]


def test_each_save_has_its_own_events() -> None:
    found = saves([8, 16], *written(8, "a.pt"), *written(16, "b.pt"))
    assert found == [(8, 8, 0.4, 4), (16, 16, 0.4, 4)]


def test_what_is_deleted_after_the_last_rename_is_no_longer_before_it() -> None:
    assert saves([8], *written(8, "a.pt"), "8 delete old.pt", "8 delete older.pt") == [
        (8, 8, 0.6, 4)
    ]


def test_a_file_that_is_written_in_place_after_the_last_rename_is_before_its_own_close() -> None:
    lines = [f"8 {what} optimizer.pt" for what in ("create", "modify", "close")]
    assert saves([8], *written(8, "model.pt"), *lines) == [(8, 8, 0.7, 7)]


def test_of_several_renames_the_last_one_counts() -> None:
    assert saves([8], *written(8, "a.pt"), *written(8, "latest.txt")) == [(8, 8, 0.9, 9)]


def test_without_a_rename_the_last_close_counts() -> None:
    lines = ["8 modify a.pt", "8 close a.pt", "8 create b.pt", "8 modify b.pt", "8 close b.pt"]
    assert saves([8], *lines, "8 delete old.pt") == [(8, 8, 0.5, 4)]


def test_without_a_close_all_of_its_events_count() -> None:
    assert saves([8], "8 create a.pt", "8 modify a.pt") == [(8, 8, 0.1, 2)]


def test_a_save_without_events_is_none_that_can_be_killed_within() -> None:
    assert saves_of([8], 24, []) == [Save(8, 7, 8, 0.0, 0)]


def test_what_a_thread_writes_later_is_of_the_save_before_it() -> None:
    lines = ["8 create a.tmp", "9 modify a.tmp", "10 close a.tmp", "11 delete a.tmp", "11 move a"]
    assert saves([8, 16], *lines, *written(16, "b")) == [(8, 11, 0.4, 4), (16, 16, 0.4, 4)]


def test_a_thread_that_writes_until_the_next_save_ends_its_own() -> None:
    lines = ["8 create a.pt", "14 modify a.pt", "15 close a.pt", *written(16, "b.pt")]
    assert saves([8, 16], *lines) == [(8, 14, 0.1, 2), (16, 16, 0.4, 4)]


def test_a_save_before_its_step_is_shown_is_that_save() -> None:
    lines = [*written(7, "a.pt"), *written(15, "b.pt")]
    assert saves([8, 16], *lines) == [(8, 8, 0.4, 4), (16, 16, 0.4, 4)]


def test_a_step_that_is_shown_in_mid_save_does_not_split_it() -> None:
    lines = ["7 create a.tmp", "7 modify a.tmp", "8 close a.tmp", "8 delete a.tmp", "8 move a"]
    assert saves([8], *lines) == [(8, 8, 0.2, 2)]


def test_logs_between_saves_are_of_none() -> None:
    logs = [f"{done} modify log.{ending}" for done in range(9, 16) for ending in ("txt", "csv")]
    lines = [*written(8, "a.pt"), *logs, "12 modify events.out.tfevents.1", *written(16, "b.pt")]
    assert saves([8, 16], *lines) == [(8, 8, 0.4, 4), (16, 16, 0.4, 4)]


def test_a_text_file_is_of_the_save_in_which_it_is_written() -> None:
    text = [f"8 {what} latest.txt" for what in ("create", "modify", "close")]
    assert saves([8], *text) == [(8, 8, 0.2, 2)]
    assert saves([8], *text, *written(8, "a.pt")) == [(8, 8, 0.7, 7)]


def test_what_is_saved_after_the_last_step_is_of_no_save() -> None:
    assert saves([8, 16], *written(16, "a.pt"), *written(24, "b.pt"))[1] == (16, 16, 0.4, 4)


def test_what_precedes_the_first_save_is_of_none() -> None:
    lines = ["0 create config.yaml", "0 create initial.pt", "6 modify events.pt"]
    assert saves([8], *lines, *written(8, "a.pt")) == [(8, 8, 0.4, 4)]


@pytest.mark.parametrize(
    ("done", "path", "is_part"),
    [
        (7, "a.pt", False),
        (7, "log.txt", False),
        (8, "a.pt", True),
        (8, "log.txt", True),
        (8, "events.out.tfevents.1", True),
        (9, "a.pt", True),
        (9, "log.txt", False),
    ],
)
def test_which_events_are_of_a_save(done: int, path: str, is_part: bool) -> None:
    assert is_of_save(FileEvent(done, 100.0, path, "modify"), 8) is is_part


def test_further_writes_to_a_file_are_left_out() -> None:
    """How many are reported depends on how fast they are read: so does no count."""
    lines = ["8 create a", *["8 modify a"] * 5, "8 close a", "8 modify a", "8 modify a"]
    kept = [each.what for each in without_repeats(events(*lines))]
    assert kept == ["create", "modify", "close", "modify"]
    assert saves([8], *lines[:7]) == [(8, 8, 0.6, 2)]


def test_the_first_of_repeated_writes_is_kept() -> None:
    kept = without_repeats(events("8 modify a", "8 modify a", "9 modify a"))
    assert kept == events("8 modify a")


def test_writes_to_two_files_in_turn_are_all_kept() -> None:
    written = events("8 modify a", "8 modify b", "8 modify a", "8 modify b")
    assert without_repeats(written) == written


def test_other_events_are_kept_however_often_they_come() -> None:
    made = events("8 create a", "8 create a", "8 close a", "8 close a", "8 delete a", "8 delete a")
    assert without_repeats(made) == made


# --- A record of the training ---------------------------------------------------------------

EACH = list(range(1, 12))


@pytest.mark.parametrize(
    ("wrote", "routine"),
    [
        ({"losses.npy": EACH, "last.pkl": [6], "last.pkl.tmp": [6]}, {"losses.npy"}),
        ({"losses.npy": EACH[:4], "last.pkl": [6]}, set()),
        ({"losses.npy": EACH}, set()),  # it may be the checkpoint
        ({"state.pt": EACH, "best.pt": [2, 3]}, set()),
        ({}, set()),
    ],
)
def test_what_each_step_writes_is_a_record(wrote: dict[str, list[int]], routine: set[str]) -> None:
    assert routine_of(wrote, 12, is_known=False) == routine


def test_where_the_checkpoints_are_known_a_record_may_be_alone() -> None:
    assert routine_of({"losses.npy": EACH}, 12, is_known=True) == {"losses.npy"}
