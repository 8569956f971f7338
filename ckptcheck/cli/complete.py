"""What a shell completes: jobs, restores, causes, suites and studies. Loads no framework.

Each function imports what it lists: `--help` does without.
"""

from collections.abc import Iterable
from pathlib import Path

import click
from click.shell_completion import CompletionItem


def jobs(context: click.Context, _: click.Parameter, typed: str) -> list[CompletionItem]:
    """Complete shipped jobs and recipes, Python files and folders, and the jobs in a file."""
    from ckptcheck.job.shipped import registry

    words = [*context.params.get("jobs", ()), typed]
    # Bash takes a colon for a word of its own, and replaces only what stands behind it.
    if ":" in words[-2:]:
        at = len(words) - 1 - words[::-1].index(":")
        file = words[at - 1] if at else ""
        return _items(_in_file(file), "" if typed == ":" else typed)
    place, colon, _name = typed.rpartition(":")
    if colon:
        return _items((f"{place}:{each}" for each in _in_file(place)), typed)
    known = registry()
    names = [*known.jobs, *(known.recipes if "/" in typed else ())]
    return [*_items(names, typed), *_items(_python_files(typed), typed)]


def restores(context: click.Context, _: click.Parameter, typed: str) -> list[CompletionItem]:
    """Complete the restores of the jobs named before; without one, those of the default jobs."""
    from ckptcheck.job.frameworks import default_jobs
    from ckptcheck.job.shipped import registry
    from ckptcheck.job.source import jobs_in, restores_of

    known = {**registry().jobs, **registry().recipes}
    found: list[str] = []
    for job in _given(context) or default_jobs():
        place, __, name = job.rpartition(":") if ":" in job else (job, "", "")
        if job in known:
            found += known[job].expected
        elif place.endswith(".py"):
            found += [
                restore
                for each in ([name] if name else jobs_in(Path(place)))
                for restore in restores_of(Path(place), each)
            ]
    return _items(found, typed)


def _given(context: click.Context) -> list[str]:
    """Return the jobs on the line, put together where bash took a colon for a word."""
    # Before an option that still lacks its value, click has parsed nothing.
    words = [*context.params.get("jobs", ()), *context.args]
    return " ".join(words).replace(" : ", ":").split()


def suites(_: click.Context, __: click.Parameter, typed: str) -> list[CompletionItem]:
    """Complete the report cards."""
    from ckptcheck.job.shipped import registry

    return _items(registry().suites, typed)


def drilled_suites(_: click.Context, __: click.Parameter, typed: str) -> list[CompletionItem]:
    """Complete the suites of a drill."""
    from ckptcheck.drills.savers.catalogue import SUITE

    return _items([SUITE], typed)


def savers(_: click.Context, __: click.Parameter, typed: str) -> list[CompletionItem]:
    """Complete the stock savers and their fixed twins."""
    from ckptcheck.drills.savers.catalogue import SAVERS

    return _items((each.name for each in SAVERS), typed)


def causes(_: click.Context, __: click.Parameter, typed: str) -> list[CompletionItem]:
    """Complete all causes."""
    from ckptcheck.diagnosis.catalogue import CAUSES

    return _items(CAUSES, typed)


def styles(_: click.Context, __: click.Parameter, typed: str) -> list[CompletionItem]:
    """Complete the frameworks that remedies are for."""
    from ckptcheck.job.frameworks import styles as known

    return _items(known(), typed)


def acceptable(_: click.Context, __: click.Parameter, typed: str) -> list[CompletionItem]:
    """Complete the causes that can be accepted."""
    from ckptcheck.diagnosis.catalogue import CAUSES

    return _items((name for name, cause in CAUSES.items() if cause.acceptable), typed)


def outcomes(_: click.Context, __: click.Parameter, typed: str) -> list[CompletionItem]:
    """Complete the outcomes that can be expected."""
    from ckptcheck.outcomes import EXPECTABLE

    return _items(EXPECTABLE, typed)


def studies(_: click.Context, __: click.Parameter, typed: str) -> list[CompletionItem]:
    """Complete the studies."""
    from ckptcheck.studies.catalogue import STUDIES

    return _items(STUDIES, typed)


def _in_file(file: str) -> list[str]:
    from ckptcheck.job.source import jobs_in

    return jobs_in(Path(file)) if file.endswith(".py") else []


def _python_files(typed: str) -> Iterable[str]:
    folder = typed.rpartition("/")[0]
    for path in sorted(Path(folder or ".").glob("*")):
        shown = f"{folder}/{path.name}" if folder else path.name
        if path.name.startswith("."):
            continue
        if path.suffix == ".py":
            yield shown
        elif path.is_dir():
            yield f"{shown}/"


def _items(names: Iterable[str], typed: str) -> list[CompletionItem]:
    return [CompletionItem(name) for name in dict.fromkeys(names) if name.startswith(typed)]
