"""The arguments of `ckptcheck verify` where it names no job: those of the project's table."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource


def of_project(
    context: click.Context, jobs: Sequence[str], asked: Mapping[str, Any]
) -> tuple[Sequence[str], dict[str, Any]]:
    """Return jobs and arguments, those of `[tool.ckptcheck]` where no job and no suite is named.

    What the command line says replaces what the table says; `--allow` adds to it.
    """
    from ckptcheck.job.project import project  # `--help` does without

    table = None if jobs or asked["suite"] else project(Path.cwd())
    if table is None:
        return jobs, dict(asked)
    typed = {name for name in asked if _is_typed(context, name)}
    settings = dict(table.settings)
    if typed & {"boundary", "boundaries"}:  # they exclude each other
        settings = {key: each for key, each in settings.items() if not key.startswith("bound")}
    settings |= {"restore": table.restores or None}
    settings |= {name: asked[name] for name in typed}
    if "allow" in typed:
        settings["allow"] = {**table.settings.get("allow", {}), **dict.fromkeys(asked["allow"], "")}
    if not context.params["quiet"]:
        print(f"ckptcheck: verifying what {table.file} names", file=sys.stderr)
    return table.jobs, {**asked, **settings}


def _is_typed(context: click.Context, name: str) -> bool:
    return context.get_parameter_source(name) is ParameterSource.COMMANDLINE
