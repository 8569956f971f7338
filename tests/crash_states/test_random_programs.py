"""Random programs of file operations: the simulation is equal to the file system at each step."""

import contextlib
import os
import random
import shutil
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from ckptcheck.crash_states.save import Save
from ckptcheck.crash_states.states import CrashState, Family, crash_states, write
from tests.crash_states.recorder import Contents, Recorder, contents

PATHS = ["a", "b", "c.tmp", "d/x", "d/y", "e/f/z", "link/x", "d", "e", "e/f", "link"]


def do_anything(recorder: Recorder, chance: random.Random, handles: list[int]) -> None:
    """Do one operation that may fail, as a program may."""
    path, other = chance.choice(PATHS), chance.choice(PATHS)
    data = chance.randbytes(chance.choice([0, 1, 2, 9, 60]))
    what = chance.randrange(14)
    if what < 3:
        flags = os.O_CREAT * (chance.random() < 0.8) | os.O_TRUNC * (chance.random() < 0.5)
        handles.append(recorder.open(path, flags))
    elif what < 7 and handles:
        handle = chance.choice(handles)
        # Nothing is written at no bytes.
        if data:
            recorder.write(handle, data, chance.choice([None, 0, chance.randrange(80)]))
    elif what == 7 and handles:
        recorder.truncate(chance.choice(handles), chance.randrange(80))
    elif what == 8 and handles:
        recorder.sync(chance.choice(handles))
    elif what == 9 and handles:
        recorder.close(handles.pop(chance.randrange(len(handles))))
    elif what == 10:
        recorder.rename(path, other)
    elif what == 11:
        recorder.link(path, other) if chance.random() < 0.5 else recorder.symlink("link", "d")
    elif what == 12:
        recorder.unlink(path) if chance.random() < 0.7 else recorder.rmdir(path)
    else:
        recorder.mkdir(path)


def program(recorder: Recorder, seed: int, length: int) -> None:
    chance = random.Random(seed)
    handles: list[int] = []
    for _ in range(length):
        with contextlib.suppress(OSError):
            do_anything(recorder, chance, handles)
    recorder.close_all()


def written(state: CrashState, folder: Path) -> Contents:
    write(state, folder)
    found = contents(folder)
    shutil.rmtree(folder)
    return found


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32), kept=st.sampled_from([0, 3, 1000]))
def test_each_prefix_is_what_the_file_system_held(seed: int, kept: int) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        run, base, after = (Path(temporary, name) for name in ("run", "base", "after"))
        base.mkdir()
        program(Recorder(base), seed + 1, 12)
        shutil.copytree(base, run, symlinks=True)  # a copy: two names are two files, as in `base`
        shutil.rmtree(base)
        shutil.copytree(run, base, symlinks=True)
        recorder = Recorder(run, kept)
        program(recorder, seed, 25)
        shutil.copytree(run, after, symlinks=True)
        check_prefixes(recorder, base, after, Path(temporary, "state"), is_known=kept == 1000)


def check_prefixes(
    recorder: Recorder, base: Path, after: Path, folder: Path, *, is_known: bool
) -> None:
    save = Save(base, after, recorder.operations)
    save.check()
    prefixes = {
        state.done: state
        for state in crash_states(base, after, recorder.operations)
        if state.family is Family.PREFIX
    }
    for state in prefixes.values():
        truth = recorder.snapshots[state.done - 1]
        found = written(state, folder)
        assert found.keys() == truth.keys()
        assert {path: _size(each) for path, each in found.items()} == {
            path: _size(each) for path, each in truth.items()
        }
        assert state.is_exact or not is_known
        if state.is_exact:
            assert found == truth
    all_known = [repr(contents(base))] + [repr(each) for each in recorder.snapshots]
    if is_known:
        # Each state of the file system is among them, but for those that halves or losses equal.
        states = {
            repr(written(each, folder)) for each in crash_states(base, after, recorder.operations)
        }
        assert set(all_known[1:]) - {all_known[0]} <= states


def _size(content: bytes | str | None) -> int | str | None:
    return len(content) if isinstance(content, bytes) else content
