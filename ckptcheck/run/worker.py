"""Carry out a `Task` in a fresh process, started by `fork_server`; record or emit its errors."""

import errno
import os
import traceback
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, closing, nullcontext
from pathlib import Path
from typing import Any

from ckptcheck.errors import CkptcheckError, NotVerifiedError, UsageError
from ckptcheck.job.frameworks import how_to_install
from ckptcheck.job.loading import is_own
from ckptcheck.job.protocol import POISON, RestoreRefusedError
from ckptcheck.job.schedule import BOUNDARY_EPOCHS, make_schedule
from ckptcheck.job.shipped import make_job
from ckptcheck.run import environment
from ckptcheck.run.execution import Execution
from ckptcheck.run.folder import Recorder, resumed_of
from ckptcheck.run.heartbeat import Emit
from ckptcheck.run.inputs import traced
from ckptcheck.run.raised import place_of, raised
from ckptcheck.run.run import Facts, Failure
from ckptcheck.run.step_count import StepCounter
from ckptcheck.run.task import Task
from ckptcheck.run.writes import Writes

# Errors of the machine, not of the job or its restore: full disk, quota, file size limit, memory,
# open files, read-only file system.
MACHINE_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.ENOMEM, errno.EMFILE, errno.EROFS)


def main(task: Task, emit: Emit) -> int:
    """Carry out a task; return the exit status of the process.

    Errors of the job are recorded in the run's folder; errors of the request are emitted.

    Args:
        task: The task.
        emit: Reports progress and errors to the parent.
    """
    # Read now: a job may change the environment.
    hash_seed = os.environ.get("PYTHONHASHSEED", "random")
    os.environ.update(task.environment)
    tracing = traced(task.run_folder, Path(task.folder)) if task.traced else nullcontext()
    # The counter comes first: that it starts a process is not the job's doing.
    writes = Writes()
    with _counting(task, writes) as counter, tracing:
        return exit_status(lambda: _carry_out(task, emit, hash_seed, counter, writes), emit)


def exit_status(work: Callable[[], None], emit: Emit) -> int:
    """Do the work of a process and emit its errors; return the exit status of the process."""
    try:
        work()
    except CkptcheckError as error:
        emit("usage" if isinstance(error, UsageError) else "trouble", text=str(error))
        return error.exit_code
    except MemoryError:
        emit("trouble", text="it ran out of memory")
        return 3
    except Exception as error:
        missing = _missing_framework(error)
        if missing:
            emit("missing", text=missing)
            return 3
        traceback.print_exc()
        setup = f"it could not be set up: {raised(error)}"
        emit("trouble", text=_trouble_of_machine(error) or setup)
        return 3
    return 0


def _carry_out(
    task: Task, emit: Emit, hash_seed: str, counter: StepCounter | None, writes: Writes
) -> None:
    job, seed = make_job(task.job, task.options, task.pickle)
    if counter is not None:
        if not hasattr(job, "steps_per_epoch"):
            job.steps_per_epoch = counter.count()
        counter.close()
    _check_restores(task.job, job.restores)
    usual = getattr(job, "boundary_epochs", BOUNDARY_EPOCHS)
    schedule = make_schedule(
        job.steps_per_epoch, task.steps, task.boundaries, usual, twice=task.twice
    )
    first = 0
    if task.restore is not None:
        schedule, first = schedule.at(task.boundary), task.boundary
        seed += POISON * (2 if task.after else 1)  # two resumed runs start differently, too
    emit(
        "described",
        restores=list(job.restores),
        steps=schedule.steps,
        first=first,
        boundaries=list(schedule.boundaries),
    )
    if task.restore is not None and task.restore not in job.restores:
        # The parent knows the restores by now, and reports a better message.
        raise UsageError(f"{task.job} has no restore {task.restore}.")
    facts = Facts(
        _role(task), task.job, task.restore, seed, schedule, repeat=task.repeat, hash_seed=hash_seed
    )
    facts.framework = getattr(job, "framework", "")
    facts.process, facts.started = os.getpid(), writes.began
    _record(job, facts, task, emit, writes)


def _counting(task: Task, writes: Writes) -> AbstractContextManager[StepCounter | None]:
    """Return a process that counts the steps of an epoch, for a job that may not say them."""

    def count() -> int:
        length: int = make_job(task.job, task.options, task.pickle)[0].count_steps()
        return length

    return closing(StepCounter(count, writes)) if is_own(task.job) else nullcontext()


def _check_restores(job: str, restores: Sequence[str]) -> None:
    if isinstance(restores, str):
        raise UsageError(
            f"The restores of {job} are the string {restores!r}, not a sequence of names. "
            f"Write ({restores!r},)."
        )
    folders = [resumed_of(Path(), restore, 1) for restore in restores]
    if len(set(folders)) < len(folders):
        raise UsageError(
            f"The restores {', '.join(restores)} of {job} would share a folder. Choose names that "
            "differ in letters, digits, dots or dashes."
        )
    if not restores:
        raise UsageError(f"{job} names no restore. Name at least one, as in restores = ('all',).")


def _role(task: Task) -> str:
    if task.restore is not None:
        return "resumed"
    return "repeat" if task.repeat else "unsaved" if task.unsaved else "control"


def _record(job: Any, facts: Facts, task: Task, emit: Emit, writes: Writes) -> None:
    """Carry out a run; record it, with the exception of the job that ended it, if any."""
    recorder = Recorder(task.run_folder, facts)
    execution = Execution(job, recorder, task, emit)
    try:
        execution.carry_out()
        facts.finished = True
    except (CkptcheckError, MemoryError):
        raise
    except Exception as error:
        if _missing_framework(error):
            raise
        trouble = _trouble_of_machine(error)
        if trouble:
            raise NotVerifiedError(trouble) from error
        traceback.print_exc()
        if task.restore is None:  # a restore may refuse as expected; no control may raise
            emit("raised")
        cause = error.error if isinstance(error, RestoreRefusedError) else error
        facts.failure = Failure(
            execution.during,
            type(cause).__name__,
            str(cause).strip(),
            execution.step,
            place_of(error),
        )
    finally:
        facts.environment = environment.fingerprint()
        facts.wrote = writes.outside(Path(task.folder))
        recorder.close()


def _missing_framework(error: Exception) -> str | None:
    """Return how to install the framework that an import misses; None for any other error."""
    return how_to_install(error.name or "") if isinstance(error, ModuleNotFoundError) else None


def _trouble_of_machine(error: Exception) -> str | None:
    """Return the error of the machine that an exception reports, or None."""
    for code in MACHINE_ERRORS:
        # TensorFlow quotes errors of the operating system in the text of its own exceptions.
        if getattr(error, "errno", None) == code or (
            not isinstance(error, OSError) and os.strerror(code) in str(error)
        ):
            return f"it reached a limit of the machine: {os.strerror(code)}"
    return None
