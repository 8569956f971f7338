"""Small scripts that really run under strace: their saves, and the crash states of them."""

import pickle
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from ckptcheck.crash_states.disk import Tree
from ckptcheck.crash_states.operations import Operation
from ckptcheck.crash_states.save import Save
from ckptcheck.crash_states.states import CrashState, Family, crash_states, write
from ckptcheck.crash_states.strace_log import read, traced, why_not
from tests.crash_states.recorder import Contents, contents, make

pytestmark = pytest.mark.skipif(why_not() is not None, reason=why_not() or "")

ROOT = Path(__file__).parent.parent.parent


@dataclass
class Traced:
    """A script that has run in `run`, once."""

    folder: Path
    base: Path
    after: Path
    operations: list[Operation]

    def states(self) -> list[CrashState]:
        return list(crash_states(self.base, self.after, self.operations))

    def prefixes(self) -> list[Contents]:
        """Return what the folder held after each operation."""
        save = Save(self.base, self.after, self.operations)
        save.check()
        disk = save.disk()
        found = []
        for index in range(len(self.operations)):
            save.do(disk, index)
            found.append(in_memory(save, disk.tree()))
        return found


def in_memory(save: Save, tree: Tree) -> Contents:
    return {
        path: node.link if node.content is None else b"".join(save.bytes.blocks(node.content))
        for path, node in sorted(tree.items())
    }


def run(folder: Path, script: str, before: Contents, *, kept: int = 4096) -> Traced:
    """Run a script under strace, in the folder above `run`."""
    folder.mkdir(exist_ok=True)
    base, after, log = make(folder / "base", before), folder / "after", folder / "log"
    make(folder / "run", before)
    words = traced([sys.executable, "-c", script], log, kept=kept)
    subprocess.run(
        words, cwd=folder, check=True, env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}
    )
    shutil.copytree(folder / "run", after, symlinks=True)
    return Traced(folder, base, after, read(log, folder / "run"))


def kinds(states: list[CrashState]) -> list[dict[str, str]]:
    return [dict(each.kind) for each in states]


def test_overwritten_in_place(tmp_path: Path) -> None:
    script = "open('run/m.pt', 'wb').write(b'n' * 9000)"
    ran = run(tmp_path, script, {"m.pt": b"o" * 9000})
    states = ran.states()
    assert [each["m.pt"] for each in kinds(states)] == ["empty", "partial", "new", "old"]
    assert all(each.is_exact for each in states)
    write(states[1], tmp_path / "state")
    assert contents(tmp_path / "state") == {"m.pt": b"n" * 4500}


def test_written_synced_renamed(tmp_path: Path) -> None:
    script = """
import os
with open("run/m.tmp", "wb") as file:
    file.write(b"new"); file.flush(); os.fsync(file.fileno())
os.replace("run/m.tmp", "run/m.pt")
"""
    states = run(tmp_path, script, {"m.pt": b"old"}).states()
    assert kinds(states) == [
        {"m.pt": "old", "m.tmp": "empty"},
        {"m.pt": "old", "m.tmp": "partial"},
        {"m.pt": "old", "m.tmp": "new"},
        {"m.pt": "new"},
    ]


def test_renamed_without_fsync(tmp_path: Path) -> None:
    script = """
import os
with open("run/m.tmp", "wb") as file:
    file.write(b"new")
os.replace("run/m.tmp", "run/m.pt")
"""
    states = run(tmp_path, script, {"m.pt": b"old"}).states()
    assert kinds(states)[-2:] == [{"m.pt": "empty"}, {"m.pt": "old"}]
    assert [each.family for each in states[-2:]] == [Family.UNSYNCED] * 2


def test_rotation_that_deletes_first(tmp_path: Path) -> None:
    script = """
import os, shutil
os.chdir("run")
shutil.rmtree("step-1")
os.makedirs("step-2/shards")
for part in "ab":
    with open(f"step-2/shards/{part}", "wb") as file:
        file.write(part.encode() * 100)
"""
    ran = run(tmp_path, script, {"step-1/shards/a": b"1", "step-1/shards/b": b"1"})
    found = kinds(ran.states())
    gone = [each for each in found if each["step-1/shards/a"] == "absent"]
    assert any("new" not in each.values() for each in gone)  # neither the old one nor the new
    assert {"step-2/shards/a": "new", "step-2/shards/b": "partial"}.items() <= found[-3].items()


def test_a_line_is_appended(tmp_path: Path) -> None:
    script = "open('run/log.jsonl', 'a').write('{\"step\": 2}\\n')"
    states = run(tmp_path, script, {"log.jsonl": b'{"step": 1}\n'}).states()
    assert kinds(states) == [{"log.jsonl": each} for each in ("partial", "new", "old")]
    write(states[0], tmp_path / "state")
    assert contents(tmp_path / "state") == {"log.jsonl": b'{"step": 1}\n{"step'}


def test_read_to_the_end_and_written_on(tmp_path: Path) -> None:
    script = """
with open("run/a", "r+b", buffering=0) as file:
    file.read()
    file.write(b"more")
"""
    ran = run(tmp_path, script, {"a": b"old "})
    assert ran.prefixes()[-1] == {"a": b"old more"}


@pytest.mark.parametrize("kept", [16, 4096])
def test_an_hdf5_file(tmp_path: Path, kept: int) -> None:
    script = """
import h5py, numpy
with h5py.File("run/m.h5", "w") as file:
    file["weights"] = numpy.arange(5000.0)
    file.create_group("optimizer")["step"] = 3
with h5py.File("run/m.h5", "a") as file:
    file["more"] = numpy.ones(100)
"""
    ran = run(tmp_path, script, {}, kept=kept)
    states = ran.states()
    assert contents(ran.after) == ran.prefixes()[-1]
    # The superblock at the beginning is written again and again.
    assert sum(each.act.value == "write" and each.offset == 0 for each in ran.operations) > 3
    assert all(each.is_exact for each in states) == (kept == 4096)
    assert {each["m.h5"] for each in kinds(states)} == {"empty", "partial", "new", "absent"}


def test_a_numpy_archive(tmp_path: Path) -> None:
    script = "import numpy; numpy.savez('run/m.npz', a=numpy.arange(9000.0), b=numpy.ones(3))"
    ran = run(tmp_path, script, {})
    states = ran.states()
    assert contents(ran.after) == ran.prefixes()[-1]
    assert {each["m.npz"] for each in kinds(states)} >= {"empty", "partial", "new"}
    assert len(states) > 10


def test_two_threads(tmp_path: Path) -> None:
    script = """
import os, threading
def save(rank):
    with open(f"run/shard-{rank}.tmp", "wb", buffering=0) as file:
        for part in range(20):
            file.write(bytes([65 + part]) * 3000)
    os.rename(f"run/shard-{rank}.tmp", f"run/shard-{rank}")
threads = [threading.Thread(target=save, args=(rank,)) for rank in range(2)]
[each.start() for each in threads]
[each.join() for each in threads]
"""
    ran = run(tmp_path, script, {})
    assert len({each.thread for each in ran.operations}) == 2
    assert ran.prefixes()[-1] == contents(ran.after)
    assert len([each for each in ran.states() if each.family is Family.PREFIX]) == 44


def test_processes_and_inherited_files(tmp_path: Path) -> None:
    script = """
import os, subprocess, sys
out = open("run/log", "ab", buffering=0)
out.write(b"parent ")
child = "import os; os.write(1, b'child '); os.rename('a', 'b'); open('c', 'w').write('c')"
subprocess.run([sys.executable, "-c", child], cwd="run", stdout=out, check=True)
out.write(b"parent")
pid = os.fork()
if pid == 0:
    out.write(b" fork")
    os._exit(0)
os.waitpid(pid, 0)
subprocess.run("cp run/b run/d; mv run/d run/e; ln -s e run/f; echo x >> run/e", shell=True, check=True)
"""
    ran = run(tmp_path, script, {"a": b"1\n", "log": b"> "})
    found = ran.prefixes()[-1]
    assert found["log"] == b"> parent child parent fork"
    assert (found["c"], found["e"], found["f"]) == (b"c", b"1\nx\n", "e")


def test_names_that_strace_escapes(tmp_path: Path) -> None:
    script = r"""
import os
name = 'run/é "q" <(a), b>\n'
open(name, "wb").write(bytes(range(256)))
os.rename(name, name + "2")
"""
    ran = run(tmp_path, script, {})
    assert ran.prefixes()[-1] == {'é "q" <(a), b>\n2': bytes(range(256))}


def test_a_killed_process(tmp_path: Path) -> None:
    script = """
import os, signal, subprocess, sys
child = "import os; open('run/a', 'wb', buffering=0).write(b'x' * 9); os.kill(os.getpid(), 9)"
subprocess.run([sys.executable, "-c", child])
"""
    assert run(tmp_path, script, {}).prefixes()[-1] == {"a": b"x" * 9}


@pytest.mark.parametrize(
    "where", ["write:when=1", "write:when=3", "rename:when=1", "unlink:when=1"]
)
def test_a_real_kill_leaves_a_crash_state(tmp_path: Path, where: str) -> None:
    script = """
import os, sys
with open("run/m.tmp", "wb", buffering=0) as file:
    for part in range(3):
        file.write(bytes([65 + part]) * 5000)
os.rename("run/m.tmp", "run/step-2")
os.unlink("run/step-1")
with open("run/latest", "w") as file:
    file.write("step-2")
"""
    before: Contents = {"step-1": b"1", "latest": b"step-1"}
    states = run(tmp_path / "whole", script, before).states()
    killed = make(tmp_path / "run", before)
    call, _, count = where.partition(":")
    kill = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"inject={call}:signal=KILL:{count}"]
    subprocess.run([*kill, sys.executable, "-c", script], cwd=tmp_path, check=False)
    left = contents(killed)
    found = []
    for state in states:
        write(state, tmp_path / f"state-{state.number}")
        found.append(contents(tmp_path / f"state-{state.number}"))
    assert left not in (before, contents(tmp_path / "whole" / "after"))
    assert left in found


def test_a_memory_map_is_not_in_the_log(tmp_path: Path) -> None:
    script = """
import numpy
array = numpy.lib.format.open_memmap("run/m.npy", "w+", float, (100,))
array[:] = 3
array.flush()
"""
    ran = run(tmp_path, script, {})
    with pytest.raises(
        Exception, match=r"does not explain 'm.npy': its byte 134 is not in the log"
    ):
        ran.states()


@pytest.mark.parametrize("seed", range(5))
def test_random_programs(tmp_path: Path, seed: int) -> None:
    script = f"""
import pickle
from pathlib import Path
from tests.crash_states.recorder import Recorder
from tests.crash_states.test_random_programs import program
recorder = Recorder(Path("run"))
program(recorder, {seed}, 60)
Path("snapshots").write_bytes(pickle.dumps(recorder.snapshots))
"""
    ran = run(tmp_path, script, {"a": b"first", "d/x": b"second", "e/f": None})
    snapshots = pickle.loads((tmp_path / "snapshots").read_bytes())
    assert changes(ran.prefixes()) == changes(snapshots)


def changes(found: list[Contents]) -> list[Contents]:
    """Return what a folder held, each time that it was something else."""
    return [each for each, before in zip(found, [{}, *found], strict=False) if each != before]
