"""Time and memory of `diff`, `fsck` and `inspect`, side by side with their alternatives.

    python benchmarks/files.py [--repeats N] [--json]

Makes checkpoints of 1 GB, of 12,000 and of 20 small tensors, and a sparse pair of 8 GB. They take
about 16 GB of a temporary folder, of which 8 GB are written. All times are those of whole
processes, start-up included, with the files in the page cache, and modules compiled as by an
installation. A ratio divides the tool's time by that of the alternative, by the bar in seconds,
or, for memory, by the bound: 100 MB and twice a chunk.
"""

import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from side_by_side import HERE, Measured, NotMeasuredError, main, progress, python, side_by_side

from ckptcheck.checkpoints import CHUNK

BARS = {
    "diff of 1 GB / a loop in TensorFlow": 1 / 8,
    "diff of 1 GB / cmp": 1.3,
    "diff of 1 GB, safetensors / cmp": 1.3,
    "diff of 1 GB, .pt / cmp": 1.3,
    "fsck of 1 GB / cat": 2.5,
    "fsck of 1 GB, without start-up / cat": 2.0,
    "fsck of 1 GB / its checksum": 1.0,
    "diff of 1 GB that differs / the loop": 1.0,
    "12,000 tensors: inspect / 1.5 s": 1.0,
    "12,000 tensors: diff / 1.5 s": 1.0,
    "20 tensors: inspect / 0.25 s": 1.0,
    "20 tensors: diff / 0.25 s": 1.0,
    "20 tensors: fsck / 0.25 s": 1.0,
    "a small .keras: inspect / 0.4 s": 1.0,
    "a small .keras: fsck / 0.4 s": 1.0,
    "--help / 0.2 s": 1.0,
    "jobs / 0.2 s": 1.0,
    "memory of diff, 1 GB / bound": 1.0,
    "memory of diff, all differs / bound": 1.0,
    "memory of diff, safetensors / bound": 1.0,
    "memory of diff, .pt / bound": 1.0,
    "memory of fsck, 1 GB / bound": 1.0,
    "memory of diff, sparse 8 GB / bound": 1.0,
    "memory of fsck, sparse 8 GB / bound": 1.0,
}
BOUND = 100e6 + 2 * CHUNK
# Where PyTorch is not installed, its files are left out.
BARS = {name: bar for name, bar in BARS.items() if ".pt" not in name or find_spec("torch")}
# The environment may forbid compiled modules; an installation has them.
MODULES = tempfile.TemporaryDirectory()
COMPILED = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
COMPILED["PYTHONPYCACHEPREFIX"] = MODULES.name

FILES = ("safetensors", ".pt")
CAT = "cat {0}.data-00000-of-00001 > /dev/null"
CMP = "cmp {0}.data-00000-of-00001 {1}.data-00000-of-00001"
# The time of the checksum library alone, on pieces that fit into a core's cache.
CHECKSUM = """
import google_crc32c, sys
file, found = open(sys.argv[1], "rb", buffering=0), 0
while part := file.read(1 << 19):
    found = google_crc32c.extend(found, part)
"""


def measure(repeats: int) -> Measured:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        progress("making the checkpoints …")
        python(HERE / "make_checkpoints.py", folder)
        found: Measured = {name: [] for name in BARS}
        for repeat in range(repeats + 1):
            progress(f"repeat {repeat} of {repeats}" if repeat else "warming up …")
            for name, pair in one_round(folder, repeat):
                if repeat:
                    found[name].append(pair)
    return found


def one_round(folder: Path, repeat: int) -> list[tuple[str, tuple[float, float]]]:
    a, b, c, many, more, few, fewer, small = (
        str(folder / each)
        for each in ("a", "b", "c", "many", "more", "few", "fewer", "small.keras")
    )
    loop, checksum = [str(HERE / "diff_by_hand.py")], ["-c", CHECKSUM, f"{a}.data-00000-of-00001"]
    found = [
        (
            "diff of 1 GB / a loop in TensorFlow",
            side_by_side(tool("diff", a, b), command([*loop, a, b]), repeat),
        ),
        ("diff of 1 GB / cmp", side_by_side(tool("diff", a, b), shell(CMP.format(a, b)), repeat)),
        ("fsck of 1 GB / cat", side_by_side(tool("fsck", a), shell(CAT.format(a)), repeat)),
        (
            "fsck of 1 GB, without start-up / cat",
            side_by_side(
                lambda: tool("fsck", a)() - tool("fsck", few)(), shell(CAT.format(a)), repeat
            ),
        ),
        ("fsck of 1 GB / its checksum", side_by_side(tool("fsck", a), command(checksum), repeat)),
        (
            "diff of 1 GB that differs / the loop",
            side_by_side(tool("diff", a, c, status=1), command([*loop, a, c]), repeat),
        ),
        ("12,000 tensors: inspect / 1.5 s", (tool("inspect", many)(), 1.5)),
        ("12,000 tensors: diff / 1.5 s", (tool("diff", many, more)(), 1.5)),
        ("20 tensors: inspect / 0.25 s", (tool("inspect", few)(), 0.25)),
        ("20 tensors: diff / 0.25 s", (tool("diff", few, fewer)(), 0.25)),
        ("20 tensors: fsck / 0.25 s", (tool("fsck", few)(), 0.25)),
        ("a small .keras: inspect / 0.4 s", (tool("inspect", small)(), 0.4)),
        ("a small .keras: fsck / 0.4 s", (tool("fsck", small)(), 0.4)),
        ("--help / 0.2 s", (tool("--help")(), 0.2)),
        ("jobs / 0.2 s", (tool("jobs")(), 0.2)),
        ("memory of diff, 1 GB / bound", (memory("diff", a, b), BOUND)),
        ("memory of diff, all differs / bound", (memory("diff", a, c, status=1), BOUND)),
        ("memory of fsck, 1 GB / bound", (memory("fsck", a), BOUND)),
    ]
    for ending in FILES:
        of_one = [str(folder / f"{each}.{ending.removeprefix('.')}") for each in ("a", "b")]
        name = f"diff of 1 GB, {ending} / cmp"
        if name in BARS:
            own, other = tool("diff", *of_one), shell(f"cmp {' '.join(of_one)}")
            found.append((name, side_by_side(own, other, repeat)))
            found.append((f"memory of diff, {ending} / bound", (memory("diff", *of_one), BOUND)))
    sparse = [str(folder / each) for each in ("sparse", "sparser")]
    return [
        *found,
        ("memory of diff, sparse 8 GB / bound", (memory("diff", *sparse), BOUND)),
        ("memory of fsck, sparse 8 GB / bound", (memory("fsck", sparse[0]), BOUND)),
    ]


def tool(*arguments: str, status: int = 0) -> Callable[[], float]:
    return command(["-m", "ckptcheck", *arguments], status)


def command(arguments: list[str], status: int = 0) -> Callable[[], float]:
    return lambda: run([sys.executable, *arguments], status)[0]


def shell(line: str) -> Callable[[], float]:
    return lambda: run(["sh", "-c", line])[0]


def memory(*arguments: str, status: int = 0) -> float:
    """Return the peak memory of the tool, in bytes."""
    return run([sys.executable, "-m", "ckptcheck", *arguments], status)[1]


def run(arguments: list[str], status: int = 0) -> tuple[float, float]:
    """Return the time of a process in seconds, and its peak memory in bytes."""
    started = time.perf_counter()
    nowhere = subprocess.DEVNULL
    process = subprocess.Popen(
        arguments, stdin=nowhere, stdout=nowhere, stderr=nowhere, env=COMPILED
    )
    _, wait_status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    code = os.waitstatus_to_exitcode(wait_status)
    if code != status:
        raise NotMeasuredError(
            f"{' '.join(arguments)} exited with status {code}, but {status} was expected."
        )
    return seconds, peak(usage)


def peak(usage: resource.struct_rusage) -> float:
    return usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)


if __name__ == "__main__":
    sys.exit(main(__doc__ or "", BARS, measure, repeats=5))
