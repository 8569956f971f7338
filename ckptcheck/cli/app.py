"""The command line: which commands there are, and how it ends. Errors become one sentence and an exit code."""

import os
import signal
import sys
from typing import Annotated, NoReturn

import typer

from ckptcheck.cli import files
from ckptcheck.cli.catalogue import explain, list_jobs
from ckptcheck.cli.grouped_help import GroupedCommand
from ckptcheck.cli.rejudge import compare, judge
from ckptcheck.cli.study import study
from ckptcheck.cli.verify import INTERRUPTED, verify
from ckptcheck.errors import CkptcheckError
from ckptcheck.text_safety import shown

EXIT_CODES = (
    "Exit codes: 0 each case did what was expected; 1 a case did not; 2 the request itself is wrong; "
    "3 it could not be verified."
)
STUDY_EXIT_CODES = "Exit codes: 0 the study is done; 2 the request itself is wrong; 3 a run did not finish; those that did are kept."

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="If this training job dies now and is restored from its checkpoint, does it go on as if nothing had happened?",
    epilog=EXIT_CODES,
)
app.command(cls=GroupedCommand, epilog=EXIT_CODES)(verify)
app.command(epilog=STUDY_EXIT_CODES)(study)
app.command(cls=GroupedCommand, epilog=EXIT_CODES)(compare)
app.command(cls=GroupedCommand, epilog=EXIT_CODES)(judge)
files.add_to(app)
app.command(epilog="Exit codes: 0; 2 there is no such cause.")(explain)
app.command("jobs")(list_jobs)


@app.callback(invoke_without_command=True)
def _version(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and leave.")
    ] = False,
) -> None:
    if version:
        from importlib import metadata  # slow to import, and no other command needs it

        print(f"ckptcheck {metadata.version('ckptcheck')}")
        raise typer.Exit


def main() -> None:
    """Run the command line; errors of ours become one sentence and their exit code."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    # A shell or a script may have handed us SIGINT ignored; Ctrl-C is to be heard all the same, but not in the background.
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN and _in_foreground():
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        status = app(standalone_mode=False)
    except CkptcheckError as error:
        _leave(str(error), error.exit_code)
    except KeyboardInterrupt:
        _leave(INTERRUPTED, 3)
    except Exception as error:
        if hasattr(error, "exit_code") and hasattr(
            error, "format_message"
        ):  # click's own: wrong usage
            _leave(error.format_message(), 2)
        raise
    sys.exit(status if isinstance(status, int) else 0)


def _in_foreground() -> bool:
    """Return whether what is typed at a terminal, Ctrl-C too, is meant for this process."""
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY)
    except OSError:  # none controls this process
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    finally:
        os.close(terminal)


def _leave(sentence: str, code: int) -> NoReturn:
    # What is quoted may hold anything.
    print("\n".join(shown(line) for line in f"ckptcheck: {sentence}".split("\n")), file=sys.stderr)
    sys.exit(code)
