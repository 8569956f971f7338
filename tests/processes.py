"""Settings of processes that tests start."""

import signal


def default_sigint() -> None:
    """Let Ctrl-C and SIGHUP end a process (a `preexec_fn`), even if pytest ignores them (nohup)."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
