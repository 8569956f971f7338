"""Options of a shipped job, set with `--set KEY=VALUE`: dataclass fields that parse themselves."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from ckptcheck.errors import UsageError, unknown


@dataclass(frozen=True)
class JobOptions:
    """Base of the options of all shipped jobs."""

    def steps_per_epoch(self) -> int | None:
        """Return the training steps in an epoch; None where options alone do not decide it."""
        return None


def option(default: Any, parse: Callable[[str], Any], text: str) -> Any:
    """Declare an option.

    Args:
        default: Its default.
        parse: Reads its value from text; raises `ValueError("must be …")` for a bad one.
        text: What it does, for `ckptcheck jobs`.
    """
    return field(default=default, metadata={"parse": parse, "text": text})


def parse(kind: type[Any], job: str, given: Mapping[str, str]) -> Any:
    """Read option values from text, or raise `UsageError` for an unknown option or a bad value."""
    known = {option.name: option for option in fields(kind)}
    values = {}
    for name, text in given.items():
        if name not in known:
            raise unknown(f"option of {job}", name, known)
        try:
            values[name] = known[name].metadata["parse"](text)
        except ValueError as error:
            raise UsageError(f"The option {name} of {job} {error}, not {text!r}.") from None
    return kind(**values)


def shown(value: Any) -> str:
    """Write an option's value as `--set` takes it."""
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else str(value)


def as_texts(options: Mapping[str, Any] | None) -> dict[str, str]:
    """Return option values as `--set` takes them."""
    return {
        name: value if isinstance(value, str) else shown(value)
        for name, value in (options or {}).items()
    }


def absolute(options: Mapping[str, str]) -> dict[str, str]:
    """Return options with an absolute path of the dataset, valid in any working directory."""
    dataset = options.get("dataset", "")
    return (
        {**options, "dataset": str(Path(dataset).resolve())}
        if dataset.endswith(".npz")
        else dict(options)
    )
