"""What an observation records, in processes of their own: an audit hook stays until the end."""

import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ckptcheck.observer.request import Request
from ckptcheck.run.digests import digest
from ckptcheck.run.folder import amend, read, without_first
from ckptcheck.run.run import Run

# A program whose state is one number, which each step doubles, in place of a framework.
PROLOGUE = """
import json, pathlib, sys
import numpy as np
from ckptcheck.job.protocol import Tensor
from ckptcheck.kinds import Kind
from ckptcheck.observer.observation import Observation
from ckptcheck.observer.request import Request

class Reading:
    def __init__(self):
        self.tensors = {"w": Tensor(Kind.WEIGHT, np.array(w))}
    def again(self, *kinds):
        return Reading().tensors

w, run = 1.0, pathlib.Path(sys.argv[2])
observation = Observation(Request.of(json.loads(pathlib.Path(sys.argv[1]).read_text())), Reading, dict)

def step(what="train", trains=True):
    global w
    observation.before(what)
    if not trains:
        return observation.idle(what)
    w *= 2
    observation.stepped(what, w, [np.array(w)])

def save(name="model.ckpt", known=True, mode="wb"):
    data = str(w)
    with open(run / name, mode) as file:
        file.write(data.encode() if "b" in mode else data)
    if known:
        observation.saved("save", run / name)

"""


def observe(
    top: Path,
    program: str,
    status: int = 0,
    environment: dict[str, str] | None = None,
    **asked: Any,
) -> tuple[Any, str]:
    """Run a program; return what was noted of it, and what it printed on standard error."""
    for name in ("control", "run", "temporary", "images"):
        (top / name).mkdir(parents=True, exist_ok=True)
    given = {"role": "control", "job": "job", "restore": None} | asked
    request = Request(
        folder=str(top / "control"), writes=str(top / "run"), images=str(top / "images"), **given
    )
    (top / "request.json").write_text(json.dumps(asdict(request)))
    ended = subprocess.run(
        [sys.executable, "-c", PROLOGUE + program, str(top / "request.json"), str(top / "run")],
        env=os.environ | {"PYTHONHASHSEED": "1"} | (environment or {}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == status, ended.stderr
    noted = top / "control" / "observed.json"
    return (json.loads(noted.read_text()) if noted.exists() else None), ended.stderr


def record(top: Path) -> Run:
    schedule = {"steps": 6, "boundary": 1, "steps_per_epoch": 6, "boundaries": (1,)}
    amend(top / "control", {"schedule": schedule})
    return read(top / "control")


def value(run: Run, point: str) -> float:
    return float(run.snapshots[point]["w"].value)


def test_the_state_before_the_step_after_a_save_is_recorded(tmp_path: Path) -> None:
    seen, _ = observe(tmp_path, "step(); save(); step(); step()")
    assert (seen["steps"], seen["kept"]) == (3, [1])
    run = record(tmp_path)
    assert [step.loss for step in run.steps] == [2.0, 4.0, 8.0]
    points = ("initial", "boundary-1", "after-1", "final")
    assert [value(run, point) for point in points] == [1.0, 2.0, 4.0, 8.0]
    assert (tmp_path / "images" / "crash-image@1" / "model.ckpt").read_text() == "2.0"


@pytest.mark.parametrize(
    ("program", "asked", "kept"),
    [
        ("step(); save(); step(); save(); step(); save(); step()", {}, [2, 3]),
        ("for _ in range(6): step(); save()\nstep()", {}, [2, 3, 4]),
        ("step(); save(); step()", {}, [1]),
        ("step(); save(); step(); save(); step(); save(); step()", {"saves": ()}, [3]),
        ("step(); save(); step(); save(); step(); save()", {"saves": ()}, [2]),
        (
            "step(); save(); step(); save(); step()",
            {"saves": (1, 2), "falls_back": False},
            [1, 2],
        ),
        ("step(); save(); step()", {"saves": (3,), "falls_back": False}, []),
        # Two files between two steps are one save; what is saved before the first step is none.
        ("step(); save(); save('b'); step(); save(); step()", {}, [2]),
        ("save(); step(); save(); step()", {}, [1]),
        # Without a known function, files count, but not those that are named like logs and pictures.
        ("step(); save(known=False); step(); save(known=False); step()", {}, [2]),
        ("step(); save('a.png', False); step(); save('a.json', False, 'w'); step()", {}, []),
        # With one, other files do not.
        ("step(); save('a', False); step(); save(); step(); save('b', False); step()", {}, [2]),
        ("step(); step()", {}, []),
    ],
)
def test_which_save_is_kept(
    tmp_path: Path, program: str, asked: dict[str, Any], kept: list[int]
) -> None:
    seen, _ = observe(tmp_path, program, **asked)
    assert seen["kept"] == kept
    assert sorted(seen["kept"]) == seen["kept"]
    for done in kept:
        assert (tmp_path / "images" / f"crash-image@{done}").is_dir()


@pytest.mark.parametrize(
    ("program", "images", "saved_after"),
    [
        ("step(); save(); step(); step(); save(); step()", {"2": "2.0"}, [1, 3]),
        ("step(); step(); save(); step(); save(); step()", {"2": "4.0"}, [2, 3]),
        ("step(); step(); save(known=False); step()", {"2": "4.0"}, [2]),
        # A run that saves nothing is killed with what it was restored from.
        ("step(); step(); step()", {"2": "old"}, []),
        ("step(); step(); save()", {}, []),
    ],
)
def test_the_folder_of_a_resumed_run_is_copied_where_it_is_wanted(
    tmp_path: Path, program: str, images: dict[str, str], saved_after: list[int]
) -> None:
    read_first = "open(run / 'model.ckpt').read()\n"
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "model.ckpt").write_text("old")
    asked: dict[str, Any] = {"restore": "restart", "boundary": 4, "image_after": 2}
    seen, _ = observe(tmp_path, read_first + program, role="resumed", **asked)
    folders = (tmp_path / "images").glob("crash-image@*")
    found = {each.name.partition("@")[2]: (each / "model.ckpt").read_text() for each in folders}
    assert (found, seen["saved_after"]) == (images, saved_after)
    # The copy is no restore.
    assert (len(seen["restores"]), seen["restored_late"]) == (1, [])


def test_a_call_that_does_not_train_is_no_boundary(tmp_path: Path) -> None:
    program = "step(); save(); step('test', False); w += 1; step('test', False); step(); step()"
    observe(tmp_path, program)
    # The first call of a function may train: its state is replaced by that before the real step.
    assert value(record(tmp_path), "boundary-1") == 3.0


def test_a_step_in_parts_begins_with_the_first(tmp_path: Path) -> None:
    program = (
        "step(); save(); observation.before('train'); w += 1; observation.idle('train'); step()"
    )
    observe(tmp_path, program)
    assert value(record(tmp_path), "boundary-1") == 2.0


def test_a_program_is_ended_after_a_number_of_steps(tmp_path: Path) -> None:
    program = "for _ in range(9):\n    try:\n        step(); save()\n    except BaseException: pass"
    seen, printed = observe(tmp_path, program, max_steps=4)
    assert (seen["steps"], seen["stopped"], printed) == (4, True, "")
    assert len(record(tmp_path).steps) == 4


def test_the_end_after_a_number_of_steps_prints_no_traceback(tmp_path: Path) -> None:
    _, printed = observe(tmp_path, "while True: step(); save()", status=1, max_steps=3)
    assert not printed


def test_an_exception_is_recorded(tmp_path: Path) -> None:
    _, printed = observe(tmp_path, "step(); save(); step(); raise ValueError('bad')", status=1)
    assert printed.endswith("ValueError: bad\n")
    failure = record(tmp_path).facts.failure
    assert failure is not None
    assert (failure.during, failure.type, failure.message, failure.step) == (
        "train",
        "ValueError",
        "bad",
        2,
    )


@pytest.mark.parametrize(
    ("program", "during"),
    [
        ("observation.restoring('load', 'x'); raise KeyError('b')", "restore"),
        (
            "observation.restoring('load', 'x'); observation.restored(); raise KeyError('b')",
            "train",
        ),
        ("open(run / 'a.bin', 'rb'); raise KeyError('b')", "restore"),
        ("open(run / 'a.bin', 'rb'); step(); raise KeyError('b')", "train"),
    ],
)
def test_a_restore_that_raises(tmp_path: Path, program: str, during: str) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "a.bin").touch()
    asked: dict[str, Any] = {"role": "resumed", "restore": "restart", "boundary": 1}
    observe(tmp_path, program, status=1, **asked)
    failure = record(tmp_path).facts.failure
    assert failure is not None
    assert (failure.during, failure.type) == (during, "KeyError")


RESUMED: dict[str, Any] = {"role": "resumed", "restore": "restart", "boundary": 4}


@pytest.mark.parametrize(
    ("program", "late"),
    [
        ("step(); open(run / 'a.bin', 'rb'); w = 8.0; step(); step()", [1]),
        (
            "step(); observation.restoring('load', 'x'); w = 8.0; observation.restored(); step()",
            [1],
        ),
        # What the run wrote itself is no checkpoint to resume from; nor is a note.
        ("step(); save('b.bin', False); open(run / 'b.bin', 'rb'); step()", []),
        ("step(); open(run / 'a.txt', 'rb'); step()", []),
        # Later restores are of the best weights, or of a second model.
        ("step(); step(); step(); step(); open(run / 'a.bin', 'rb'); step()", []),
    ],
)
def test_a_restore_after_the_first_steps_may_be_the_one(
    tmp_path: Path, program: str, late: list[int]
) -> None:
    (tmp_path / "run").mkdir()
    for name in ("a.bin", "a.txt"):
        (tmp_path / "run" / name).touch()
    seen, _ = observe(tmp_path, program, **RESUMED)
    assert seen["restored_late"] == late
    if late:
        without_first(tmp_path / "control", 1, 4)
        run = record(tmp_path)
        assert [step.number for step in run.steps] == list(range(seen["steps"] - 1))
        assert [value(run, point) for point in ("boundary-4", "after-4")] == [8.0, 16.0]


@pytest.mark.parametrize(
    ("restored", "before"), [((), 1.0), (("their digest",), 1.0), (("own",), None)]
)
def test_without_any_restore_the_process_began_as_it_is(
    tmp_path: Path, restored: tuple[str, ...], before: float | None
) -> None:
    own = digest(np.array(1.0))
    asked = {**RESUMED, "restored": [own if each == "own" else each for each in restored]}
    observe(tmp_path, "step(); step()", **asked)
    held = record(tmp_path).initial
    assert {name: float(each.value) for name, each in held.items()} == (
        {} if before is None else {"w": before}
    )


def test_a_save_between_two_parts_of_a_step_divides_its_batch(tmp_path: Path) -> None:
    parts = "np.array(1.0)], late=[np.array(2.0)]"
    program = (
        "step(); save(); observation.before('train'); "
        f"observation.stepped('train', 1.0, [np.array(0.0), {parts}); step()"
    )
    seen, _ = observe(tmp_path, program)
    assert seen["late_batches"] == {"1": digest(np.array(2.0))}


def test_a_save_of_another_thread_is_noted(tmp_path: Path) -> None:
    program = """
import threading
def aside():
    thread = threading.Thread(target=save, args=("a.bin", False))
    thread.start()
    thread.join()
step(); save(known=False); step(); aside(); step()
"""
    seen, _ = observe(tmp_path, program)
    assert (seen["kept"], seen["written_aside"]) == ([2], [2])


def test_a_save_of_another_thread_begins_after_the_step_that_is_not_reported_yet(
    tmp_path: Path,
) -> None:
    program = """
import threading
def aside():
    observation.saving()
    begun.set()
    go_on.wait()
    save("a.bin")
begun, go_on = threading.Event(), threading.Event()
step(); observation.updated()
thread = threading.Thread(target=aside)
thread.start()
begun.wait()
step(); step(); go_on.set(); thread.join(); step()
"""
    seen, _ = observe(tmp_path, program)
    assert [(each["begun"], each["done"]) for each in seen["saves"]] == [(2, 3)]


def test_a_program_that_fails_before_its_restore_is_not_recorded(tmp_path: Path) -> None:
    asked: dict[str, Any] = {"role": "resumed", "restore": "restart", "boundary": 1}
    assert observe(tmp_path, "raise KeyError('b')", status=1, **asked)[0] is None


def test_a_second_process_that_trains_is_noted(tmp_path: Path) -> None:
    observe(tmp_path, "step(); save(); step()")
    observe(tmp_path, "step()")
    trouble = (tmp_path / "control" / "trouble.txt").read_text()
    assert trouble == (
        "More than one process of the command trains, and they are not the ranks of one job. "
        "Verify a command of which one process trains, or one that torchrun starts.\n"
    )
    assert len(record(tmp_path).steps) == 2


def test_a_resumed_run_begins_at_its_restore(tmp_path: Path) -> None:
    program = "observation.restoring('load', 'x'); w = 2.0; observation.restored(); step(); step()"
    asked: dict[str, Any] = {"role": "resumed", "restore": "restart", "boundary": 1}
    seen, _ = observe(tmp_path, program, **asked)
    run = record(tmp_path)
    points = ("initial", "boundary-1", "final")
    assert [value(run, point) for point in points] == [1.0, 2.0, 8.0]
    assert [each["what"] for each in seen["restores"]] == ["load"]


def test_a_file_that_is_read_is_a_restore(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "weights.bin").write_bytes(b"2.0")
    program = "w = float(open(run / 'weights.bin', 'rb').read()); step()"
    seen, _ = observe(tmp_path, program, role="resumed", restore="restart", boundary=1)
    assert [each["what"] for each in seen["restores"]] == ["open"]
    assert value(record(tmp_path), "initial") == 1.0


def test_what_is_written_elsewhere_is_noted(tmp_path: Path) -> None:
    program = "step(); save(); step(); open(run.parent / 'elsewhere.txt', 'w').close(); step()"
    observe(tmp_path, program, environment={"TMPDIR": str(tmp_path / "temporary")})
    (place,) = record(tmp_path).facts.wrote
    assert Path(place).name == "elsewhere.txt"


def test_losses_that_are_not_seen(tmp_path: Path) -> None:
    # A loss of some steps alone is no curve; batches and rates are compared where they are seen.
    program = "observation.before('a'); observation.stepped('a', None); step()"
    assert observe(tmp_path, program)[0]["unseen"] == ["learning rates", "losses"]
    program = "observation.before('a'); observation.stepped('a', None)"
    everything = ["batches", "learning rates", "losses"]
    assert observe(tmp_path / "again", program)[0]["unseen"] == everything


@pytest.mark.parametrize(
    ("raised", "is_noted"),
    [
        ("MemoryError('no room')", True),
        ("type('OutOfMemoryError', (RuntimeError,), {})('CUDA out of memory. Tried')", True),
        ('RuntimeError("DefaultCPUAllocator: can\'t allocate memory: you tried")', True),
        ("ValueError('out of memory')", False),
        ("RuntimeError('no such file')", False),
    ],
)
def test_out_of_memory_is_no_fault_of_the_checkpoint(
    tmp_path: Path, raised: str, is_noted: bool
) -> None:
    observe(tmp_path, f"step(); raise {raised}", status=1)
    note = tmp_path / "control" / "trouble.txt"
    assert note.exists() == is_noted
    if is_noted:
        assert note.read_text().startswith("The command ran out of memory: ")


DRAWING = """
class Drawing(Reading):
    def __init__(self):
        self.tensors = {"random/g": Tensor(Kind.RNG, np.array(drawn))}
    def again(self, *kinds):
        return Drawing().tensors

observation._read, drawn = Drawing, 0
for _ in range(3):
    drawn += 1  # for a batch
    step()
    save()
"""


def test_what_is_drawn_between_two_steps_is_noted(tmp_path: Path) -> None:
    observe(tmp_path, DRAWING)
    run = record(tmp_path)
    assert run.snapshots["after-1"]["random/g"].value == 2
    assert run.facts.generators["next-1"] == {"random/g": digest(np.array(3))}
