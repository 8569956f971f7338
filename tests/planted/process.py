"""Processes that end, hang, cannot start, or run in a different environment from the control's."""

import os
import signal
import sys
import time

from base import Clean
from planting import planted

from ckptcheck import NotVerifiedError, Step


@planted(inconclusive="The resumed run did not finish: its process recorded nothing.")
class LeavesAtOnce(Clean):
    def after_restore(self) -> None:
        os._exit(0)


@planted(inconclusive="The resumed run did not finish: it exited with SystemExit: 0.")
class Leaves(Clean):
    def after_restore(self) -> None:
        sys.exit(0)


@planted(
    inconclusive="The resumed run did not finish: it was killed by SIGKILL; the kernel kills a process this way when memory "
    "runs out."
)
class Killed(Clean):
    """The resumed run is killed, as by the kernel when memory runs out."""

    def after_restore(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)


@planted(inconclusive="The resumed run did not finish: it ran out of memory.")
class OutOfMemory(Clean):
    def after_restore(self) -> None:
        raise MemoryError


class Hangs(Clean):
    def after_restore(self) -> None:
        time.sleep(600)


class ControlHangs(Clean):
    def train(self, step: int) -> Step:
        time.sleep(600)
        raise AssertionError


@planted(
    inconclusive="The control did not finish: The dataset could not be fetched. Use another one."
)
class NeedsTheNetwork(Clean):
    def __init__(self) -> None:
        raise NotVerifiedError("The dataset could not be fetched. Use another one.")


@planted(
    inconclusive="The control did not finish: it could not be set up: RuntimeError: no such data (process.py:{line})."
)
class RaisesInInit(Clean):
    def __init__(self) -> None:
        raise RuntimeError("no such data")


@planted(
    inconclusive="The two runs had different environments: TF_ENABLE_ONEDNN_OPTS is 0 "
    "(control: unset). Run both in the same environment."
)
class OtherEnvironment(Clean):
    """The resumed process runs with a different numeric switch."""

    def after_restore(self) -> None:
        os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"
