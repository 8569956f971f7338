"""`ckptcheck jobs`; what `ckptcheck explain` prints is tested with the text itself."""

from dataclasses import fields
from pathlib import Path

from ckptcheck.jobs.registry import JOBS
from tests.command_line import call


def test_jobs_lists_every_job_restore_and_option(tmp_path: Path) -> None:
    listed = call("jobs", cwd=tmp_path).stdout
    for job in JOBS.values():
        for word in (job.name, *job.expected, *(option.name for option in fields(job.options))):
            assert word in listed
