"""`ckptcheck explain` and `ckptcheck jobs`: what the tool knows of."""

import contextlib
from dataclasses import fields
from typing import Annotated

from typer import Argument, Option

from ckptcheck.errors import UsageError


def explain(
    cause: Annotated[
        str | None,
        Argument(
            metavar="[CAUSE]", help="A cause by its name. Without: all of them.", show_default=False
        ),
    ] = None,
    json: Annotated[
        bool, Option("--json", help="Print JSON on standard output, and nothing else.")
    ] = False,
    markdown: Annotated[
        bool, Option("--markdown", help="Print all of them as a Markdown table.")
    ] = False,
) -> None:
    """Explain what can be lost: what it is, how it shows, what to do about it, and who met it."""
    # Imported here so that `--help` need not wait for NumPy.
    from rich.console import Console

    from ckptcheck.diagnosis.catalogue import CAUSES
    from ckptcheck.report.outputs.explain import find, overview, show, to_json, to_markdown

    if cause is not None and markdown:
        raise UsageError("--markdown is for the whole catalogue: name no cause.")
    chosen = None if cause is None else find(cause)
    with contextlib.suppress(BrokenPipeError):
        if markdown:
            print(to_markdown(), flush=True)
        elif json:
            print(to_json(CAUSES.values() if chosen is None else [chosen]), flush=True)
        elif chosen is None:
            overview(Console(highlight=False))
        else:
            show(chosen, Console(highlight=False))


def list_jobs() -> None:
    """List the jobs that ship with the tool, and the recipes of the report cards: restores, expected outcomes, options."""
    # Imported here so that `--help` need not wait for NumPy.
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
        print(f"recipes of the report card {suite} (verify --suite {suite}, or by name):")
        for recipe in recipes:
            outcomes = ", ".join(
                f"{restore} {outcome}" for restore, outcome in recipe.expected.items()
            )
            print(f"  {recipe.name}\n    {recipe.summary}\n    {outcomes}")
        print()
