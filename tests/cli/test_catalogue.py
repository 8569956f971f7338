"""`ckptcheck jobs`; what `ckptcheck explain` prints is tested with the text itself."""

from dataclasses import fields
from pathlib import Path

from ckptcheck.jobs.registry import JOBS
from tests.command_line import call


def test_a_file_without_jobs_is_a_usage_error(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("class (\n")
    (tmp_path / "empty.py").touch()
    sentences = {
        "broken": "cannot be read as Python: `python broken.py` reports where.",
        "empty": "defines no job. A job is a class derived from FitJob, CheckpointJob, GraphJob or TorchJob, "
        "or one with the methods of ckptcheck.job.Job. A script that trains when it is run is a "
        "command: ckptcheck verify -- python empty.py {run}.",
    }
    for name, sentence in sentences.items():
        for command in ("jobs", "verify"):
            done = call(command, f"{name}.py", cwd=tmp_path)
            assert (done.returncode, done.stdout) == (2, "")
            assert done.stderr == f"ckptcheck: {name}.py {sentence}\n"


def test_jobs_lists_every_job_restore_and_option(tmp_path: Path) -> None:
    listed = call("jobs", cwd=tmp_path).stdout
    for job in JOBS.values():
        for word in (job.name, *job.expected, *(option.name for option in fields(job.options))):
            assert word in listed
