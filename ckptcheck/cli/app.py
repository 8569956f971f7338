"""The command line: its commands, and how it ends. An error becomes a sentence and an exit code."""

import atexit
import contextlib
import gc
import os
import signal
import sys
import traceback
from typing import NoReturn

import click

from ckptcheck.cli import standard_streams
from ckptcheck.cli.catalogue import explain, list_jobs
from ckptcheck.cli.drill import drill
from ckptcheck.cli.files import diff, fsck, inspect, seal
from ckptcheck.cli.options import EXIT_CODES
from ckptcheck.cli.rejudge import compare, judge
from ckptcheck.cli.study import study
from ckptcheck.cli.verify import INTERRUPTED, verify
from ckptcheck.errors import CkptcheckError
from ckptcheck.text_safety import shown_in_lines


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)  # the most used first, as they are added

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:
            # Of a process of ours: click takes it for standard output, and would exit with 1.
            raise RuntimeError("A pipe to a process of ckptcheck broke.") from error


@click.group(
    cls=_Commands,
    invoke_without_command=True,
    epilog=EXIT_CODES,
    context_settings={
        "help_option_names": ["-h", "--help"],
        "show_default": True,
        "max_content_width": 100,
    },
)
@click.version_option(package_name="ckptcheck", message="ckptcheck %(version)s")
@click.pass_context
def app(context: click.Context) -> None:
    """Verify that a training job restored from its checkpoint continues as if never interrupted."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())
        context.exit(2)


_RUNS = (verify, drill, study)
for _command in (*_RUNS, compare, judge, inspect, diff, fsck, seal, explain, list_jobs):
    app.add_command(_command)


def main() -> None:
    """Run the command line, and leave with the exit code of what happened."""
    standard_streams.guard()
    # Python looks for garbage among all that was imported before it exits: a fifth of a second.
    atexit.register(gc.freeze)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # as `nohup` starts it
        signal.signal(signal.SIGHUP, signal.default_int_handler)
    # A shell or a script may have started this process with SIGINT ignored. In the foreground,
    # Ctrl-C must end it all the same.
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN and _in_foreground():
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        status = app(standalone_mode=False)
        if sys.stdout is not None:
            sys.stdout.flush()
    except CkptcheckError as error:
        _leave(str(error), error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        _leave(INTERRUPTED, 3)
    except click.ClickException as error:
        message = error.format_message()
        _leave(message if message.endswith((".", "?")) else f"{message}.", 2)
    except Exception:
        # Not 1: that says that a case is not as expected.
        _print_error(traceback.format_exc().rstrip())
        sys.exit(3)
    sys.exit(status if isinstance(status, int) else 0)


def _in_foreground() -> bool:
    """Return whether the terminal sends its keys, Ctrl-C included, to this process."""
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY)
    except OSError:  # this process has no terminal
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    finally:
        os.close(terminal)


def _leave(sentence: str, code: int) -> NoReturn:
    _print_error(f"ckptcheck: {sentence}")
    sys.exit(code)


def _print_error(text: str) -> None:
    with contextlib.suppress(OSError):  # a closed terminal must not change the exit code
        # A quoted name may hold control characters.
        print(shown_in_lines(text), file=sys.stderr, flush=True)
