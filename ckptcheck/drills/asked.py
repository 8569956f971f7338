"""What a drill kills: a command, or a program that trains a job in a class."""

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ckptcheck.command.command import RUN, Command, as_command
from ckptcheck.errors import UsageError
from ckptcheck.job.given import check_names, given
from ckptcheck.job.loading import is_own
from ckptcheck.job.shipped import shipped

_PROGRAM = "ckptcheck.drills.job_program"


def asked_for(
    asked: Sequence[str] | str | type,
    resume: Sequence[str] | str | None,
    writes: Path | str | None,
    max_steps: int | None,
) -> Command:
    """Return the command that a drill kills.

    Args:
        asked: a command as `as_command` takes it, or a job: its name, its file or its class.
        resume, writes, max_steps: see `as_command`.

    Raises:
        UsageError: it is neither, or an option does not suit it.
    """
    if not isinstance(asked, type) and not _names_job(asked):
        return as_command(asked, resume, writes, None, max_steps)
    if resume is not None or writes is not None:
        raise UsageError("--resume and --writes suit a command. A job is restored by its restore.")
    (job,) = given(asked)
    if job.pickled is not None:
        raise UsageError(f"{job.name} is in no file. A drill starts new processes: put it in one.")
    if is_own(job.name):
        check_names([job.name])
    else:
        shipped(job.name)
    command = as_command([sys.executable, "-m", _PROGRAM, job.name, RUN], max_steps=max_steps)
    return replace(command, title=job.name, reports_itself=True)


def _names_job(asked: Sequence[str] | str) -> bool:
    """Return whether one word stands alone: a command names the folder that it writes into."""
    return isinstance(asked, str) and len(asked.split()) == 1 and RUN not in asked
