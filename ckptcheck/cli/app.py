"""The command line: parse, call, print. Everything heavy is imported by the command that needs it."""

import contextlib
import importlib
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from ckptcheck.cli import files as cli_files
from ckptcheck.errors import CkptcheckError, NotVerifiedError, UsageError
from ckptcheck.text_safety import shown

EXIT_CODES = (
    "Exit codes: 0 each case did what was expected; 1 a case did not; 2 the request itself is wrong; "
    "3 it could not be verified."
)

INTERRUPTED = "Interrupted: nothing was verified, no report was written, no process was left behind."
STUDY_INTERRUPTED = (
    "Interrupted: the runs that had finished are kept, and the same command goes on with the others. "
    "No process was left behind."
)
STUDY_EXIT_CODES = (
    "Exit codes: 0 the study is done; 2 the request itself is wrong; 3 a run did not finish; those that did are kept."
)

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="If this training job dies now and is restored from its checkpoint, does it go on as if nothing had happened?",
    epilog=EXIT_CODES,
)


Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="An option of the jobs, see `ckptcheck jobs`; may be repeated."),
]
Dataset = Annotated[
    str | None, typer.Option(metavar="NAME", help="Short for --set dataset=NAME: digits, cifar10, …, or FILE.npz.")
]
Timeout = Annotated[float, typer.Option(metavar="SECONDS", help="End a process that gives no sign of life for so long.")]
Html = Annotated[Path | None, typer.Option(metavar="FILE", help="Write a report for the browser too, in one file.")]
Junit = Annotated[Path | None, typer.Option(metavar="FILE", help="Write JUnit XML too, a test for each case.")]
Markdown = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Write Markdown too; on GitHub, append it to the job's summary.")
]
Rtol = Annotated[float, typer.Option(metavar="X", help="Count floats as equal that are apart by X times the control's.")]
Atol = Annotated[float, typer.Option(metavar="X", help="Count floats as equal that are apart by X.")]
EqualNan = Annotated[bool, typer.Option("--equal-nan", help="Count NaN as equal to NaN.")]
Allow = Annotated[
    list[str] | None,
    typer.Option(metavar="CAUSE|PATTERN", help="Expect this cause, or differing tensors of such names; may be repeated."),
]
Expect = Annotated[str | None, typer.Option(metavar="OUTCOME", help="Expect recovered, diverged or refused of the cases.")]
Json = Annotated[bool, typer.Option("--json", help="Print the report as JSON on standard output, and nothing else.")]
Address = Annotated[
    str | None, typer.Option("--executor", metavar="ADDRESS", help="Run on a Dask cluster: dask://HOST:PORT. Default: here.")
]


@app.command(epilog=EXIT_CODES)
def verify(
    jobs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="JOB",
            help="Shipped jobs by name, or your own: package.module:name, path/to/file.py:name. Default: the batch-norm jobs.",
            show_default=False,
        ),
    ] = None,
    restore: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="A way to read the checkpoint back; may be repeated.")
    ] = None,
    suite: Annotated[str | None, typer.Option(metavar="NAME", help="Every recipe of a report card: keras or tf2.")] = None,
    set_: Settings = None,
    expect: Annotated[
        str | None, typer.Option(metavar="OUTCOME", help="Expect recovered, diverged or refused of the named cases.")
    ] = None,
    steps: Annotated[int | None, typer.Option(help="Length of the control run. Default: 3.5 epochs.")] = None,
    boundary: Annotated[
        int | None, typer.Option(help="Steps done when the checkpoint is saved. Default: in mid-epoch.")
    ] = None,
    boundaries: Annotated[
        str | None,
        typer.Option(metavar="LIST", help="Save, and resume, at several: 1,mid,epoch,last; or a count, spread over the run."),
    ] = None,
    repeat: Annotated[
        int | None,
        typer.Option(metavar="N", help="Run the control N times more; judge what follows a boundary against its noise."),
    ] = None,
    unsaved: Annotated[
        bool | None,
        typer.Option(
            "--unsaved/--no-unsaved",
            help="Run a control that never saves, too: does saving change the run? Default: for jobs of your own.",
            show_default=False,
        ),
    ] = None,
    dataset: Dataset = None,
    timeout: Timeout = 300.0,
    rtol: Rtol = 0.0,
    atol: Atol = 0.0,
    equal_nan: EqualNan = False,
    allow: Allow = None,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where report, tables, figure and runs are put.")] = Path(
        "ckptcheck-out"
    ),
    html: Html = None,
    junit: Junit = None,
    markdown: Markdown = None,
    executor: Address = None,
    json: Annotated[bool, typer.Option("--json", help="Print report.json on standard output, and nothing else.")] = False,
) -> None:
    """Train, save in mid-run, restore in new processes, train on; compare with the run that was never interrupted.

    Without arguments: the batch-norm jobs, each with the restore to use and one that fails.
    """
    from rich.console import Console

    from ckptcheck.cli.progress import ProgressView
    from ckptcheck.job.schedule import parse_boundaries
    from ckptcheck.pipeline import verify as run
    from ckptcheck.report.outputs import folder as output
    from ckptcheck.report.outputs.ci import ci_outputs

    options = _options(set_ or [], dataset)
    _meanwhile("matplotlib.backends.backend_agg", html)
    with ci_outputs(junit, markdown) as tell, _interrupted(INTERRUPTED):
        with output.single_file(html) as write_html, output.output_folder(out) as partial:
            with ProgressView(Console(stderr=True)) as watch:
                report = run(
                    jobs or None,
                    restore or None,
                    suite=suite,
                    options=options,
                    expect=expect,
                    steps=steps,
                    boundary=boundary,
                    boundaries=None if boundaries is None else parse_boundaries(boundaries),
                    repeat=repeat,
                    unsaved=unsaved,
                    allow=allow or (),
                    timeout=timeout,
                    rtol=rtol,
                    atol=atol,
                    equal_nan=equal_nan,
                    folder=partial / "runs",
                    executor=executor,
                    watch=watch,
                )
            from ckptcheck.report.outputs.figure import save

            output.write(report, partial, save)
            if html:
                from ckptcheck.report.html import report_page

                write_html(report_page(report))
        tell(report)
    from ckptcheck.report.outputs import terminal as text

    _tell(report, json, text.show, f"Curves: {out / 'curves.png'}   All numbers: {out / 'report.json'}")
    raise typer.Exit(report.exit_code)


@app.command(epilog=STUDY_EXIT_CODES)
def study(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="The study. Without a name: a list of them.", show_default=False)
    ] = None,
    variants: Annotated[
        list[str] | None, typer.Argument(metavar="[VARIANT]...", help="Those to train. Default: all.", show_default=False)
    ] = None,
    seeds: Annotated[int, typer.Option(metavar="N", help="Number of seeds: 0, 1, …")] = 5,
    epochs: Annotated[int | None, typer.Option(metavar="N", help="Length of a run. Default: 100.")] = None,
    accuracy: Annotated[
        list[float] | None,
        typer.Option(metavar="SHARE", help="Tell after how many epochs it is reached; may be repeated. Default: 0.95, 0.98."),
    ] = None,
    set_: Settings = None,
    dataset: Dataset = None,
    timeout: Timeout = 300.0,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where the runs are kept and the results put.")] = Path(
        "ckptcheck-study"
    ),
    html: Html = None,
    executor: Address = None,
    json: Annotated[bool, typer.Option("--json", help="Print summary.json on standard output, and nothing else.")] = False,
) -> None:
    """Train variants of batch norm with several seeds, side by side, and compare their curves.

    Finished runs are kept: a stopped study goes on where it was, and with more seeds only the new ones are trained.
    """
    if name is None:
        _list_studies()
        return
    from rich.console import Console

    from ckptcheck.cli.progress import ProgressView
    from ckptcheck.report.outputs import folder as output
    from ckptcheck.studies.run import ACCURACIES
    from ckptcheck.studies.run import study as run

    options = _options(set_ or [], dataset)
    _meanwhile("matplotlib.backends.backend_agg", html)
    with _interrupted(STUDY_INTERRUPTED):
        with output.single_file(html) as write_html, output.output_folder(out, output.STUDY_CONTENTS) as partial:
            with ProgressView(Console(stderr=True), counted=True) as watch:
                found = run(
                    name,
                    variants or None,
                    seeds=seeds,
                    epochs=epochs,
                    options=options,
                    accuracies=tuple(sorted(set(accuracy or ACCURACIES))),
                    timeout=timeout,
                    folder=out / output.KEPT,
                    executor=executor,
                    watch=watch,
                )
            from ckptcheck.studies.plot import save

            output.write_study(found, partial, save)
            if html:
                from ckptcheck.report.html import study_page

                write_html(study_page(found))
    from ckptcheck.studies import text

    _tell(found, json, text.show, f"Curves: {out / name / 'curves.png'}   All numbers: {out / name / 'summary.json'}")


@app.command(epilog=EXIT_CODES)
def compare(
    control: Annotated[Path, typer.Argument(metavar="CONTROL", help="The run that was never interrupted.")],
    resumed: Annotated[Path, typer.Argument(metavar="RESUMED", help="The run that was restored from its checkpoint.")],
    rtol: Rtol = 0.0,
    atol: Atol = 0.0,
    equal_nan: EqualNan = False,
    allow: Allow = None,
    expect: Expect = None,
    junit: Junit = None,
    markdown: Markdown = None,
    json: Json = False,
) -> None:
    """Compare two runs that a script recorded with `ckptcheck.record`. Needs no TensorFlow."""
    from ckptcheck.report.outputs.ci import ci_outputs

    with ci_outputs(junit, markdown) as tell:
        from ckptcheck.report.rejudge import compare_runs

        tolerance = _tolerance(rtol, atol, equal_nan)
        report = compare_runs(control, resumed, expect=expect or "recovered", tolerance=tolerance, allow=allow or ())
        tell(report)
    _show(report, json)


@app.command(epilog=EXIT_CODES)
def judge(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="What `ckptcheck verify --out DIR` left.")],
    restore: Annotated[list[str] | None, typer.Option(metavar="NAME", help="Judge these restores only.")] = None,
    rtol: Rtol = 0.0,
    atol: Atol = 0.0,
    equal_nan: EqualNan = False,
    allow: Allow = None,
    expect: Expect = None,
    junit: Junit = None,
    markdown: Markdown = None,
    json: Json = False,
) -> None:
    """Judge the runs of an earlier verification anew, with another tolerance or expectation, without training."""
    from ckptcheck.report.outputs.ci import ci_outputs

    with ci_outputs(junit, markdown) as tell:
        from ckptcheck.report.rejudge import judge_folder

        tolerance = _tolerance(rtol, atol, equal_nan)
        report = judge_folder(folder, restore or (), expect=expect, tolerance=tolerance, allow=allow or ())
        tell(report)
    _show(report, json)


def _tolerance(rtol: float, atol: float, equal_nan: bool) -> Any:
    from ckptcheck.tolerance import Tolerance

    return Tolerance(rtol, atol, equal_nan)


def _show(report: Any, json: bool) -> None:
    from ckptcheck.report.outputs import terminal as text

    _tell(report, json, text.show, "")
    raise typer.Exit(report.exit_code)


def _list_studies() -> None:
    from ckptcheck.studies.catalogue import STUDIES

    for each in STUDIES.values():
        print(f"{each.name}\n  {each.question}\n  variants:")
        for variant in each.variants:
            print(f"    {variant.name:<19} {variant.text}")
        print()


cli_files.add_to(app)


@app.command(epilog="Exit codes: 0; 2 there is no such cause.")
def explain(
    cause: Annotated[
        str | None, typer.Argument(metavar="[CAUSE]", help="A cause by its name. Without: all of them.", show_default=False)
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON on standard output, and nothing else.")] = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print all of them as a Markdown table.")] = False,
) -> None:
    """Explain what can be lost: what it is, how it shows, what to do about it, and who met it."""
    from rich.console import Console

    from ckptcheck.diagnosis.catalogue import CAUSES
    from ckptcheck.report.outputs import explain as catalogue

    if cause is not None and markdown:
        raise UsageError("--markdown is for the whole catalogue: name no cause.")
    found = None if cause is None else catalogue.find(cause)
    with contextlib.suppress(BrokenPipeError):
        if markdown:
            print(catalogue.to_markdown(), flush=True)
        elif json:
            print(catalogue.to_json(CAUSES if found is None else {found.name: found}), flush=True)
        elif found is None:
            catalogue.overview(Console(highlight=False))
        else:
            catalogue.show(found, Console(highlight=False))


@app.command("jobs")
def list_jobs() -> None:
    """List the jobs that ship with the tool, and the recipes of the report cards: restores, expected outcomes, options."""
    from dataclasses import fields

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
            outcomes = ", ".join(f"{restore} {outcome}" for restore, outcome in recipe.expected.items())
            print(f"  {recipe.name}\n    {recipe.summary}\n    {outcomes}")
        print()


@app.callback(invoke_without_command=True)
def _version(
    version: Annotated[bool, typer.Option("--version", help="Print the version and leave.")] = False,
) -> None:
    if version:
        from importlib.metadata import version as installed

        print(f"ckptcheck {installed('ckptcheck')}")
        raise typer.Exit


def _tell(found: Any, json: bool, show: Callable[[Any, Any], None], where: str) -> None:
    """Print a report or a study, its warnings on standard error."""
    from rich.console import Console

    for warning in found.warnings():
        print(f"ckptcheck: warning: {warning}", file=sys.stderr)
    # A reader who has seen enough (`| head`) closes the pipe; the verdict stays what it is.
    with contextlib.suppress(BrokenPipeError):
        if json:
            print(found.to_json(), flush=True)
        else:
            show(found, Console(highlight=False))
            print(where, end="\n" if where else "", flush=True)


@contextlib.contextmanager
def _interrupted(sentence: str) -> Iterator[None]:
    """Say what became of the work when somebody presses Ctrl-C."""
    try:
        yield
    except KeyboardInterrupt:
        raise NotVerifiedError(sentence) from None


def _meanwhile(module: str, html: Path | None) -> None:
    """Load what will draw while the processes are at work, and refuse --html now if what it needs is not installed."""
    threading.Thread(target=importlib.import_module, args=(module,), daemon=True).start()
    if html is not None:
        from ckptcheck.report.html import require

        require()


def _options(given: list[str], dataset: str | None) -> dict[str, str]:
    options = {} if dataset is None else {"dataset": dataset}
    for each in given:
        key, equals, value = each.partition("=")
        if not equals or not key:
            raise UsageError(f"--set takes KEY=VALUE, not {each!r}.")
        if options.setdefault(key.strip(), value.strip()) != value.strip():
            raise UsageError(f"{key.strip()} is given twice: {options[key.strip()]} and {value.strip()}.")
    return options


def _terminated(number: int, frame: object) -> NoReturn:
    raise KeyboardInterrupt


def main() -> None:
    """Run the command line; errors of ours become one sentence and their exit code."""
    signal.signal(signal.SIGTERM, _terminated)
    try:
        status = app(standalone_mode=False)
    except CkptcheckError as error:
        _leave(str(error), error.exit_code)
    except KeyboardInterrupt:
        _leave(INTERRUPTED, 3)
    except Exception as error:
        if hasattr(error, "exit_code") and hasattr(error, "format_message"):  # click's own: wrong usage
            _leave(error.format_message(), 2)
        raise
    sys.exit(status if isinstance(status, int) else 0)


def _leave(sentence: str, code: int) -> NoReturn:
    # What is quoted may hold anything.
    print("\n".join(shown(line) for line in f"ckptcheck: {sentence}".split("\n")), file=sys.stderr)
    sys.exit(code)
