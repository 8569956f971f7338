"""Verify the clean jobs: run `python -m tests.clean` at the top of the repository.

Those of a framework that is not installed are skipped.
"""

import argparse
import importlib.util
import sys
import time
from collections.abc import Iterator, Sequence

from ckptcheck import Case, verify
from ckptcheck.outcomes import RECOVERED
from ckptcheck.report.report import Report
from ckptcheck.report.warnings import disclosures
from ckptcheck.run.worker_pool import Event

from .discovery import FRAMEWORKS, CleanJob, clean_jobs


def main() -> int:
    """Verify clean jobs, and print a line for each case. Return 0 without an alarm, else 1."""
    parser = argparse.ArgumentParser(prog="python -m tests.clean", description=__doc__)
    parser.add_argument("--sample", action="store_true", help="verify about a fifth of the jobs")
    parser.add_argument(
        "--only",
        metavar="FILE[:JOB]",
        action="append",
        default=[],
        help="verify one file of jobs, or one job of it; repeatable",
    )
    parser.add_argument("--framework", choices=FRAMEWORKS, help="default: every installed one")
    arguments = parser.parse_args()
    jobs = clean_jobs(sample=arguments.sample, only=arguments.only)
    if not jobs:
        parser.error(f"there is no clean job called {' or '.join(arguments.only)}")
    asked = [arguments.framework] if arguments.framework else FRAMEWORKS
    jobs = list(_runnable(jobs, asked))
    began, count, alarms, refusals = time.monotonic(), 0, 0, 0
    # One verification for each file, because its jobs share a fork server.
    for file in dict.fromkeys(job.file for job in jobs):
        report = verify([job.target for job in jobs if job.file == file], watch=_show)
        for case in report.cases:
            troubles = list(troubles_of(case, report))
            print(line(case, troubles), flush=True)
            count += 1
            refusals += case.comparison is None
            alarms += bool(troubles) and case.comparison is not None
    print(f"{summary(jobs, count, alarms, refusals)}, in {time.monotonic() - began:.0f} s")
    return 1 if alarms or refusals or not jobs else 0


def _runnable(jobs: Sequence[CleanJob], frameworks: Sequence[str]) -> Iterator[CleanJob]:
    """Yield the jobs whose framework is asked for and installed; say which are skipped."""
    for framework in frameworks:
        of_it = [job for job in jobs if job.framework == framework]
        if of_it and importlib.util.find_spec(framework) is None:
            print(f"{len(of_it)} jobs are skipped, because {framework} is not installed.")
        else:
            yield from of_it


def _show(event: Event) -> None:
    """Print to the standard error which process has ended."""
    if event.kind == "ended":
        trouble = event.facts["trouble"]
        print(event.name, *([f": {trouble}"] if trouble else []), file=sys.stderr, flush=True)


def troubles_of(case: Case, report: Report) -> Iterator[str]:
    """Yield everything that a report says against a case.

    What holds for a right job, too, is left out: see `disclosures`.
    """
    if case.outcome != RECOVERED:
        yield case.reason or case.outcome
    if case.error is not None:
        yield f"{case.error.type}: {case.error.message}"
    for found in case.diagnoses:
        yield f"{found.cause}: {found.sentence} {found.detail} {', '.join(found.tensors)}"
    head = f"{case.job} × {case.restore}: "
    said = (text.removeprefix(head) for text in report.warnings() if text.startswith(head))
    yield from (text for text in said if text not in disclosures(case))


def line(case: Case, troubles: Sequence[str]) -> str:
    """Return the line of a case in the table, with what the report says of it below."""
    name = case.job.rpartition("/")[2].replace(".py:", ":")
    said = [*troubles, *(f"({text})" for text in disclosures(case))]
    return "\n    ".join([f"{name:40} {case.restore:17} {case.outcome}", *said])


def summary(jobs: Sequence[CleanJob], count: int, alarms: int, refusals: int) -> str:
    """Return the last line."""
    return f"{len(jobs)} jobs, {count} cases: {alarms} false alarms, {refusals} refusals"


if __name__ == "__main__":
    sys.exit(main())
