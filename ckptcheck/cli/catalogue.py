"""`ckptcheck explain` and `ckptcheck jobs`: list causes, jobs and recipes."""

import shutil
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING

import click

from ckptcheck.cli import complete
from ckptcheck.cli.grouped import GroupedCommand, option
from ckptcheck.cli.options import OUTPUT

if TYPE_CHECKING:
    from ckptcheck.job.shipped import ShippedCommand, ShippedJob

NO_JOB = "Exit codes: 0 success; 2 unknown job, or no such file."


EXPLAIN_EXAMPLES = (
    ("explain", "All causes, each in one line:"),
    ("explain slots-lost", "One cause:"),
    ("explain slots-lost --framework keras", "What to do about it in one framework:"),
)
JOBS_EXAMPLES = (
    ("jobs", "All shipped jobs and recipes:"),
    ("jobs bn-nn", "One of them:"),
    ("jobs fit.py", "The jobs in a file, as verify takes them:"),
)


@click.command(
    cls=GroupedCommand,
    epilog="Exit codes: 0 success; 2 unknown cause or framework.",
    examples=EXPLAIN_EXAMPLES,
)
@click.argument("cause", required=False, shell_complete=complete.causes)
@option(
    "--framework",
    metavar="NAME",
    shell_complete=complete.styles,
    help="Show remedies and fixes for tf1, tf2, keras or torch alone.",
    group=OUTPUT,
)
@option("--json", is_flag=True, help="Print JSON, and nothing else.", group=OUTPUT)
def explain(cause: str | None, framework: str | None, json: bool) -> None:
    """Explain a cause: how it shows, what to do, who reported it.

    Without CAUSE: list all causes.
    """
    # Imported here: `--help` does without.
    from rich.console import Console

    from ckptcheck.diagnosis.catalogue import CAUSES
    from ckptcheck.report.outputs.explain import check_style, find, overview, show, to_json

    check_style(framework)
    chosen = None if cause is None else find(cause)
    if json:
        causes = CAUSES.values() if chosen is None else [chosen]
        print(to_json(causes, framework), flush=True)
    elif chosen is None:
        overview(Console(highlight=False))
    else:
        show(chosen, Console(highlight=False), framework)


@click.command("jobs", cls=GroupedCommand, examples=JOBS_EXAMPLES, epilog=NO_JOB)
@click.argument("names", nargs=-1, metavar="[JOB]...", shell_complete=complete.jobs)
def list_jobs(names: Sequence[str]) -> None:
    """List the shipped jobs and recipes, with restores and options.

    JOB: list only this job or recipe, or the jobs in this Python file.
    """
    # Imported here: `--help` does without.
    from ckptcheck.job.shipped import registry

    if names:
        for name in names:
            _list_one(name)
        return
    _list(registry().jobs.values())
    for suite, recipes in registry().suites.items():
        print(f"recipes of the report card {suite} (`verify --suite {suite}`, or one by its name):")
        for recipe in recipes:
            _list_recipe(recipe)
        print()


def _list_one(name: str) -> None:
    # As above.
    from ckptcheck.job.shipped import registry, shipped
    from ckptcheck.job.source import all_jobs

    if name.endswith(".py"):
        print("\n".join(all_jobs(name)))
    elif name in registry().recipes:
        _list_recipe(registry().recipes[name])
    else:
        _list([shipped(name)])


def _list_recipe(recipe: "ShippedJob | ShippedCommand") -> None:
    outcomes = ", ".join(f"{restore} {outcome}" for restore, outcome in recipe.expected.items())
    print(f"  {recipe.name}\n{_wrapped(recipe.summary, 4)}\n{_wrapped(outcomes, 4)}")


def _list(jobs: "Iterable[ShippedJob]") -> None:
    from ckptcheck.job.options import shown  # as above

    for job in jobs:
        print(f"{job.name}\n{_wrapped(job.summary, 2)}\n  restores (expected outcome):")
        for restore, outcome in job.expected.items():
            print(f"    {restore:<10} {outcome}")
        print("  options (--set KEY=VALUE):")
        for each in fields(job.options):
            setting = f"    {each.name + '=' + shown(each.default):<24} "
            print(_wrapped(each.metadata["text"], len(setting), setting))
        print()


def _wrapped(text: str, indent: int, start: str | None = None) -> str:
    """Return a text as wide as the terminal, indented; `start` replaces the first indent."""
    margin = " " * indent
    first = margin if start is None else start
    width = shutil.get_terminal_size().columns
    return textwrap.fill(
        text, width, initial_indent=first, subsequent_indent=margin, break_on_hyphens=False
    )
