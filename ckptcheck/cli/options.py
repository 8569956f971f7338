"""The options that several commands share, each with its help."""

from pathlib import Path
from typing import Annotated

from typer import Option

from ckptcheck.errors import UsageError

Settings = Annotated[
    list[str] | None,
    Option(
        "--set",
        metavar="KEY=VALUE",
        help="An option of the jobs, see `ckptcheck jobs`; may be repeated.",
    ),
]
Dataset = Annotated[
    str | None,
    Option(metavar="NAME", help="Short for --set dataset=NAME: digits, cifar10, …, or FILE.npz."),
]
Timeout = Annotated[
    float, Option(metavar="SECONDS", help="End a process that gives no sign of life for so long.")
]
Html = Annotated[
    Path | None, Option(metavar="FILE", help="Write a report for the browser too, in one file.")
]
Junit = Annotated[
    Path | None, Option(metavar="FILE", help="Write JUnit XML too, a test for each case.")
]
Markdown = Annotated[
    Path | None,
    Option(metavar="FILE", help="Write Markdown too; on GitHub, append it to the job's summary."),
]
Rtol = Annotated[
    float,
    Option(metavar="X", help="Count floats as equal that are apart by X times the control's."),
]
Atol = Annotated[float, Option(metavar="X", help="Count floats as equal that are apart by X.")]
EqualNan = Annotated[bool, Option("--equal-nan", help="Count NaN as equal to NaN.")]
Allow = Annotated[
    list[str] | None,
    Option(
        metavar="CAUSE|PATTERN",
        help="Expect this cause, or differing tensors of such names; may be repeated.",
    ),
]
Expect = Annotated[
    str | None,
    Option(metavar="OUTCOME", help="Expect recovered, diverged or refused of the cases."),
]
Json = Annotated[
    bool, Option("--json", help="Print the report as JSON on standard output, and nothing else.")
]
Address = Annotated[
    str | None,
    Option(
        "--executor",
        metavar="ADDRESS",
        help="Run on a Dask cluster: dask://HOST:PORT. Default: here.",
    ),
]


def job_options(settings: list[str] | None, dataset: str | None) -> dict[str, str]:
    """Return what `--set` and `--dataset` say, by name."""
    options = {} if dataset is None else {"dataset": dataset}
    for setting in settings or []:
        key, equals, value = (part.strip() for part in setting.partition("="))
        if not equals or not key:
            raise UsageError(f"--set takes KEY=VALUE, not {setting!r}.")
        if options.setdefault(key, value) != value:
            raise UsageError(f"{key} is given twice: {options[key]} and {value}.")
    return options
