"""A cached control is reused while nothing changed, and never across a change."""

import os
import re
from pathlib import Path

import pytest

from ckptcheck import verify
from ckptcheck.errors import UsageError
from ckptcheck.report.report import Report
from ckptcheck.run import control_cache
from ckptcheck.run.control_cache import ControlCache, Miss, conditions
from ckptcheck.run.inputs import opaque
from ckptcheck.run.task import Task

JOB = """
import numpy as np
from pathlib import Path
from ckptcheck.job import Step
from helper_of_train import RATE

DATA = np.load(Path(__file__).with_name("data.npy"))


class Train:
    restores = ("all",)
    steps_per_epoch = 4

    def build(self, seed):
        self.w, self.step = np.full(3, 1.0 + seed), 0

    def next_step(self):
        return self.step

    def train(self, step):
        batch = DATA[step % 4]
        self.w = self.w - RATE * batch
        self.step += 1
        return Step(float(self.w.sum()), [batch], RATE)

    def evaluate(self):
        return float(self.w.sum())

    def state(self):
        return {"w": self.w.copy()}

    def save(self, folder, step):
        np.savez(folder / "state.npz", w=self.w, step=step)

    def restore(self, folder, restore):
        with np.load(folder / "state.npz") as saved:
            self.w, self.step = saved["w"], int(saved["step"])
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    import numpy as np

    (tmp_path / "train.py").write_text(JOB)
    (tmp_path / "helper_of_train.py").write_text("RATE = 0.125\n")
    np.save(tmp_path / "data.npy", np.arange(12.0).reshape(4, 3))
    return tmp_path


def _run(folder: Path, **asked: object) -> tuple[Report, str]:
    """Verify the job with the cache; return the report, and what it says of the control."""
    job = f"{folder / 'train.py'}:Train"
    report = verify(job, cache=folder / "cache", steps=8, **{"boundary": 4} | asked)  # type: ignore[arg-type]
    note = report.environment[f"control of {job}"].replace(f"{folder}{os.sep}", "")
    return report, re.sub(r"recorded \d+ seconds? ago", "recorded N seconds ago", note)


REUSED = "reused from the cache, recorded N seconds ago"
NEW = "trained: the cache holds no control for this request"


def _edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_an_unchanged_control_is_reused_and_a_changed_one_is_not(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, note = _run(folder)
    assert (first.verdict, note) == ("pass", NEW)
    again, note = _run(folder)
    assert (again.verdict, note) == ("pass", REUSED)
    assert again.cases[0].digests == first.cases[0].digests
    assert _run(folder, boundary=5)[1] == NEW
    monkeypatch.setenv("BATCH", "32")
    assert _run(folder)[1] == "trained: the variable BATCH changed"
    _edit(folder / "train.py", "steps_per_epoch = 4", "steps_per_epoch = 3")
    assert _run(folder)[1] == "trained: train.py changed"
    _edit(folder / "helper_of_train.py", "0.125", "0.25")
    assert _run(folder)[1] == "trained: helper_of_train.py changed"
    (folder / "data.npy").write_bytes((folder / "data.npy").read_bytes()[:-1] + b"\x01")
    assert _run(folder)[1] == "trained: data.npy changed"
    (folder / "numpy_extra.py").write_text("")
    assert _run(folder)[1] == f"trained: {folder} changed"
    monkeypatch.setattr(control_cache, "_packages", lambda: "others")
    assert _run(folder)[1] == "trained: the installed packages changed"
    assert _run(folder)[1] == REUSED


def test_a_fault_planted_after_the_control_was_kept_is_found(folder: Path) -> None:
    assert _run(folder)[0].verdict == "pass"
    _edit(folder / "train.py", "self.w, self.step = saved", "self.w, self.step = 2 * saved")
    report, note = _run(folder)
    assert (report.verdict, note) == ("fail", "trained: train.py changed")
    report, note = _run(folder)
    assert (report.verdict, note) == ("fail", REUSED)


def test_a_source_that_is_a_link_elsewhere_now_has_changed(folder: Path) -> None:
    """Two folders with one source and different data, behind one link."""
    link = folder / "helper_of_train.py"
    source = (
        "from pathlib import Path\n"
        "RATE = float(Path(__file__).resolve().with_name('rate').read_text())\n"
    )
    for name, rate in (("v1", "0.125"), ("v2", "0.25")):
        (folder / name).mkdir()
        (folder / name / link.name).write_text(source)
        (folder / name / "rate").write_text(rate)
    changed = "trained: helper_of_train.py changed"
    for name, note in (("v1", NEW), ("v1", REUSED), ("v2", changed)):
        link.unlink()
        link.symlink_to(folder / name / link.name)
        report, said = _run(folder)
        assert (report.verdict, said) == ("pass", note)


def test_damaged_records_are_never_used(folder: Path) -> None:
    _run(folder)
    [entry] = (folder / "cache").glob("*/entry.json")
    record = entry.parent / "runs" / "control" / "final.npz"
    record.write_bytes(record.read_bytes()[:-1] + b"?")
    assert _run(folder)[1] == "trained: the records in the cache are damaged"
    entry.write_text(entry.read_text().replace('"created": 1', '"created": 2'))
    assert _run(folder)[1] == "trained: the records in the cache are damaged"
    entry.write_text("{")
    assert _run(folder)[1] == "trained: the records in the cache are damaged"
    assert _run(folder)[1] == REUSED


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("1.0 + seed", "np.random.default_rng().normal()", "the job is not reproducible"),
        (
            "self.step += 1",
            "self.step += 1; (Path(__file__).parent / 'kept').write_text('1')",
            "it writes kept",
        ),
        (
            "self.step += 1",
            "self.step += 1; __import__('os').system('true')",
            "it starts a program",
        ),
        (
            "1.0 + seed",
            "(Path(__file__).parent / 'sized').resolve().parent.stat().st_size",
            "train.py uses stat, whose reads cannot be seen",
        ),
        (
            "import numpy as np",
            "import h5py\nimport numpy as np",
            "train.py imports h5py, whose reads cannot be seen",
        ),
    ],
)
def test_a_control_that_anything_else_could_change_is_not_kept(
    folder: Path, old: str, new: str, reason: str
) -> None:
    _edit(folder / "train.py", old, new)
    for _ in range(2):
        assert _run(folder)[1] == f"trained: it cannot be reused, because {reason}"
    assert not list((folder / "cache").glob("*/entry.json"))


@pytest.mark.parametrize(
    "source",
    [
        "data = tf.data.TFRecordDataset(files)",
        "model.load_weights('before.h5')",
        "from tensorflow.io import read_file",
        "x = np.fromfile('data.bin')",
        "def save(self): tf.train.Checkpoint(m=m).restore(path)",
    ],
)
def test_what_a_library_reads_by_itself_is_found_in_the_source(tmp_path: Path, source: str) -> None:
    (tmp_path / "job.py").write_text(source)
    assert opaque(tmp_path / "job.py")


@pytest.mark.parametrize(
    "source",
    [
        "from pathlib import Path\nsize = Path('data').stat().st_size",
        "from pathlib import Path\nname = (Path('a') / 'real').resolve().name",
        "import os\nplace = os.readlink('latest')",
        "import os\nplace = os.path.realpath('latest')",
        "import os\nif os.path.exists('override'): rate = 2",
        "from os.path import getmtime as newest\nx = newest('data')",
        "from os import stat\nx = stat('data')",
        "from pathlib import Path\nrate = 2 if Path('override').is_file() else 1",
        "import os\nx = [each.stat() for each in os.scandir('more')]",
        "import os\nif os.access('data', os.R_OK): pass",
        "from pathlib import Path\nx = list(Path('.').glob('override'))",
        "from pathlib import Path\nx = list(Path('.').glob('*/override'))",
        "import glob\nx = glob.glob(pattern)",
    ],
)
def test_metadata_of_files_is_found_in_the_source(tmp_path: Path, source: str) -> None:
    (tmp_path / "job.py").write_text(source)
    (reason,) = opaque(tmp_path / "job.py")
    assert reason.startswith("job.py ")
    assert reason.endswith("cannot be seen")


@pytest.mark.parametrize(
    "source",
    [
        "from pathlib import Path\nHERE = Path(__file__).resolve().parent",
        "import os\nHERE = os.path.dirname(os.path.realpath(__file__))",
        "from pathlib import Path\nx = sorted(Path('more').glob('*.npy'))",
        "import glob\nx = glob.glob(f'{HERE}/data/*/*.npy')",
        "import numpy as np\nfrom pathlib import Path\nx = np.load('data.npy')",
        "def fit(self, restore): self.asked = restore",
        "class Train:\n    def restore(self, folder, restore): self.live.load_weights(folder)",
    ],
)
def test_what_python_opens_needs_no_look_at_the_source(tmp_path: Path, source: str) -> None:
    (tmp_path / "job.py").write_text(source)
    assert opaque(tmp_path / "job.py") == []


def test_a_cache_excludes_an_executor(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as error:
        verify("bn-nn", cache=tmp_path, executor="dask://nowhere:1")
    assert str(error.value) == (
        "A cache and an executor exclude each other: its machines may differ."
    )


def test_options_make_a_request_of_its_own(tmp_path: Path) -> None:
    cache = ControlCache(tmp_path / "cache")
    for seed in ("1", "2"):
        control = Task("bn-nn", str(tmp_path / "bn-nn"), options={"seed": seed})
        assert cache.fetch(control, "") == Miss("the cache holds no control for this request")
    names = {control_cache._name(Task("bn-nn", "", options={"seed": each}), "") for each in "12"}
    assert len(names) == 2


def test_variables_of_a_build_do_not_count_and_others_do(monkeypatch: pytest.MonkeyPatch) -> None:
    control = Task("bn-nn", "")
    before = conditions(control)
    monkeypatch.setenv("GITHUB_RUN_ID", "7")
    monkeypatch.setenv("SHLVL", "9")
    assert conditions(control) == before
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    after = conditions(control)
    assert {name for name in after if after[name] != before.get(name)} == {
        "OMP_NUM_THREADS",
        "the variable OMP_NUM_THREADS",
    }


def test_only_the_newest_entries_are_kept(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control_cache, "MOST_ENTRIES", 1)
    for boundary in (4, 5):
        _run(folder, boundary=boundary)
    assert len(list((folder / "cache").glob("*/entry.json"))) == 1
    assert _run(folder, boundary=5)[1] == REUSED
