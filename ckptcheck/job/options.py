"""The options of a shipped job: fields of a dataclass that say how they are read and what they do. `--set KEY=VALUE`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from ckptcheck.errors import UsageError, unknown


@dataclass(frozen=True)
class JobOptions:
    """What every class of options offers to whoever plans a run."""

    def steps_per_epoch(self) -> int | None:
        """Return the number of training steps in an epoch; None where options do not tell it, or data would be fetched."""
        return None


def option(default: Any, parse: Callable[[str], Any], text: str) -> Any:
    """Declare an option: its default, how its value is read (ValueError: what it must be), and what it does."""
    return field(default=default, metadata={"parse": parse, "text": text})


def parse(kind: type[Any], job: str, given: Mapping[str, str]) -> Any:
    """Read option values given as text, or raise `UsageError` for an unknown option or a value that is not one of it."""
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
    """Return option values as the command line takes them."""
    return {
        name: value if isinstance(value, str) else shown(value)
        for name, value in (options or {}).items()
    }


def absolute(options: Mapping[str, str]) -> dict[str, str]:
    """Return options with the path of a dataset that any process understands, wherever it runs."""
    dataset = options.get("dataset", "")
    return (
        {**options, "dataset": str(Path(dataset).resolve())}
        if dataset.endswith(".npz")
        else dict(options)
    )
