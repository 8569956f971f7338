"""The options that several commands share, with their help and its headings."""

from pathlib import Path
from typing import Annotated

from typer import Option

from ckptcheck.errors import UsageError

# The headings of `--help`, in their order there.
WHAT = "What to verify"
HOW = "How to run it"
ACCEPTED = "What counts as equal, and what to expect"
OUTPUT = "Output"
GROUPS = (WHAT, HOW, ACCEPTED, OUTPUT)

Settings = Annotated[
    list[str] | None,
    Option(
        "--set",
        metavar="KEY=VALUE",
        help="Set an option of the jobs; `ckptcheck jobs` lists them. Repeatable.",
        rich_help_panel=WHAT,
    ),
]
Dataset = Annotated[
    str | None,
    Option(
        metavar="NAME",
        help="Train on digits, mnist, fashion_mnist, cifar10 or FILE.npz. "
        "Short for --set dataset=NAME.",
        rich_help_panel=WHAT,
    ),
]
Timeout = Annotated[
    float,
    Option(
        metavar="SECONDS",
        help="Kill a process that is silent for SECONDS.",
        rich_help_panel=HOW,
    ),
]
Html = Annotated[
    Path | None,
    Option(
        metavar="FILE",
        help="Also write an HTML report: one file, with curves that zoom.",
        rich_help_panel=OUTPUT,
    ),
]
Junit = Annotated[
    Path | None,
    Option(
        metavar="FILE",
        help="Also write JUnit XML: one test for each case.",
        rich_help_panel=OUTPUT,
    ),
]
Markdown = Annotated[
    Path | None,
    Option(
        metavar="FILE",
        help="Also write Markdown. In a GitHub job, also append it to the job summary.",
        rich_help_panel=OUTPUT,
    ),
]
Rtol = Annotated[
    float,
    Option(
        metavar="X",
        help="Count floats as equal that differ by up to X times the control's value.",
        rich_help_panel=ACCEPTED,
    ),
]
Atol = Annotated[
    float,
    Option(
        metavar="X",
        help="Count floats as equal that differ by up to X.",
        rich_help_panel=ACCEPTED,
    ),
]
EqualNan = Annotated[
    bool, Option("--equal-nan", help="Count NaN as equal to NaN.", rich_help_panel=ACCEPTED)
]
Allow = Annotated[
    list[str] | None,
    Option(
        metavar="CAUSE|PATTERN",
        help="Accept this cause, or differences in tensors matching PATTERN. Repeatable.",
        rich_help_panel=ACCEPTED,
    ),
]
Expect = Annotated[
    str | None,
    Option(
        metavar="OUTCOME",
        help="Expect this outcome of the cases: recovered, diverged or refused.",
        rich_help_panel=ACCEPTED,
    ),
]
Json = Annotated[
    bool,
    Option(
        "--json",
        help="Print the report as JSON on standard output, and nothing else.",
        rich_help_panel=OUTPUT,
    ),
]
Verbose = Annotated[
    bool,
    Option(
        "--verbose",
        "-v",
        help="Print every table, every explanation and more tensor names.",
        rich_help_panel=OUTPUT,
    ),
]
Quiet = Annotated[
    bool,
    Option(
        "--quiet",
        "-q",
        help="Print the verdict in one line, and nothing else.",
        rich_help_panel=OUTPUT,
    ),
]
Address = Annotated[
    str | None,
    Option(
        "--executor",
        metavar="ADDRESS",
        help="Run on a Dask cluster, dask://HOST:PORT. Default: on this machine.",
        rich_help_panel=HOW,
    ),
]


def job_options(settings: list[str] | None, dataset: str | None) -> dict[str, str]:
    """Return the values of `--set` and `--dataset`, by name."""
    options = {} if dataset is None else {"dataset": dataset}
    for setting in settings or []:
        key, equals, value = (part.strip() for part in setting.partition("="))
        if not equals or not key:
            raise UsageError(f"--set takes KEY=VALUE, not {setting!r}.")
        if options.setdefault(key, value) != value:
            raise UsageError(
                f"The option {key} has two values, {options[key]} and {value}: give it once."
            )
    return options
