from pathlib import Path

import pytest

from ckptcheck.command.command import Saves, as_command
from ckptcheck.errors import UsageError


@pytest.mark.parametrize(
    ("text", "numbers", "falls_back"),
    [
        (None, (2, 3, 4), True),
        ("3", (3,), False),
        (3, (3,), False),
        ("last", (), False),
        ("2 of 10", (5, 10), False),
        ("3 of 3", (1, 2, 3), False),
        ("1 of 4", (4,), False),
    ],
)
def test_which_saves(text: str | int | None, numbers: tuple[int, ...], falls_back: bool) -> None:
    assert Saves.parse(text) == Saves(numbers, falls_back)


@pytest.mark.parametrize("text", ["0", "-1", "first", "3 of 2", "0 of 2", "2 of", "", "2 in 3"])
def test_there_is_no_such_save(text: str) -> None:
    with pytest.raises(UsageError) as raised:
        Saves.parse(text)
    assert str(raised.value) == (
        f"There is no save {text!r}. Write its number, `last`, or `2 of 10` for 2 saves spread over the first 10."
    )


@pytest.mark.parametrize(
    ("text", "numbers"), [(None, (2, 3, 4)), ("3", (3, 4)), ("2 of 10", (5, 10)), ("1", (1, 2))]
)
def test_the_save_after_one_is_resumed_from_next(
    text: str | None, numbers: tuple[int, ...]
) -> None:
    saves = Saves.parse(text)
    assert saves.and_next() == Saves(numbers, saves.falls_back)


@pytest.mark.parametrize(("text", "named"), [("last", "the last save"), ("3 of 3", "3 saves")])
def test_saves_that_cannot_be_resumed_from_twice(text: str, named: str) -> None:
    with pytest.raises(UsageError) as raised:
        Saves.parse(text).and_next()
    assert str(raised.value) == (
        f"A run is resumed twice from two saves, not from {named}. Name one with --save, and the next one follows."
    )


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (["python", "train.py", "--out", "{run}"], "train.py"),
        (["torchrun", "--nproc-per-node", "2", "train.py", "{run}"], "train.py"),
        (["python", "-m", "torch.distributed.run", "train.py", "{run}"], "train.py"),
        (["python", "-m", "torch.distributed.run", "-m", "my.train", "{run}"], "my.train"),
        (["python", "-m", "pkg.train", "{run}"], "pkg.train"),
        (["uv", "run", "scripts/fit.py", "{run}"], "fit.py"),
        (["/usr/local/bin/train", "{run}"], "train"),
        (["bash", "job.sh", "{run}"], "job.sh"),
    ],
)
def test_what_a_command_is_called(words: list[str], name: str) -> None:
    assert as_command(words).name == name


def test_the_folder_stands_wherever_the_command_names_it() -> None:
    command = as_command("python train.py --out={run}/a", "--resume {run}/last.ckpt")
    place = Path("/tmp/x")
    assert command.words(place, is_resumed=False) == ["python", "train.py", "--out=/tmp/x/a"]
    assert command.words(place, is_resumed=True)[3:] == ["--resume", "/tmp/x/last.ckpt"]


def test_a_command_must_say_where_it_writes() -> None:
    with pytest.raises(UsageError) as raised:
        as_command(["python", "train.py"])
    assert str(raised.value) == (
        "The command does not say where it writes its checkpoints. Put {run} in place of that folder, as in -- python train.py --out {run}, or name the folder with --writes DIR."
    )
    assert as_command(["python", "train.py"], writes="there").writes == Path("there").resolve()


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (
            {"arguments": []},
            "The command is empty. Write it after --: -- python train.py --out {run}.",
        ),
        (
            {"arguments": ["", "{run}"]},
            "The command is empty. Write it after --: -- python train.py --out {run}.",
        ),
        (
            {"arguments": ["train", "{run}"], "max_steps": 1},
            "A run of 1 step cannot be resumed. Ask for at least 2.",
        ),
    ],
)
def test_bad_requests(asked: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError) as raised:
        as_command(**asked)  # type: ignore[arg-type]
    assert str(raised.value) == message


def test_what_a_command_writes_into_is_a_folder(tmp_path: Path) -> None:
    (tmp_path / "best.keras").write_text("mine")
    with pytest.raises(UsageError) as raised:
        as_command(["python", "train.py"], writes=tmp_path / "best.keras")
    assert str(raised.value) == (
        f"{tmp_path / 'best.keras'} is no folder. Name the folder that the command writes into."
    )
