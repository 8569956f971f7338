"""What processes that tests start are given."""

import signal


def default_sigint() -> None:
    """Let Ctrl-C end a process (`preexec_fn`), even where pytest was started with it ignored, as by `nohup … &`."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
