"""Saves seen from outside: a look at a time, as the launcher takes them."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from ckptcheck.command.folder_watch import FolderWatch, Logged
from ckptcheck.observer.crash_image import Images
from ckptcheck.observer.request import Request


def watch_in(top: Path, *, takes: bool = True, **asked: Any) -> FolderWatch:
    (top / "run").mkdir()
    request = Request(
        "control", "job", None, str(top / "control"), str(top / "run"), str(top), **asked
    )
    return FolderWatch(request, top / "output.txt", top / "claim", takes=takes)


def write(top: Path, name: str, text: str) -> None:
    path = top / "run" / name
    path.parent.mkdir(exist_ok=True)
    with path.open("a") as file:
        file.write(text)


def save(top: Path, watch: FolderWatch, name: str, looks: int = 2) -> None:
    write(top, name, name)
    for _ in range(looks):
        watch.look()


@pytest.mark.parametrize(
    ("names", "asked", "kept"),
    [
        # The last state is no save.
        (["a.npz", "b.npz", "c.npz"], {}, [2]),
        (["a.npz", "b.npz"], {}, [1]),
        (["a.npz"], {}, []),
        (["a.npz", "b.npz", "c.npz", "d.npz"], {"saves": ()}, [3]),
        (["a.npz", "b.npz", "c.npz"], {"saves": (1, 2), "falls_back": False}, [1, 2]),
        (["a.npz", "b.npz"], {"saves": (5,), "falls_back": False}, []),
        # Logs are no saves.
        (["log.csv", "a.json", "train/events.out.tfevents.1"], {}, []),
        (["log.csv", "a.npz", "log.csv", "b.npz", "log.csv", "c.npz"], {}, [2]),
    ],
)
def test_which_saves_are_kept(
    tmp_path: Path, names: list[str], asked: dict[str, Any], kept: list[int]
) -> None:
    watch = watch_in(tmp_path, **asked)
    for name in names:
        save(tmp_path, watch, name)
    watch.ended()
    assert [each.number for each in watch.kept()] == kept
    for number in kept:
        assert (watch.images / f"crash-image@{number}").is_dir()


def test_a_save_is_copied_once_it_stays_as_it_is(tmp_path: Path) -> None:
    watch = watch_in(tmp_path)
    for _ in range(3):
        save(tmp_path, watch, "a.npz", looks=1)
    assert watch.count == 0
    watch.look()
    assert watch.count == 1
    write(tmp_path, "a.npz", "end")
    watch.ended()
    image = watch.images / "crash-image@1"
    assert (image / "a.npz").read_text() == "a.npz" * 3


def test_a_folder_that_changes_while_it_is_copied_is_copied_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch = watch_in(tmp_path)
    copy, copies = Images.take, []

    def take(images: Images) -> None:
        copy(images)
        copies.append(images)
        if len(copies) == 1:
            write(tmp_path, "b.npz", "second file")

    monkeypatch.setattr(Images, "take", take)
    save(tmp_path, watch, "a.npz")
    assert (watch.count, len(copies)) == (0, 1)
    watch.look()
    assert (watch.count, len(copies)) == (1, 2)
    write(tmp_path, "a.npz", "end")
    watch.ended()
    names = {path.name for path in (watch.images / "crash-image@1").iterdir()}
    assert names == {"a.npz", "b.npz"}


def test_what_was_logged_before_and_at_a_save(tmp_path: Path) -> None:
    watch = watch_in(tmp_path)
    write(tmp_path, "log.csv", "12345")
    watch.look()
    (tmp_path / "output.txt").write_text("123")
    save(tmp_path, watch, "a.npz", looks=1)
    write(tmp_path, "log.csv", "6")
    watch.look()
    save(tmp_path, watch, "b.npz")
    watch.ended()
    (seen,) = watch.kept()
    assert (seen.before, seen.at) == (Logged({"log.csv": 5}, 0), Logged({"log.csv": 6}, 3))


def test_whether_anything_was_written(tmp_path: Path) -> None:
    watch = watch_in(tmp_path, takes=False)
    assert not watch.look()
    write(tmp_path, "log.csv", "a")
    assert [watch.look(), watch.look()] == [True, False]
    (tmp_path / "output.txt").write_text("a")
    assert [watch.look(), watch.look()] == [True, False]


def test_nothing_is_copied_where_only_looks_are_asked_for(tmp_path: Path) -> None:
    watch = watch_in(tmp_path, takes=False)
    for name in ("a.npz", "b.npz"):
        save(tmp_path, watch, name)
    watch.ended()
    assert (watch.kept(), watch.images.exists()) == ([], False)


def test_it_gives_up_once_the_command_is_observed(tmp_path: Path) -> None:
    watch = watch_in(tmp_path)
    for name in ("a.npz", "b.npz"):
        save(tmp_path, watch, name)
    assert watch.images.exists()
    (tmp_path / "claim").touch()
    assert not watch.look()
    assert not watch.images.exists()
    watch.ended()
    assert watch.kept() == []


def test_a_folder_that_disappears_is_empty(tmp_path: Path) -> None:
    watch = watch_in(tmp_path)
    save(tmp_path, watch, "a.npz")
    shutil.rmtree(tmp_path / "run")
    watch.look()
    watch.look()
    watch.ended()
    assert [each.number for each in watch.kept()] == [1]
