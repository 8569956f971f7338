"""How fast and how small `diff`, `fsck` and `inspect` are, side by side with what one would use instead.

    python benchmarks/files.py [--repeats N] [--json]

Makes checkpoints of 1 GB, of 12,000 small tensors and of 20, and a sparse pair of 8 GB, in a temporary folder of some 12 GB of
which 4 are written. All times are of whole processes, start-up included, with the files in the page cache, and modules
compiled as by an installation. A ratio is that of the tool to the other; memory is held against its bound: 100 MB and twice a
chunk; what has a bar in seconds, against that.
"""

import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from side_by_side import HERE, Found, NotMeasuredError, main, python, side_by_side, tell

from ckptcheck.checkpoints import CHUNK

BARS = {
    "diff of 1 GB / a loop in TensorFlow": 1 / 8,
    "diff of 1 GB / cmp": 1.3,
    "fsck of 1 GB / cat": 2.0,
    "fsck of 1 GB, without start-up / cat": 2.0,
    "fsck of 1 GB / its checksum": 1.0,
    "diff of 1 GB that differs / the loop": 1.0,
    "12,000 tensors: inspect / 1.5 s": 1.0,
    "12,000 tensors: diff / 1.5 s": 1.0,
    "20 tensors: inspect / 0.4 s": 1.0,
    "20 tensors: diff / 0.4 s": 1.0,
    "20 tensors: fsck / 0.4 s": 1.0,
    "memory of diff, 1 GB / bound": 1.0,
    "memory of diff, all differs / bound": 1.0,
    "memory of fsck, 1 GB / bound": 1.0,
    "memory of diff, sparse 8 GB / bound": 1.0,
    "memory of fsck, sparse 8 GB / bound": 1.0,
}
BOUND = 100e6 + 2 * CHUNK
# The environment may forbid to keep compiled modules; those of an installation are there.
MODULES = tempfile.TemporaryDirectory()
COMPILED = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
COMPILED["PYTHONPYCACHEPREFIX"] = MODULES.name

CAT = "cat {0}.data-00000-of-00001 > /dev/null"
CMP = "cmp {0}.data-00000-of-00001 {1}.data-00000-of-00001"
# What the library itself needs for the file, read in pieces that stay in a core's cache.
CHECKSUM = """
import google_crc32c, sys
file, found = open(sys.argv[1], "rb", buffering=0), 0
while part := file.read(1 << 19):
    found = google_crc32c.extend(found, part)
"""


def measure(repeats: int) -> Found:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tell("making the checkpoints …")
        python(HERE / "make_checkpoints.py", folder)
        found: Found = {name: [] for name in BARS}
        for repeat in range(repeats + 1):
            tell(f"repeat {repeat} of {repeats}" if repeat else "warming up …")
            for name, pair in one_round(folder, repeat):
                if repeat:
                    found[name].append(pair)
    return found


def one_round(folder: Path, repeat: int) -> list[tuple[str, tuple[float, float]]]:
    a, b, c, many, more, few, fewer = (
        str(folder / each) for each in ("a", "b", "c", "many", "more", "few", "fewer")
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
        ("20 tensors: inspect / 0.4 s", (tool("inspect", few)(), 0.4)),
        ("20 tensors: diff / 0.4 s", (tool("diff", few, fewer)(), 0.4)),
        ("20 tensors: fsck / 0.4 s", (tool("fsck", few)(), 0.4)),
        ("memory of diff, 1 GB / bound", (memory("diff", a, b), BOUND)),
        ("memory of diff, all differs / bound", (memory("diff", a, c, status=1), BOUND)),
        ("memory of fsck, 1 GB / bound", (memory("fsck", a), BOUND)),
    ]
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
    """Return how long a process took, and the most memory that it had."""
    started = time.perf_counter()
    nowhere = subprocess.DEVNULL
    process = subprocess.Popen(
        arguments, stdin=nowhere, stdout=nowhere, stderr=nowhere, env=COMPILED
    )
    _, left, used = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    if os.waitstatus_to_exitcode(left) != status:
        raise NotMeasuredError(
            f"{' '.join(arguments)} left with status {os.waitstatus_to_exitcode(left)}"
        )
    return seconds, peak(used)


def peak(used: resource.struct_rusage) -> float:
    return used.ru_maxrss * (1 if sys.platform == "darwin" else 1024)


if __name__ == "__main__":
    sys.exit(main(__doc__ or "", BARS, measure, repeats=5))
