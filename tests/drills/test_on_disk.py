"""What is on disk after a kill, as a row of the report says it."""

from dataclasses import replace
from pathlib import Path

import pytest

from ckptcheck.drills.on_disk import OnDisk, on_disk

WHOLE = OnDisk(True, True, "save 2 whole")
NOTHING = OnDisk(False, False, "nothing of save 2")


def part(text: str) -> OnDisk:
    return OnDisk(False, True, f"part of save 2: {text}")


def full(text: str) -> OnDisk:
    """Return a part whose bytes alone are not those of the save."""
    return replace(part(text), may_be_whole=True)


def more(text: str) -> OnDisk:
    return OnDisk(True, True, f"save 2 whole, and more: {text}")


Files = dict[str, str]


class Folders:
    """What lay there before the save and after it, in a run that was not killed."""

    def __init__(self, top: Path, before: Files | None, after: Files) -> None:
        self._top = top
        self._before = None if before is None else self._made("before", before)
        self._after = self._made("after", after)

    def _made(self, name: str, files: Files) -> Path:
        folder = self._top / name
        folder.mkdir()
        for path, content in files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(content)
        return folder

    def __call__(self, found: Files, number: int = 2, *, over: bool = False) -> OnDisk:
        folder = self._made(f"found-{len(list(self._top.iterdir()))}", found)
        return on_disk(folder, self._before, self._after, number, over=over)


# A save of a new file of 10 bytes, which deletes the one of 8 bytes before it.
OLD, NEW = {"1.pt": 8 * "o"}, {"2.pt": 10 * "n"}
# A save over the only file, of another size or of the same size.
LONGER, EQUAL = {"1.pt": 10 * "n"}, {"1.pt": 8 * "n"}


@pytest.fixture
def moved(tmp_path: Path) -> Folders:
    return Folders(tmp_path, OLD, NEW)


@pytest.fixture
def longer(tmp_path: Path) -> Folders:
    return Folders(tmp_path, OLD, LONGER)


@pytest.fixture
def equal(tmp_path: Path) -> Folders:
    return Folders(tmp_path, OLD, EQUAL)


def test_all_or_nothing(moved: Folders) -> None:
    assert moved(OLD) == NOTHING
    assert moved(NEW) == WHOLE


@pytest.mark.parametrize(
    ("found", "text"),
    [
        ({**OLD, "2.pt": "nn"}, "2.pt 2 B of 10 B, also 1.pt"),
        ({**OLD, "2.pt.tmp": "nn"}, "no 2.pt, also 1.pt, also 2.pt.tmp"),
        ({**OLD, **NEW}, "also 1.pt"),
        ({"2.pt": ""}, "2.pt 0 B of 10 B"),
        ({}, "no 2.pt"),
        (
            {**OLD, "2/a.pt": "n", "2/b.pt": "n", "2/c.pt": "n"},
            "no 2.pt, also 1.pt, also 2/a.pt, 2 more files",
        ),
        ({**OLD, "2/a.pt": "n", "2/b.pt": "n"}, "no 2.pt, also 1.pt, also 2/a.pt, 1 more file"),
    ],
)
def test_a_part_is_said_file_by_file(moved: Folders, found: Files, text: str) -> None:
    assert moved(found) == part(text)


def test_a_file_that_later_steps_write_may_be_whole(moved: Folders) -> None:
    assert moved({"2.pt": 12 * "n"}) == full("2.pt 12 B of 10 B")


def test_sizes_have_units(tmp_path: Path) -> None:
    folders = Folders(tmp_path, OLD, {"1.pt": 6_000_000 * "n"})
    assert folders({"1.pt": 1_234_567 * "n"}) == part("1.pt 1.2 MB of 6.0 MB")


def test_a_file_that_is_overwritten_is_a_part_until_it_is_full(longer: Folders) -> None:
    assert longer(OLD) == NOTHING
    assert longer({"1.pt": ""}) == part("1.pt 0 B of 10 B")
    assert longer({"1.pt": 9 * "n"}) == part("1.pt 9 B of 10 B")
    assert longer({"1.pt": 9 * "n" + "\0"}) == full("files of the final size, with other bytes")
    assert longer(LONGER) == WHOLE


def test_where_all_saves_have_one_size_bytes_decide(equal: Folders) -> None:
    assert equal(OLD) == NOTHING
    assert equal(EQUAL) == WHOLE
    assert equal({"1.pt": "nnnn"}) == part("1.pt 4 B of 8 B")


def test_a_file_of_one_size_that_is_half_overwritten_is_a_part(equal: Folders) -> None:
    assert equal({"1.pt": "nnnnoooo"}) == full("files of the final size, with other bytes")


def test_logs_do_not_count(moved: Folders) -> None:
    logs = {"log.txt": "1", "events.out.tfevents.1": "2", "metrics.jsonl": "3", "loss.png": "4"}
    assert moved({**OLD, **logs}) == NOTHING
    assert moved({**NEW, **logs}) == WHOLE
    assert moved({**OLD, **logs, "2.pt": "nn"}) == part("2.pt 2 B of 10 B, also 1.pt")


def test_a_text_file_that_names_the_new_checkpoint_is_a_part(tmp_path: Path) -> None:
    before = {**OLD, "latest.txt": "1.pt"}
    folders = Folders(tmp_path, before, {**OLD, **NEW, "latest.txt": "2.pt"})
    assert folders(before) == NOTHING
    assert folders({**OLD, "latest.txt": "2.pt"}).is_begun


def test_names_in_subfolders_are_relative(tmp_path: Path) -> None:
    after = {"2/model.pt": "nnnn", "2/optimizer.pt": "nnnn"}
    folders = Folders(tmp_path, {"1/model.pt": "oooo"}, after)
    assert folders(after) == WHOLE
    found = {"1/model.pt": "oooo", "2.tmp/model.pt": "nnnn"}
    assert folders(found) == part("no 2/model.pt, no 2/optimizer.pt, also 1/model.pt, 1 more file")


# --- The first save -------------------------------------------------------------------------


def test_nothing_lies_there_before_the_first_save(tmp_path: Path) -> None:
    folders = Folders(tmp_path, None, NEW)
    assert folders({}, 1) == OnDisk(False, False, "nothing of save 1")
    assert folders({"log.txt": "1"}, 1) == OnDisk(False, False, "nothing of save 1")
    assert folders(NEW, 1) == OnDisk(True, True, "save 1 whole")
    assert folders({"2.pt": ""}, 1) == OnDisk(False, True, "part of save 1: 2.pt 0 B of 10 B")
    found = {"2.pt.tmp": "nn"}
    assert folders(found, 1) == OnDisk(False, True, "part of save 1: no 2.pt, also 2.pt.tmp")


# --- Once the training has gone on ----------------------------------------------------------


def test_a_save_is_whole_once_the_training_has_gone_on(moved: Folders) -> None:
    assert moved(NEW, over=True) == WHOLE
    assert moved({"2.pt": 10 * "?"}, over=True) == WHOLE  # with a time in it, say


def test_what_else_lies_there_is_more(moved: Folders) -> None:
    assert moved({**NEW, "3.pt": "n"}, over=True) == more("also 3.pt")
    assert moved({"3.pt": 10 * "n"}, over=True) == more("no 2.pt, also 3.pt")
    assert moved({"2.pt": 11 * "n"}, over=True) == more("2.pt 11 B of 10 B")


def test_a_save_that_left_no_trace_is_more(moved: Folders) -> None:
    assert moved(OLD, over=True) == more("no 2.pt, also 1.pt")


def test_a_save_of_the_same_size_is_whole_once_the_training_has_gone_on(equal: Folders) -> None:
    assert equal(OLD, over=True) == WHOLE
    assert equal(EQUAL, over=True) == WHOLE


# --- The folder in a sentence ---------------------------------------------------------------
