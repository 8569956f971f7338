"""Verify the clean jobs: run `python -m tests.clean` at the top of the repository."""

import argparse
import sys
from collections.abc import Iterator, Sequence

from ckptcheck import Case, verify
from ckptcheck.outcomes import RECOVERED
from ckptcheck.report.report import Report

from .discovery import CleanJob, clean_jobs


def main() -> int:
    """Verify clean jobs, and print a line for each case. Return 0 without an alarm, else 1."""
    parser = argparse.ArgumentParser(prog="python -m tests.clean", description=__doc__)
    parser.add_argument("--sample", action="store_true", help="verify about a fifth of the jobs")
    parser.add_argument("--only", metavar="NAME", help="verify one job, or one file of jobs")
    arguments = parser.parse_args()
    jobs = clean_jobs(sample=arguments.sample, only=arguments.only)
    if not jobs:
        parser.error(f"there is no clean job called {arguments.only}")
    count, alarms, refusals = 0, 0, 0
    # One verification for each file, because its jobs share a fork server.
    for file in dict.fromkeys(job.file for job in jobs):
        report = verify([job.target for job in jobs if job.file == file])
        for case in report.cases:
            troubles = list(troubles_of(case, report))
            print(line(case, troubles), flush=True)
            count += 1
            refusals += case.comparison is None
            alarms += bool(troubles) and case.comparison is not None
    print(summary(jobs, count, alarms, refusals))
    return 1 if alarms or refusals else 0


def troubles_of(case: Case, report: Report) -> Iterator[str]:
    """Yield everything that a report says against a case."""
    if case.outcome != RECOVERED and case.reason:
        yield case.reason
    if case.error is not None:
        yield f"{case.error.type}: {case.error.message}"
    for found in case.diagnoses:
        yield f"{found.cause}: {found.sentence} {found.detail} {', '.join(found.tensors)}"
    head = f"{case.job} × {case.restore}: "
    yield from (text.removeprefix(head) for text in report.warnings() if text.startswith(head))


def line(case: Case, troubles: Sequence[str]) -> str:
    """Return the line of a case in the table, with what the report says against it below."""
    name = case.job.rpartition("/")[2].replace(".py:", ":")
    return "\n    ".join([f"{name:40} {case.restore:17} {case.outcome}", *troubles])


def summary(jobs: Sequence[CleanJob], count: int, alarms: int, refusals: int) -> str:
    """Return the last line."""
    return f"{len(jobs)} jobs, {count} cases: {alarms} false alarms, {refusals} refusals"


if __name__ == "__main__":
    sys.exit(main())
