"""`ckptcheck explain` and `ckptcheck jobs`: list causes, jobs and recipes."""

import shutil
import textwrap
from dataclasses import fields

import click


@click.command(epilog="Exit codes: 0 success; 2 unknown cause.")
@click.argument("cause", required=False)
@click.option("--json", is_flag=True, help="Print JSON, and nothing else.")
def explain(cause: str | None, json: bool) -> None:
    """Explain a cause: how it shows, what to do, who reported it.

    Without CAUSE: list all causes.
    """
    # Imported here: `--help` does without.
    from rich.console import Console

    from ckptcheck.diagnosis.catalogue import CAUSES
    from ckptcheck.report.outputs.explain import find, overview, show, to_json

    chosen = None if cause is None else find(cause)
    if json:
        print(to_json(CAUSES.values() if chosen is None else [chosen]), flush=True)
    elif chosen is None:
        overview(Console(highlight=False))
    else:
        show(chosen, Console(highlight=False))


@click.command("jobs")
def list_jobs() -> None:
    """List the shipped jobs and recipes, with restores and options."""
    # Imported here: `--help` does without.
    from ckptcheck.job.options import shown
    from ckptcheck.job.shipped import registry

    for job in registry().jobs.values():
        print(f"{job.name}\n{_wrapped(job.summary, 2)}\n  restores (expected outcome):")
        for restore, outcome in job.expected.items():
            print(f"    {restore:<10} {outcome}")
        print("  options (--set KEY=VALUE):")
        for option in fields(job.options):
            setting = f"    {option.name + '=' + shown(option.default):<24} "
            print(_wrapped(option.metadata["text"], len(setting), setting))
        print()
    for suite, recipes in registry().suites.items():
        print(f"recipes of the report card {suite} (`verify --suite {suite}`, or one by its name):")
        for recipe in recipes:
            outcomes = ", ".join(
                f"{restore} {outcome}" for restore, outcome in recipe.expected.items()
            )
            print(f"  {recipe.name}\n{_wrapped(recipe.summary, 4)}\n{_wrapped(outcomes, 4)}")
        print()


def _wrapped(text: str, indent: int, start: str | None = None) -> str:
    """Return a text as wide as the terminal, indented; `start` replaces the first indent."""
    margin = " " * indent
    first = margin if start is None else start
    width = shutil.get_terminal_size().columns
    return textwrap.fill(
        text, width, initial_indent=first, subsequent_indent=margin, break_on_hyphens=False
    )
