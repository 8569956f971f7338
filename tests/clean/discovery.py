"""Find the clean jobs: every public class in a file of this folder that defines jobs.

This file imports no framework: it reads the jobs' files without importing them.
"""

import ast
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
FRAMEWORKS = ("tensorflow", "torch")
# The files of this folder that define no jobs.
_OTHERS = ("__init__", "__main__", "base", "torch_base", "discovery")
# A sample takes every fifth job of each file: related jobs stand side by side.
SAMPLED = 5


@dataclass(frozen=True)
class CleanJob:
    """A job that loses nothing, with any of its restores."""

    file: str
    name: str

    @property
    def framework(self) -> str:
        """The module that the job needs."""
        return "torch" if self.file.startswith("torch_") else "tensorflow"

    @property
    def label(self) -> str:
        """The job as `--only` takes it."""
        return f"{self.file}:{self.name}"

    @property
    def target(self) -> str:
        """The job as `verify` takes it."""
        return f"{HERE / self.file}.py:{self.name}"


def clean_jobs(*, sample: bool = False, only: Sequence[str] = ()) -> list[CleanJob]:
    """Return the clean jobs, in the order of their files.

    Args:
        sample: take the first of every `SAMPLED` jobs in each file.
        only: take these files alone, or these jobs as `FILE:JOB`; empty: all.
    """
    jobs = [
        job
        for path in sorted(HERE.glob("*.py"))
        if path.stem not in _OTHERS
        for job in _in_file(path)[:: SAMPLED if sample else 1]
    ]
    return [job for job in jobs if not only or job.file in only or job.label in only]


def _in_file(path: Path) -> list[CleanJob]:
    """Return the jobs of a file; a class whose name starts with `_` is a base."""
    return [
        CleanJob(path.stem, node.name)
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    ]
