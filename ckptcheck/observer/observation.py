"""What is seen of one process of a command: steps, saves, restores, evaluations, live state.

An adapter reports to it. The first process that trains records the run, or each rank of the job
that trains; what a process does before its first step is kept until then.
"""

import atexit
import contextlib
import mmap
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn, Protocol

from ckptcheck.arrays import Array
from ckptcheck.job.kinds import as_kinds, with_kinds
from ckptcheck.job.protocol import POISON, OnDevice, Tensor
from ckptcheck.job.schedule import Schedule
from ckptcheck.kinds import Kind
from ckptcheck.observer.crash_image import Images
from ckptcheck.observer.faults import Disk, with_disk
from ckptcheck.observer.files import FileWatch
from ckptcheck.observer.program import Program
from ckptcheck.observer.ranks import Meeting, Rank
from ckptcheck.observer.request import Request
from ckptcheck.run import environment, python_state
from ckptcheck.run.digests import digest
from ckptcheck.run.folder import Recorder, of_rank, write_whole
from ckptcheck.run.heartbeat import Heartbeat
from ckptcheck.run.run import Facts, Failure
from ckptcheck.run.snapshots import (
    FINAL,
    INITIAL,
    after_point,
    began_at,
    boundary_point,
    next_point,
    outside_of,
    save_point,
)
from ckptcheck.run.writes import Writes
from ckptcheck.text_safety import first_sentence

CLAIM, OBSERVED, PROGRESS, TROUBLE = "claim", "observed.json", "progress", "trouble.txt"

_WIDTH = 20  # characters of the number of steps done
# The function by which a program restores from files of its own.
_OPEN = "open"
# Restores after the first steps that may be the one to resume by: some programs first let an
# optimizer create its slots by an update with zero gradients, or train a different model.
_MOST_LATE = 3
# Saves at which is read what the program keeps outside of its framework.
_MOST_OUTSIDE = 6
_SEVERAL = (
    "More than one process of the command trains, and they are not the ranks of one job. Verify a "
    "command of which one process trains, or one that torchrun starts."
)


# By whether the run is the control.
_OUT_OF_MEMORY = {
    True: "The command ran out of memory",
    False: "The restarted run ran out of memory",
}
# What PyTorch says of memory in an exception of no class of its own.
_NO_MEMORY = ("out of memory", "can't allocate memory", "not enough memory")


class StoppedError(BaseException):
    """Ends the program after the requested number of steps. No `except Exception` stops it."""


class Reading(Protocol):
    """The live state at one moment, which can be read again when the program has dropped it."""

    @property
    def tensors(self) -> Mapping[str, Tensor]:
        """The state tensors by name."""

    def again(self, *kinds: Kind) -> Mapping[str, Tensor]:
        """Return the present values of the same tensors; of some kinds alone, if any are given."""


@dataclass
class _Due:
    """The state before the next step, as it was at the last moment that may have been that."""

    reading: Reading | None = None
    is_certain: bool = False


class Observation:
    """What one process is seen to do.

    Args:
        request: what the launcher asks for.
        read: returns the live state.
        counters: returns the framework's counts of steps by name, such as an optimizer's.
        program: the program, where the adapter reads it, too.
        poison: adds noise to every weight, but for those of which the digest is spared, so that a
            restore that does nothing shows.
        rank: returns the rank of this process, once it trains; None: it trains alone.

    Attributes:
        program: the program, with the objects that it passed to its framework.
        framework: the style of the program, once its steps have shown it.
        on_restore: called when a restore begins: what was seen before it is no part of a step.
        sealed: returns the layers whose random generator nothing can read.
        end_step: reports the step that has been made, if the adapter waits whether more follows.
        disk: the disk of the program, which may fail it.
    """

    def __init__(
        self,
        request: Request,
        read: Callable[[], Reading],
        counters: Callable[[], Mapping[str, int]],
        program: Program | None = None,
        poison: Callable[[int, Collection[str]], None] = lambda seed, spared: None,
        rank: Callable[[], Rank | None] = lambda: None,
    ) -> None:
        self.request = request
        self.program = Program() if program is None else program
        self.framework = ""
        self.on_restore: Callable[[], None] = lambda: None
        self.end_step: Callable[[], None] = lambda: None
        self.disk = Disk(request)
        self.sealed: Callable[[], Iterable[str]] = tuple
        self._sealed: set[str] = set()
        self._read, self._counters, self._poison = read, counters, poison
        self._rank = rank
        self._folder = Path(request.folder)
        self._process, self._started = os.getpid(), time.time()
        self._recorder: Recorder | None = None
        self._facts: Facts | None = None
        self._done = self._made = 0  # steps that were reported; with one that is not over yet
        self._saving_since: dict[int, int] = {}  # the steps made when a thread began its save
        self._due: _Due | None = _Due()
        self._due_outside = self._due_draws = ""
        self._has_saved = False
        self._outside_saves = 0
        self._trains: set[Hashable] = set()
        self._idle: set[Hashable] = set()
        self._initial: Reading | None = None
        self._last: Reading | None = None
        self._updated: Reading | None = None
        self._evaluations: list[tuple[int, float]] = []
        self._attributes: dict[str, dict[str, float]] = {}
        self._generators: dict[str, dict[str, str]] = {}
        self._epoch: int | None = None
        self._restores: list[dict[str, Any]] = []
        self._restoring = 0
        self._restored_late: list[int] = []
        self._late: dict[int, str] = {}
        self._written_aside: list[int] = []
        self._trainer: int | None = None  # the thread that trains
        self._is_saved_aside = False
        self._saved_after: list[int] = []
        self._wrote: dict[str, list[int]] = {}  # the steps done at each write of a file
        self._accumulating: list[int] = []
        self._saves: list[dict[str, Any]] = []
        self._counted: dict[str, dict[str, int]] = {}
        self._unseen: set[str] = {"batches", "learning rates"}
        self._failure: Failure | None = None
        self._trouble = ""
        self._is_stopping = self._has_stopped = False
        self._is_other = False
        self._files = FileWatch(request, self._on_file_read)
        self._writes = Writes()
        self._images = Images(request)
        self._beat = Heartbeat(self._show_progress, *([0.0] if request.shows_each_step else []))
        self._shown: mmap.mmap | None = None
        self._excepthook, sys.excepthook = sys.excepthook, self._on_exception
        atexit.register(self.close)
        self._exit, os._exit = os._exit, self._on_exit

    # --- What the adapter reports ---

    def before(self, what: Hashable) -> None:
        """Note that a call begins which may be a training step.

        The state before a step is read only where it is wanted: before the first step, and after
        a save. Of several calls before that step, the last one that may train decides.
        """
        if self._is_over():
            return
        self._before(what)
        self.disk.at_step(self._done)

    @with_disk
    def _before(self, what: Hashable) -> None:
        self._trainer = threading.get_ident()
        self.program.at_step()
        if self._is_saved_aside:
            self._is_saved_aside = False
            self._written_aside.append(self._done)
        self._notice_files()
        if self._has_saved and not self._due_outside and self._outside_saves < _MOST_OUTSIDE:
            done = self._done + (0 if self.request.is_control else self.request.boundary)
            self._due_outside = save_point(done)
            self._outside_saves += 1
        if self._has_saved and self._done not in self._saved_after[-1:]:
            self._saved_after.append(self._done)
        self._has_saved = False
        self._snapshot_outside()
        if self._wants_image():
            self._images.wanted()
            with self._files.unwatched():  # the copy is no restore
                self._images.take()
        self._note_draws()
        if self.request.is_control and self._done in self.request.points:
            self._due = self._due or _Due()
        if self._images.begins(self._done, self._due is not None):
            self._due = self._due or _Due()
        due = self._due
        if due is None or due.is_certain or what in self._idle:
            return
        due.reading = self._read()
        due.is_certain = what in self._trains
        if self._done:
            self._images.take()

    def idle(self, what: Hashable) -> None:
        """Note that a call was no training step."""
        if what not in self._trains:
            self._idle.add(what)

    @with_disk
    def stepped(
        self,
        what: Hashable,
        loss: float | Callable[[], float] | None,
        batch: Sequence[Array] | OnDevice = (),
        rate: float | None = None,
        late: Sequence[Array] | OnDevice | None = None,
    ) -> None:
        """Note that a call was a training step, and what it did. None: that was not seen.

        Args:
            what: the call.
            loss: its training loss, or a function that reads it from a device.
            batch: what it read.
            rate: its learning rate.
            late: what it read after the last save, where that is a part of the batch: a program
                that accumulates gradients may save between two parts of a step.
        """
        if self._is_over():
            return
        self._trains.add(what)
        self._idle.discard(what)
        recorder = self._claimed()
        if recorder is None:
            return
        point = self._at_point()
        if self._wants_image():
            self._images.keep(self._done)
        if point and late is not None:
            self._late[self._done] = late.digest() if isinstance(late, OnDevice) else digest(*late)
        if self._unseen:
            seen = {"batches": bool(batch), "learning rates": rate is not None}
            self._unseen -= {name for name, is_seen in seen.items() if is_seen}
        if loss is None:  # losses of some steps alone are no curve
            self._unseen.add("losses")
        recorder.observed_step(self._done, 0.0 if loss is None else loss, batch, rate)
        self._done += 1
        self._made = self._done
        if point:
            self._after(point)
        self._updated = None
        self._beat(self._done)
        if self.request.max_steps and self._done >= self.request.max_steps:
            self._is_stopping = True
            self.close()
            self._has_stopped = True
            if self._images.meeting is not None:
                self._images.meeting.wait_for_all()
            raise StoppedError(f"ckptcheck ends the program after {self._done} steps")

    def updated(self) -> None:
        """Note that a step has updated weights, if it is reported only once more cannot follow."""
        self._made = self._done + 1
        is_wanted = self._due is not None and self._due.reading is not None
        if is_wanted and not self._is_over() and (self._done or not self.request.is_control):
            self._updated = self._read()

    def saving(self) -> None:
        """Note that a save begins: the step before it is done, also for a thread that saves."""
        if self._trainer not in (None, threading.get_ident()):
            self._saving_since[threading.get_ident()] = self._made
        elif not self._is_over():
            self.end_step()

    def saved(self, what: str, path: Any) -> None:
        """Note that a checkpoint was saved; by a thread, while training may have gone on."""
        if self._trainer in (None, threading.get_ident()):
            self.end_step()
        else:
            self._is_saved_aside = True
        if not self._is_over():
            place = str(Path(path).resolve())
            begun = self._saving_since.pop(threading.get_ident(), self._done)
            if self._is_saved_aside:
                self._written_aside.append(begun)
            noted = {"done": self._done, "begun": begun, "what": what, "path": place}
            self._saves.append(noted | {"is_inside": self.is_inside(path)})
            self._has_saved = True
            if self._images.saved(is_known=True):
                self._due = self._due or _Due()

    def is_inside(self, path: Any) -> bool:
        """Return whether a path is in the folder that the command writes into."""
        return Path(path).resolve().is_relative_to(Path(self.request.writes).resolve())

    def saves(self) -> int:
        """Return how much was saved so far: whether something was since is told by the count."""
        return len(self._saves) + self._files.written

    def restoring(self, what: str, path: str, way: str = "") -> None:
        """Note that a restore begins. The first one of a resumed run has to undo the poison.

        Args:
            what: the function that restores.
            path: what it restores from.
            way: the restore of a job that does the same, if there is one.
        """
        self.end_step()
        is_first = not self._restores
        is_late = self._is_late()
        if is_first and not self.request.is_control and what != _OPEN:
            self._poison(POISON, self.request.restored)
        if (is_first and not self._done) or is_late:
            self._initial = self._read()
        if is_late:
            self._due = _Due()
        place = str(Path(path).resolve()) if path else ""
        self._restores.append({"done": self._done, "what": what, "path": place, "way": way})
        self._restoring += 1
        self.on_restore()

    def restored(self) -> None:
        """Note that a restore has ended without an exception."""
        self._restoring -= 1

    def evaluated(self, loss: float) -> None:
        """Note an evaluation loss of the live state."""
        self.end_step()
        self._evaluations.append((self._done, loss))

    def epoch_of(self, steps: int | None) -> None:
        """Note the number of steps in an epoch, where the framework knows it."""
        self._epoch = steps or self._epoch

    # --- Recording ---

    def _wants_image(self) -> bool:
        """Return whether a resumed run is now where a further run is to be resumed from it."""
        wanted = self.request.image_after
        return bool(wanted) and self._done - wanted in (0, *self._restored_late)

    def _is_late(self) -> bool:
        """Return whether a restore may be the one that the run resumes by, after a few steps."""
        return (
            not self.request.is_control
            and 0 < self._done < self.request.boundary
            and len(self._restored_late) < _MOST_LATE
        )

    def _is_over(self) -> bool:
        if self._has_stopped:
            self._exit(0)  # the program caught even a BaseException
        return self._is_other or self._process != os.getpid()

    def _claimed(self) -> Recorder | None:
        """Return the recorder of the run; None: a different process trains, too."""
        if self._recorder is None:
            rank = self._rank()
            folder = of_rank(self._folder, rank.number if rank else 0)
            try:
                folder.mkdir(exist_ok=True)
                (folder / CLAIM).touch(exist_ok=False)
            except FileExistsError:
                self._is_other = True
                with (self._folder / TROUBLE).open("a", encoding="utf-8") as file:
                    file.write(f"{_SEVERAL}\n")
                return None
            if rank is not None:
                self._images.meeting = Meeting(self._folder, rank)
            self._folder = folder
            self._facts = self._new_facts()
            self._recorder = Recorder(folder, self._facts)
        return self._recorder

    def _new_facts(self) -> Facts:
        facts = Facts(
            self.request.role, self.request.job, self.request.restore, 0, Schedule(2, 1, 1)
        )
        facts.hash_seed = os.environ.get("PYTHONHASHSEED", "random")
        facts.process, facts.started = self._process, self._started
        return facts

    def _at_point(self) -> str:
        """Record the state before this step, where it is wanted; return the name of that point."""
        due, self._due = self._due, None
        if due is None or due.reading is None:
            return ""
        assert self._recorder is not None
        if self.request.is_control:
            point = boundary_point(self._done) if self._done else INITIAL
            is_kept = bool(self._done) and self._images.keep(self._done)
            if self._done and not (is_kept or self._done in self.request.points):
                return ""
        else:
            if self._done:
                self._restored_late.append(self._done)
            held = self._before_restore(due.reading)
            self._recorder.snapshot(began_at(INITIAL, self._done), held)
            point = began_at(boundary_point(self.request.boundary), self._done)
        if any(each.kind is Kind.ACCUMULATOR for each in due.reading.tensors.values()):
            self._accumulating.append(self._done)
        self._snapshot(point, due.reading)
        self._counted[point] = dict(self._counters())
        return point

    def _before_restore(self, reading: Reading) -> Mapping[str, Tensor]:
        """Return what a resumed process held before its restore; empty: that is unknown.

        Where no restore was seen, and no weight has its value from the checkpoint, nothing was
        restored: all is as it was.
        """
        if self._initial is not None:
            return self._initial.tensors
        weights = (each for each in reading.tensors.values() if each.kind is Kind.WEIGHT)
        if self._restores or any(digest(each.value) in self.request.restored for each in weights):
            return {}
        return reading.tensors

    def _snapshot(self, point: str, reading: Reading) -> None:
        assert self._recorder is not None
        decisive = python_state.attribute_tensors(self.program)
        self._recorder.snapshot(point, self._with_kinds({**reading.tensors, **decisive}))
        if point != INITIAL:
            self._due_outside = point
            self._snapshot_outside()
        self._sealed |= set(self.sealed())
        self._attributes[point] = python_state.attribute_values(self.program)
        self._generators[point] = python_state.generator_digests()

    def _snapshot_outside(self) -> None:
        """Record what the program keeps outside of its framework, where that is due.

        A program changes it between two steps: after a step, it is read right before the next one.
        """
        point, self._due_outside = self._due_outside, ""
        if point and self._recorder is not None:
            arrays = self.program.arrays().items()
            held = {name: Tensor(Kind.PYTHON, value) for name, value in arrays}
            self._recorder.snapshot(outside_of(point), held)

    def _with_kinds(self, tensors: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        return with_kinds(dict(tensors), as_kinds(self.request.kinds, "kinds"))

    def _after(self, point: str) -> None:
        """Read the state again after the step: it may have created tensors."""
        assert self._recorder is not None
        if point == INITIAL:
            return
        self._last, done = self._updated or self._read(), self._done - 1
        after = after_point(done)
        if not self.request.is_control:
            after = began_at(after_point(self.request.boundary), done)
        self._recorder.snapshot(after, self._with_kinds(self._last.tensors))
        self._due_outside = after
        self._due_draws = next_point(done) if self.request.is_control else ""

    def _note_draws(self) -> None:
        """Note the generators right before the second step after a save, where that is due.

        What changed since the first step was drawn in between: a batch, and no dropout mask.
        """
        point, self._due_draws = self._due_draws, ""
        if point and self._last is not None:
            held = self._last.again(Kind.RNG)
            self._generators[point] = {name: digest(each.value) for name, each in held.items()}

    def _notice_files(self) -> None:
        """Count what the program wrote into its folder since the last step as a save."""
        is_aside = threading.get_ident() not in self._files.writers
        names = sorted(self._files.names)
        if not self._done or not self._files.has_saved():
            return
        for name in names:
            self._wrote.setdefault(name, []).append(self._done)
        self._has_saved = True
        if self._images.saved(is_known=False):
            self._due = self._due or _Due()
            if is_aside:
                self._written_aside.append(self._done)

    def _on_file_read(self, path: str) -> None:
        """Take the first reading of a saved file for a restore, unless one was seen before."""
        if self._is_over() or self.request.is_control:
            return
        if self._restores if not self._done else not self._is_late():
            return
        self.restoring(_OPEN, path)
        self._restoring -= 1

    # --- The end ---

    @with_disk
    def at_end_of_state(self) -> None:
        """Record the final state now: what holds it is about to be closed."""
        if self._recorder is not None and not self._is_over() and self._last is not None:
            tensors = {**self._last.again(), **python_state.attribute_tensors(self.program)}
            self._recorder.snapshot(FINAL, self._with_kinds(tensors))
            self._generators[FINAL] = python_state.generator_digests()

    @with_disk
    def close(self) -> None:
        """End the record, once."""
        try:
            with contextlib.suppress(StoppedError):
                self.end_step()
            self._close()
            self._note_trouble()
        except Exception as error:
            # Nothing may be said of a run that is not whole. The disk is full: an empty note does.
            text = "" if isinstance(error, OSError) else f"{type(error).__name__}: {error}"
            with contextlib.suppress(OSError):
                (Path(self.request.folder) / TROUBLE).write_text(
                    f"The command could not be observed to its end: {text}.\n" if text else "",
                    encoding="utf-8",
                )

    def _note_trouble(self) -> None:
        """Note that the machine failed, once all is recorded: then the process is ended."""
        if self._trouble and self._process == os.getpid():
            (Path(self.request.folder) / TROUBLE).write_text(f"{self._trouble}\n", encoding="utf-8")
            self._trouble = ""

    def _close(self) -> None:
        if self._process != os.getpid() or self._is_other:
            return
        refused = self._failure is not None and self._failure.during != "build"
        if refused and not self.request.is_control:
            self._claimed()  # without a step, too
        self._note_the_rest()
        recorder = self._recorder
        if recorder is None:
            return
        self._snapshot_outside()
        self._due_outside = FINAL
        self._snapshot_outside()
        self.program.close()
        if not (self._folder / f"{FINAL}.npz").exists() and self._last is not None:
            self.at_end_of_state()
        facts = self._facts
        assert facts is not None
        facts.evaluations = self._evaluations
        facts.attributes, facts.generators = self._attributes, self._generators
        facts.failure = self._failure
        facts.finished = self._failure is None
        own = (self.request.images, self.request.folder, self.request.writes)
        facts.wrote = self._writes.outside(*map(Path, own))
        facts.unseen = sorted(self._unseen)
        facts.sealed = sorted(self._sealed)
        facts.is_cut = self._is_stopping
        facts.framework = self.framework
        facts.way = next((each["way"] for each in reversed(self._restores) if each["way"]), "")
        facts.saved = [each["done"] for each in self._saves]
        facts.environment = environment.fingerprint()
        recorder.close()
        if self._images.meeting is not None:
            self._images.meeting.leave()
        self._recorder = None
        self._is_other = True

    def _on_exit(self, status: int) -> NoReturn:
        """End the record where the program ends its process without what Python does at exit."""
        self.close()
        self._exit(status)

    def _note_the_rest(self) -> None:
        meeting = self._images.meeting
        document = {
            "steps": self._done,
            "ranks": 1 if meeting is None else meeting.rank.count,
            "steps_per_epoch": self._epoch,
            "restored_late": self._restored_late,
            "late_batches": self._late,
            "accumulating": self._accumulating,
            "written_aside": self._written_aside,
            "saved_after": self._saved_after,
            "wrote": self._wrote,
            "read_late": sorted(set(self._files.read_late)),
            "counters": self._counted,
            "saves": self._saves,
            "restores": self._restores,
            "kept": self._images.kept(),
            "groups": self._images.groups,
            "unseen": sorted(self._unseen),
            "stopped": self._is_stopping,
            "failure": None if self._failure is None else vars(self._failure),
            "process": self._process,
            "program": sys.argv,
        }
        name = OBSERVED if self._recorder is not None else f"process-{self._process}.json"
        write_whole(self._folder / name, document)

    def _show_progress(self, done: int) -> None:
        # To open a file for each number costs up to milliseconds. A mapped one is written without
        # its descriptor, which a program that closes all of its own may have given away.
        if self._shown is None:
            path = self._folder / PROGRESS
            path.write_bytes(b" " * _WIDTH)
            with path.open("r+b") as file:
                self._shown = mmap.mmap(file.fileno(), _WIDTH)
        self._shown[:] = str(done).encode().ljust(_WIDTH)

    def _on_exception(
        self, kind: type[BaseException], error: BaseException, trace: TracebackType | None
    ) -> None:
        if isinstance(error, StoppedError):
            return
        if _is_out_of_memory(kind, error):
            what = _OUT_OF_MEMORY[self.request.is_control]
            self._trouble = f"{what}: {first_sentence(str(error)).rstrip('.')}."
        with contextlib.suppress(StoppedError):
            self.end_step()
        places = traceback.extract_tb(trace)
        place = f"{Path(places[-1].filename).name}:{places[-1].lineno}" if places else None
        during = "train" if self._done or self._restores else "build"
        if (self._restoring and (self._is_late() or not self._done)) or (
            not self._done and _reads_files(self._restores)
        ):
            during = "restore"
        self._failure = Failure(
            during, kind.__name__, str(error), self._done if self._done else None, place
        )
        self._excepthook(kind, error, trace)


def _is_out_of_memory(kind: type[BaseException], error: BaseException) -> bool:
    """Return whether the machine is at fault, not the checkpoint; each framework says it so."""
    text = str(error).lower()
    return kind.__name__ in ("MemoryError", "OutOfMemoryError", "ResourceExhaustedError") or (
        isinstance(error, RuntimeError) and any(words in text for words in _NO_MEMORY)
    )


def _reads_files(restores: Sequence[Mapping[str, Any]]) -> bool:
    """Return whether the program restores from files of its own: when that ends is not seen."""
    return bool(restores) and restores[-1]["what"] == _OPEN
