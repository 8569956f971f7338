"""Savers in plain Python: right ones, and one for each way to lose a checkpoint."""

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ckptcheck.jobs.savers.commit import commit_file, commit_folder, newest

State = dict[str, Any]
Saved = Callable[[State], None]
STATES: tuple[State, ...] = ({"w": [1, 2], "step": 1}, {"w": [3, 4], "step": 2})


def twice(save: Callable[[Path, State], None]) -> Callable[[Path, Saved], None]:
    def run(folder: Path, saved: Saved) -> None:
        for state in STATES:
            save(folder, state)
            saved(state)

    return run


def write(path: Path, state: State) -> None:
    path.write_text(json.dumps(state))


def in_place(folder: Path, state: State) -> None:
    write(folder / "last", state)


def renamed(folder: Path, state: State) -> None:
    write(folder / "tmp", state)
    (folder / "tmp").replace(folder / "last")


def fixed(folder: Path, state: State) -> None:
    commit_file(folder / "last", lambda path: write(path, state))


def fixed_folder(folder: Path, state: State) -> None:
    commit_folder(folder, state["step"], lambda path: write(path / "state", state))


def in_two_files(folder: Path, state: State) -> None:
    """Each of them is whole at any time, but not both."""
    for name, value in state.items():
        commit_file(folder / name, lambda path, value=value: path.write_text(json.dumps(value)))  # type: ignore[misc]


def raises(folder: Path, state: State) -> None:
    raise OSError("no room")


def nothing(folder: Path, state: State) -> None:
    if state["step"] == 1:
        in_place(folder, state)


def once(folder: Path, saved: Saved) -> None:
    in_place(folder, STATES[0])
    saved(STATES[0])


def dies_saving(folder: Path, saved: Saved) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def read(folder: Path) -> State | None:
    path = folder / "last"
    return json.loads(path.read_text()) if path.exists() else None


def read_folder(folder: Path) -> State | None:
    path = newest(folder)
    return None if path is None else json.loads((path / "state").read_text())


def read_two(folder: Path) -> State:
    return {name: json.loads((folder / name).read_text()) for name in STATES[0]}


def tolerant(folder: Path) -> State | None:
    """Take what can be read, and say nothing."""
    try:
        return read(folder)
    except ValueError:
        return {"w": [0, 0], "step": 2}


def begins_anew(folder: Path) -> State | None:
    try:
        return read(folder)
    except ValueError:
        return None


def dies(folder: Path) -> State | None:
    try:
        return read(folder)
    except ValueError:
        os.kill(os.getpid(), signal.SIGKILL)
        raise


def exits(folder: Path) -> State | None:
    try:
        return read(folder)
    except ValueError as error:
        raise SystemExit("damaged") from error


def hangs(folder: Path) -> State | None:
    try:
        return read(folder)
    except ValueError:
        time.sleep(600)
        raise


def forgets(folder: Path) -> State:
    return {"w": [0, 0], "step": 0}


SAVERS: dict[str, tuple[Callable[..., None], Callable[[Path], State | None]]] = {
    "refuses": (twice(in_place), read),
    "renamed": (twice(renamed), read),
    "right": (twice(fixed), read),
    "right-folder": (twice(fixed_folder), read_folder),
    "mixes": (twice(in_two_files), read_two),
    "tolerant": (twice(in_place), tolerant),
    "begins-anew": (twice(in_place), begins_anew),
    "dies": (twice(in_place), dies),
    "exits": (twice(in_place), exits),
    "hangs": (twice(in_place), hangs),
    "forgets": (twice(in_place), forgets),
    "raises": (twice(raises), read),
    "nothing": (twice(nothing), read),
    "once": (once, read),
    "dies-saving": (dies_saving, read),
}
