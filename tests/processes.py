"""What tests do to the processes that they start."""

import signal


def default_sigint() -> None:
    """Hear SIGINT in a process to be started, even where this one was started to ignore it (`preexec_fn`)."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
