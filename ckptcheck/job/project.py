"""The table `[tool.ckptcheck]` of pyproject.toml: what to verify, and on which terms."""

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ckptcheck.errors import UsageError, did_you_mean
from ckptcheck.job.source import near

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FILE = "pyproject.toml"
TABLE = "[tool.ckptcheck]"

# How a key must look, and whether a value does.
_Check = tuple[str, Callable[[Any], bool]]
_WHOLE: _Check = ("a whole number", lambda value: type(value) is int)
_NUMBER: _Check = ("a number", lambda value: type(value) in (int, float))
_SWITCH: _Check = ("true or false", lambda value: isinstance(value, bool))
_NAMES: _Check = (
    "a list of names",
    lambda value: isinstance(value, list) and all(isinstance(each, str) for each in value),
)
_PLACES: _Check = (
    'a text such as "1,mid,epoch,last", or a whole number',
    lambda value: isinstance(value, str) or type(value) is int,
)
_TEXTS = "a table of texts, such as {}"


def _texts(example: str) -> _Check:
    return (
        _TEXTS.format(example),
        lambda value: (
            isinstance(value, dict)
            and all(isinstance(each, str) and each.strip() for each in value.values())
        ),
    )


KEYS: Mapping[str, _Check] = {
    "jobs": _NAMES,
    "restores": _NAMES,
    "steps": _WHOLE,
    "boundary": _WHOLE,
    "boundaries": _PLACES,
    "repeat": _WHOLE,
    "unsaved": _SWITCH,
    "resume-twice": _SWITCH,
    "timeout": _NUMBER,
    "rtol": _NUMBER,
    "atol": _NUMBER,
    "equal-nan": _SWITCH,
    "allow": _texts('{generators-restarted = "why this is acceptable"}'),
    "expect": _texts('{weights = "diverged"}'),
    "kinds": _texts('{"grad_acc*" = "accumulator"}'),
    "commands": (
        'a table of tables, such as train = {command = "python train.py --out {run}"}',
        lambda value: (
            isinstance(value, dict) and all(isinstance(each, dict) for each in value.values())
        ),
    ),
}

_WORDS: _Check = (
    "a text, or a list of words",
    lambda value: isinstance(value, str) or _NAMES[1](value),
)
# The keys of one command.
KEYS_OF_COMMAND: Mapping[str, _Check] = {
    "command": _WORDS,
    "resume": _WORDS,
    "writes": ("a text", lambda value: isinstance(value, str)),
    "save": _PLACES,
    "max-steps": _WHOLE,
    "metric": ("a text", lambda value: isinstance(value, str)),
    **{
        key: KEYS[key]
        for key in (
            *("repeat", "resume-twice", "timeout"),
            *("rtol", "atol", "equal-nan", "allow", "kinds"),
        )
    },
    "expect": ("a text", lambda value: isinstance(value, str)),
}


@dataclass(frozen=True)
class Project:
    """The table of a project.

    Attributes:
        file: The pyproject.toml that holds it.
        jobs: The names of its jobs, valid in the working directory.
        restores: The names of the restores to verify; empty: all.
        settings: Further arguments of `ckptcheck.verify`, by name.
        commands: The arguments of `ckptcheck.verify` for each command, by its name.
    """

    file: Path
    jobs: tuple[str, ...]
    restores: tuple[str, ...]
    settings: Mapping[str, Any]
    commands: Mapping[str, Mapping[str, Any]]

    def command(self, names: Sequence[str]) -> tuple[str, Mapping[str, Any]]:
        """Return name and arguments of the named command, or of the only one.

        Raises:
            UsageError: none is named, and there are several.
        """
        if not names and len(self.commands) > 1:
            raise UsageError(
                f"{self.file} names the commands {', '.join(self.commands)}. Name one of them."
            )
        (name,) = names or self.commands
        return name, self.commands[name]


def project(folder: Path) -> Project | None:
    """Return the table of the nearest pyproject.toml that has one, from a folder upwards.

    Raises:
        UsageError: The file is no TOML, a key is unknown, a value is wrong, no job is named, or the
            file of one is missing.
    """
    for parent in (folder.resolve(), *folder.resolve().parents):
        table = _table(parent / FILE) if (parent / FILE).is_file() else None
        if table is not None:
            return _project(parent / FILE, table)
    return None


def _table(file: Path) -> dict[str, Any] | None:
    try:
        document = tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise UsageError(f"{file} cannot be read: {error}.") from None
    tool = document.get("tool", {})
    if not isinstance(tool, dict):
        raise UsageError(f"[tool] in {file} must be a table, not {tool!r}.")
    table = tool.get("ckptcheck")
    if table is None or isinstance(table, dict):
        return table
    raise UsageError(f"{TABLE} in {file} must be a table, not {table!r}.")


def _project(file: Path, table: Mapping[str, Any]) -> Project:
    _check(table, KEYS, TABLE, file)
    for name, command in table.get("commands", {}).items():
        place = f"{TABLE[:-1]}.commands.{name}]"
        _check(command, KEYS_OF_COMMAND, place, file)
        if not command.get("command"):
            raise UsageError(
                f"{place} in {file} has no command. "
                'Write command = "python train.py --out {run}".'
            )
    if not (table.get("jobs") or table.get("commands")):
        raise UsageError(f'{TABLE} in {file} names no job. Write jobs = ["train.py:Train"].')
    settings = _as_arguments(table)
    jobs, restores = settings.pop("jobs", ()), settings.pop("restores", ())
    commands = {name: _as_arguments(each) for name, each in settings.pop("commands", {}).items()}
    jobs = tuple(_from_here(job, file) for job in jobs)
    return Project(file, jobs, tuple(restores), settings, commands)


def _check(table: Mapping[str, Any], keys: Mapping[str, _Check], place: str, file: Path) -> None:
    for key, value in table.items():
        if key not in keys:
            raise UsageError(
                f"{place} in {file} has no key {key!r}.{did_you_mean(key, keys)} "
                f"Known: {', '.join(keys)}."
            )
        expected, is_right = keys[key]
        if not is_right(value):
            raise UsageError(f"{key} in {place} of {file} must be {expected}, not {value!r}.")


def _as_arguments(table: Mapping[str, Any]) -> dict[str, Any]:
    return {key.replace("-", "_"): value for key, value in table.items()}


def _from_here(job: str, file: Path) -> str:
    """Return a job whose path is relative to the folder of `file`, relative to this one."""
    place, colon, name = job.rpartition(":") if ":" in job else (job, "", "")
    if not place.endswith(".py"):
        return job
    if not (file.parent / place).is_file():
        raise UsageError(
            f"{TABLE} in {file} names {job}, but there is no file {file.parent / place}."
            f"{near(file.parent / place)} A path there is relative to the folder of {FILE}."
        )
    return os.path.relpath(file.parent / place) + colon + name
