"""Settings of processes that tests start."""

import signal


def default_sigint() -> None:
    """Let Ctrl-C end a process (a `preexec_fn`), even if pytest ignores it, as under `nohup … &`."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
