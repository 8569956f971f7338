"""`ckptcheck explain` and `ckptcheck jobs`: list causes, jobs and recipes."""

import contextlib
from dataclasses import fields

import click


@click.command(epilog="Exit codes: 0; 2 there is no such cause.")
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
    with contextlib.suppress(BrokenPipeError):
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
        print(f"{job.name}\n  {job.summary}\n  restores (expected outcome):")
        for restore, outcome in job.expected.items():
            print(f"    {restore:<10} {outcome}")
        print("  options (--set KEY=VALUE):")
        for option in fields(job.options):
            print(f"    {option.name + '=' + shown(option.default):<24} {option.metadata['text']}")
        print()
    for suite, recipes in registry().suites.items():
        print(f"recipes of the report card {suite} (`verify --suite {suite}`, or one by its name):")
        for recipe in recipes:
            outcomes = ", ".join(
                f"{restore} {outcome}" for restore, outcome in recipe.expected.items()
            )
            print(f"  {recipe.name}\n    {recipe.summary}\n    {outcomes}")
        print()
