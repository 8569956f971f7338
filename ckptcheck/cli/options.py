"""The options that several commands share, with their help and the groups of the help."""

from collections.abc import Iterable
from pathlib import Path

import click

from ckptcheck.cli import complete
from ckptcheck.cli.grouped import Decorator, option, together
from ckptcheck.errors import UsageError

EXIT_CODES = (
    "Exit codes: 0 every case is as expected; 1 a case is not; 2 the request is wrong; "
    "3 a case could not be verified."
)
# The headings of `--help`, in their order there.
WHAT = "What to run"
COMMAND = "A command, -- COMMAND"
HOW = "How to run it"
ACCEPTED = "What counts as equal, and what to expect"
OUTPUT = "Output"

PATH = click.Path(path_type=Path)


_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0}


def seconds(value: str | float) -> float:
    """Return a time in seconds, as people write it: 300, 5m or 1.5h."""
    text = str(value).strip()
    unit = _UNITS.get(text[-1:])
    try:
        return float(text[:-1]) * unit if unit else float(text)
    except ValueError:
        raise click.BadParameter(
            f"{value!r} is not a time. Write seconds, minutes or hours: 300, 5m, 1h."
        ) from None


def output_file(name: str, text: str) -> Decorator:
    """Declare an option that names a file to write."""
    return option(name, type=PATH, metavar="FILE", help=text, group=OUTPUT)


job_settings = together(
    option(
        "--set",
        "settings",
        multiple=True,
        metavar="KEY=VALUE",
        help="Set an option of the jobs; `ckptcheck jobs` lists them. Repeatable.",
        group=WHAT,
    ),
    option(
        "--dataset",
        metavar="NAME",
        help="Train on digits, mnist, fashion_mnist, cifar10 or FILE.npz. "
        "Short for --set dataset=NAME.",
        group=WHAT,
    ),
)
machines = together(
    option(
        "--timeout",
        type=seconds,
        default=300.0,
        metavar="SECONDS",
        help="Kill a process that is silent for SECONDS.",
        group=HOW,
    ),
    option(
        "--executor",
        metavar="ADDRESS",
        help="Run on a Dask cluster, dask://HOST:PORT. Default: on this machine.",
        group=HOW,
    ),
)
judgement_without_expectation = together(
    option(
        "--rtol",
        type=float,
        default=0.0,
        metavar="X",
        help="Count floats as equal that differ by up to X times the control's value.",
        group=ACCEPTED,
    ),
    option(
        "--atol",
        type=float,
        default=0.0,
        metavar="X",
        help="Count floats as equal that differ by up to X.",
        group=ACCEPTED,
    ),
    option("--equal-nan", is_flag=True, help="Count NaN as equal to NaN.", group=ACCEPTED),
    option(
        "--allow",
        multiple=True,
        metavar="CAUSE|PATTERN",
        shell_complete=complete.acceptable,
        help="Accept this cause, or differences in tensors matching PATTERN. Repeatable.",
        group=ACCEPTED,
    ),
)
judgement = together(
    judgement_without_expectation,
    option(
        "--expect",
        metavar="OUTCOME",
        shell_complete=complete.outcomes,
        help="Expect this outcome of the named cases: recovered, diverged or refused.",
        group=ACCEPTED,
    ),
)
_resume = option(
    "--resume",
    metavar="ARGUMENTS",
    help="Add these arguments when the command is started again.",
    group=COMMAND,
)
_writes = option(
    "--writes",
    type=PATH,
    metavar="DIR",
    help="The folder that the command writes into. Default: {run} in it stands for a new one.",
    group=COMMAND,
)
_save = option(
    "--save",
    metavar="N|last|K of N",
    help="Restart from save N, from the last, or from K saves spread over the first N. "
    "Default: the second, or the only one.",
    group=COMMAND,
)
_max_steps = option(
    "--max-steps",
    type=int,
    metavar="N",
    help="End each run after N training steps.",
    group=COMMAND,
)
_metric = option(
    "--metric",
    metavar="REGEX",
    help="Where no training step is seen: find step and value of a metric in the output.",
    group=COMMAND,
)
commands = together(_resume, _writes, _save, _max_steps, _metric)
drilled = together(
    _resume,
    _writes,
    _max_steps,
    option(
        "--timeout",
        type=seconds,
        default=300.0,
        metavar="SECONDS",
        help="Kill a run that makes no step for SECONDS.",
        group=HOW,
    ),
)
html = output_file("--html", "Also write an HTML report: one file, with curves that zoom.")
ci_files = together(
    output_file("--junit", "Also write JUnit XML: one test for each case."),
    output_file(
        "--markdown", "Also write Markdown. In a GitHub job, also append it to the job summary."
    ),
)
printed = together(
    option(
        "-v",
        "--verbose",
        is_flag=True,
        help="Print every table, every explanation, more tensor names, and what a command printed.",
        group=OUTPUT,
    ),
    option(
        "-q",
        "--quiet",
        is_flag=True,
        help="Print the verdict in one line, and nothing else.",
        group=OUTPUT,
    ),
    option(
        "--json",
        is_flag=True,
        help="Print the report as JSON on standard output, and nothing else.",
        group=OUTPUT,
    ),
)


def job_options(settings: Iterable[str], dataset: str | None) -> dict[str, str]:
    """Return the values of `--set` and `--dataset`, by name."""
    options = {} if dataset is None else {"dataset": dataset}
    for setting in settings:
        key, equals, value = (part.strip() for part in setting.partition("="))
        if not equals or not key:
            raise UsageError(f"--set takes KEY=VALUE, not {setting!r}.")
        if options.setdefault(key, value) != value:
            raise UsageError(
                f"The option {key} has two values, {options[key]} and {value}: give it once."
            )
    return options
