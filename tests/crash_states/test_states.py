"""The crash states of recorded saves: which there are, and what each leaves."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from ckptcheck import NotVerifiedError
from ckptcheck.crash_states.operations import Act, Operation
from ckptcheck.crash_states.states import CrashState, Family, crash_states, write
from tests.crash_states.recorder import Contents, Recorder, contents, make


class Saved:
    """A save in a folder: do its operations on `recorder`, then ask for its states."""

    def __init__(self, folder: Path, before: Contents) -> None:
        self.folder = folder
        self.base, self.after = make(folder / "base", before), folder / "after"
        self.recorder = Recorder(make(folder / "run", before))

    @property
    def states(self) -> list[CrashState]:
        shutil.copytree(self.folder / "run", self.after, symlinks=True)
        return list(crash_states(self.base, self.after, self.recorder.operations))

    def contents(self, state: CrashState) -> Contents:
        folder = self.folder / f"state-{state.number}"
        write(state, folder)
        return contents(folder)


def rows(states: list[CrashState]) -> list[tuple[str, str]]:
    """Return the description of each state, and its files."""
    return [
        (each.description, " ".join(f"{path}={status}" for path, status in each.kind))
        for each in states
    ]


def test_a_file_is_overwritten(tmp_path: Path) -> None:
    saved = Saved(tmp_path, {"m.pt": b"old bytes", "notes": b"kept"})
    saved.recorder.file("m.pt", b"new", b"est")
    states = saved.states
    assert rows(states) == [
        ("after 2 of 5 operations: m.pt is emptied", "m.pt=empty"),
        ("after 2 of 5 operations: half of 3 bytes is written to m.pt", "m.pt=partial"),
        ("after 3 of 5 operations: 3 bytes are written to m.pt", "m.pt=partial"),
        ("after 3 of 5 operations: half of 3 bytes is written to m.pt", "m.pt=partial"),
        ("after 4 of 5 operations: 3 bytes are written to m.pt", "m.pt=new"),
        ("power loss after the save: nothing of the save is on disk", "m.pt=old"),
    ]
    assert [each.number for each in states] == [1, 2, 3, 4, 5, 6]
    assert [each.family.value for each in states] == [
        *("prefix", "half", "prefix", "half", "prefix", "unsynced")
    ]
    held = [saved.contents(each) for each in states]
    assert [each["m.pt"] for each in held] == [
        *(b"", b"n", b"new", b"newe", b"newest", b"old bytes")
    ]
    assert {each["notes"] for each in held} == {b"kept"}


def test_what_a_power_failure_leaves_may_count_apart(tmp_path: Path) -> None:
    """Without its data, the file is as empty as after a kill."""
    saved = Saved(tmp_path, {"m.pt": b"old bytes"})
    saved.recorder.file("m.pt", b"n")
    together = saved.states
    apart = list(
        crash_states(saved.base, saved.after, saved.recorder.operations, apart=True),
    )
    assert rows(apart[:2]) == rows(together[:2])
    assert rows(together[2:]) == [
        ("power loss after the save: nothing of the save is on disk", "m.pt=old")
    ]
    assert rows(apart[2:]) == [
        ("power loss after the save: data of m.pt not on disk, its name is", "m.pt=empty"),
        ("power loss after the save: nothing of the save is on disk", "m.pt=old"),
    ]
    assert [each.number for each in apart] == [1, 2, 3, 4]


def test_a_rename_without_fsync(tmp_path: Path) -> None:
    saved = Saved(tmp_path, {"m.pt": b"old"})
    saved.recorder.file("m.pt.tmp", b"newest")
    saved.recorder.rename("m.pt.tmp", "m.pt")
    assert rows(saved.states) == [
        ("after 1 of 5 operations: m.pt.tmp is created", "m.pt=old m.pt.tmp=empty"),
        (
            "after 2 of 5 operations: half of 6 bytes is written to m.pt.tmp",
            "m.pt=old m.pt.tmp=partial",
        ),
        ("after 3 of 5 operations: 6 bytes are written to m.pt.tmp", "m.pt=old m.pt.tmp=new"),
        ("after the save: m.pt.tmp is renamed to m.pt", "m.pt=new"),
        ("power loss after the save: data of m.pt not on disk, its name is", "m.pt=empty"),
        ("power loss after the save: nothing of the save is on disk", "m.pt=old"),
    ]


def test_an_fsync_before_the_rename(tmp_path: Path) -> None:
    saved = Saved(tmp_path, {"m.pt": b"old"})
    saved.recorder.file("m.pt.tmp", b"newest", sync=True)
    saved.recorder.rename("m.pt.tmp", "m.pt")
    states = saved.states
    # After a power loss the folder is as after the fsync, which is a prefix, too: no state is new.
    assert {each.family for each in states} == {Family.PREFIX, Family.HALF}
    assert not any(("m.pt", "empty") in each.kind for each in states)


def test_the_old_file_is_deleted_first(tmp_path: Path) -> None:
    saved = Saved(tmp_path, {"ckpt-1": b"one", "latest": b"ckpt-1"})
    saved.recorder.unlink("ckpt-1")
    saved.recorder.file("ckpt-2", b"two!", sync=True)
    saved.recorder.file("latest", b"ckpt-2", sync=True)
    states = saved.states
    kinds = [dict(each.kind) for each in states]
    assert {"ckpt-1": "absent", "ckpt-2": "absent", "latest": "old"} in kinds
    assert {"ckpt-1": "absent", "ckpt-2": "new", "latest": "empty"} in kinds
    assert not any(each["ckpt-1"] == "old" for each in kinds if each["ckpt-2"] == "new")


def test_in_place_and_appended_bytes(tmp_path: Path) -> None:
    saved = Saved(tmp_path, {"m.bin": b"0123456789", "log": b"one\n"})
    recorder = saved.recorder
    handle = recorder.open("m.bin", 0)
    recorder.write(handle, b"AB", 4)
    log = recorder.open("log", 0)
    recorder.write(log, b"two\n", None)
    recorder.close_all()
    states = saved.states
    assert [saved.contents(each) for each in states] == [
        {"m.bin": b"0123A56789", "log": b"one\n"},
        {"m.bin": b"0123AB6789", "log": b"one\n"},
        {"m.bin": b"0123AB6789", "log": b"one\ntw"},
        {"m.bin": b"0123AB6789", "log": b"one\ntwo\n"},
        {"m.bin": b"0123456789", "log": b"one\n"},
    ]
    assert [dict(each.kind) for each in states] == [
        {"log": "old", "m.bin": "other"},
        {"log": "old", "m.bin": "new"},
        {"log": "partial", "m.bin": "new"},
        {"log": "new", "m.bin": "new"},
        {"log": "old", "m.bin": "old"},
    ]


def test_only_synced_bytes_survive_a_power_loss(tmp_path: Path) -> None:
    saved = Saved(tmp_path, {})
    handle = saved.recorder.open("a")
    saved.recorder.write(handle, b"durable", 0)
    saved.recorder.sync(handle)
    saved.recorder.write(handle, b" lost", 7)
    saved.recorder.close(handle)
    saved.recorder.rename("a", "b")
    lost = [each for each in saved.states if each.family is Family.UNSYNCED]
    assert [(each.description, saved.contents(each)) for each in lost] == [
        (
            "power loss after the save: data of b not on disk, its name is",
            {"b": b"durable"},
        ),
    ]


def test_temporary_names_are_alike(tmp_path: Path) -> None:
    saved = Saved(tmp_path, {})
    names = ["ckpt-12_temp7", "x.tmpd5ca9d40cedf4d02", ".tmpKO2KQS", "tmpab_x3k9q.pt", "deadbeef.x"]
    for name in names:
        saved.recorder.file(name, b"x")
    for name in names:
        saved.recorder.unlink(name)
    whole = next(each for each in saved.states if len(each.kind) == len(names))
    assert sorted(whole.statuses) == ["*.x", ".tmp*", "ckpt-*_temp*", "tmp*.pt", "x.tmp*"]


def test_a_large_write_may_stop_at_its_first_byte(tmp_path: Path) -> None:
    saved = Saved(tmp_path, {})
    saved.recorder.file("m", bytes(range(256)) * 8192)
    assert [each.description for each in saved.states if each.family is Family.HALF] == [
        "after 2 of 4 operations: the first of 2,097,152 bytes is written to m",
        "after 2 of 4 operations: half of 2,097,152 bytes is written to m",
    ]


def test_bytes_that_nobody_knows(tmp_path: Path) -> None:
    saved = Saved(tmp_path, {})
    saved.recorder.kept = 2
    saved.recorder.file("gone", b"abcdef")
    saved.recorder.unlink("gone")
    handle = saved.recorder.open("kept")
    saved.recorder.write(handle, b"abcdef", 0)
    saved.recorder.write(handle, b"XY", 3)
    saved.recorder.close(handle)
    states = {each.done: each for each in saved.states if each.family is Family.PREFIX}
    assert [(done, each.is_exact, saved.contents(each)) for done, each in states.items()] == [
        (1, True, {"gone": b""}),
        (3, False, {"gone": b"ab\0\0\0\0"}),
        (6, True, {"kept": b""}),
        (7, False, {"kept": b"abcXYf"}),  # `de` was written first: guessed from the end
        (8, True, {"kept": b"abcXYf"}),
    ]


def test_what_comes_from_outside(tmp_path: Path) -> None:
    saved = Saved(tmp_path, {"m.pt": b"old"})
    saved.recorder.arrive("m.pt", b"new", sync=True)
    assert rows(saved.states) == [
        ("after the save: m.pt is moved in", "m.pt=new"),
        ("power loss after the save: nothing of the save is on disk", "m.pt=old"),
    ]


def test_what_comes_from_outside_and_was_not_synced(tmp_path: Path) -> None:
    saved = Saved(tmp_path, {"m.pt": b"old"})
    saved.recorder.arrive("m.pt", b"new")
    assert rows(saved.states) == [
        ("after the save: m.pt is moved in", "m.pt=new"),
        ("power loss after the save: data of m.pt not on disk, its name is", "m.pt=empty"),
        ("power loss after the save: nothing of the save is on disk", "m.pt=old"),
    ]


def test_what_comes_from_outside_and_goes_again(tmp_path: Path) -> None:
    saved = Saved(tmp_path, {})
    saved.recorder.arrive("m.tmp", b"new", sync=True)
    saved.recorder.unlink("m.tmp")
    states = saved.states
    assert [(each.is_exact, saved.contents(each)) for each in states] == [
        (False, {"m.tmp": b""}),
        (True, {}),
    ]


def test_a_folder_comes_from_outside(tmp_path: Path) -> None:
    saved = Saved(tmp_path, {})
    make(tmp_path / "run", {"step-1/a": b"1", "step-1/empty": None})
    saved.recorder.operations.append(Operation(Act.ARRIVE, "tmp"))
    saved.recorder.operations.append(Operation(Act.RENAME, "tmp", target="step-1"))
    states = saved.states
    prefixes = [each for each in states if each.family is Family.PREFIX]
    assert [saved.contents(each) for each in prefixes] == [
        {"tmp": None, "tmp/a": b"1", "tmp/empty": None},
        {"step-1": None, "step-1/a": b"1", "step-1/empty": None},
    ]


def test_folders_and_links(tmp_path: Path) -> None:
    saved = Saved(tmp_path, {"step-1/m": b"1", "latest": "step-1", "empty": None})
    recorder = saved.recorder
    recorder.mkdir("tmp-2")
    recorder.file("tmp-2/m", b"22")
    recorder.rename("tmp-2", "step-2")
    recorder.symlink("latest.new", "step-2")
    recorder.rename("latest.new", "latest")
    recorder.file("latest/n", b"3")
    for done, state in ((each.done, each) for each in saved.states if each.family is Family.PREFIX):
        assert saved.contents(state) == recorder.snapshots[done - 1], state.description


def replaced_by_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize(
    ("name", "change", "why"),
    [
        ("m.pt", lambda path: path.write_bytes(b"six by"), "it has 6 bytes after the save, but 3 by the log"),
        ("m.pt", lambda path: path.write_bytes(b"neW"), "a write in the log has other bytes"),
        ("kept", lambda path: path.write_bytes(b"kePt"), "its byte 2 is not in the log as it is after the save"),
        ("kept", lambda path: path.unlink(), "it is not there after the save, but nothing in the log deletes it"),
        ("more", lambda path: path.touch(), "it is there after the save, but nothing in the log makes it"),
        ("kept", replaced_by_a_folder, "it is of a different type after the save"),
    ],
)  # fmt: skip
def test_a_log_that_does_not_explain_the_save(
    tmp_path: Path, name: str, change: Callable[[Path], object], why: str
) -> None:
    saved = Saved(tmp_path, {"m.pt": b"old", "kept": b"kept"})
    saved.recorder.file("m.pt", b"new")
    change(tmp_path / "run" / name)
    with pytest.raises(NotVerifiedError) as caught:
        _ = saved.states
    assert str(caught.value) == (
        f"The log of file operations does not explain {name!r}: {why}. Writes through mmap or "
        "io_uring, and of processes that are not traced, are not in the log."
    )


def test_times_of_change_are_kept(tmp_path: Path) -> None:
    saved = Saved(tmp_path, {"step-1/m": b"1", "step-2/m": b"2"})
    saved.recorder.mkdir("step-3")
    saved.recorder.file("step-3/m", b"3")
    states = saved.states
    for folder in (saved.base, saved.after):
        for second, path in enumerate(sorted(folder.rglob("*"), reverse=True)):
            os.utime(path, (second, second))
    write(states[-1], tmp_path / "state")
    written = {path.name: path.stat().st_mtime for path in (tmp_path / "state").glob("*/")}
    assert written == {"step-1": 5, "step-2": 3}  # as in `after`


def test_no_operations(tmp_path: Path) -> None:
    assert Saved(tmp_path, {"a": b"1"}).states == []
