"""The arguments of `ckptcheck verify` that stand in the project's table."""

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

    A name may be that of a command of the table, whose arguments are returned then. What the
    command line says replaces what the table says; `--allow` adds to it.
    """
    # `--help` does without.
    from ckptcheck.job.project import project
    from ckptcheck.job.shipped import registry

    is_name = len(jobs) == 1 and not set(jobs[0]) & set(".:/")
    may_be_command = is_name and jobs[0] not in registry().jobs
    table = project(Path.cwd()) if may_be_command or not (jobs or asked["suite"]) else None
    if table is None or (jobs and jobs[0] not in table.commands):
        return jobs, dict(asked)
    typed = {name for name in asked if _is_typed(context, name)}
    if jobs or not table.jobs:
        name, of_command = table.command(jobs)
        jobs, settings = (), dict(of_command)
        what = f"the command {name} of {table.file}"
    else:
        jobs, settings = table.jobs, dict(table.settings)
        settings |= {"restore": table.restores or None}
        what = f"what {table.file} names"
    if typed & {"boundary", "boundaries"}:  # they exclude each other
        settings = {key: each for key, each in settings.items() if not key.startswith("bound")}
    allowed = settings.get("allow", {})
    settings |= {name: asked[name] for name in typed}
    if "allow" in typed:
        settings["allow"] = {**allowed, **dict.fromkeys(asked["allow"], "")}
    if not context.params["quiet"]:
        print(f"ckptcheck: verifying {what}", file=sys.stderr)
    return jobs, {**asked, **settings}


def _is_typed(context: click.Context, name: str) -> bool:
    return context.get_parameter_source(name) is ParameterSource.COMMANDLINE
