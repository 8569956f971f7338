"""Count the training steps of an epoch in a process of its own, for a job that does not say.

Counting may train an epoch, which must leave no trace in the run: not in the job's objects, its
framework, or the data that it reads. The process is therefore forked before the job is loaded.
"""

import json
import os
import traceback
import warnings
from collections.abc import Callable
from typing import Any

from ckptcheck.errors import CkptcheckError, NotVerifiedError, UsageError
from ckptcheck.run.raised import raised
from ckptcheck.run.writes import Writes

# The process was killed, or the job ended it: it never answered.
_NO_ANSWER = (
    "the length of an epoch could not be counted: the process that counts it ended without an "
    "answer. Set the attribute steps_per_epoch of the job to the number of batches in an epoch"
)


class StepCounter:
    """A process that waits, and counts when it is asked. It ends with this process, if not before.

    Args:
        count: loads a job and returns the number of training steps in an epoch.
        writes: collects what this process writes; it gets what the counting process writes, too.
    """

    def __init__(self, count: Callable[[], int], writes: Writes) -> None:
        self._writes = writes
        asked, self._ask = os.pipe()
        self._answer, answered = os.pipe()
        with warnings.catch_warnings():
            # Python 3.12 warns of threads at a fork; see `fork_server`.
            warnings.simplefilter("ignore", DeprecationWarning)
            self._process = os.fork()
        if self._process == 0:
            os.close(self._ask)
            _serve(asked, answered, count, writes)
        os.close(asked)
        os.close(answered)

    def count(self) -> int:
        """Return the number of training steps in an epoch.

        Raises:
            UsageError: the job itself is wrong.
            NotVerifiedError: the job raises an exception, or ends the process.
        """
        os.write(self._ask, b"?")
        with open(self._answer, "rb", closefd=False) as pipe:
            answer = json.loads(pipe.read() or "{}")
        if "wrong" in answer:
            raise UsageError(answer["wrong"])
        if "steps" not in answer:
            raise NotVerifiedError(answer.get("trouble", _NO_ANSWER))
        self._writes.add_earlier(answer["touched"])
        return int(answer["steps"])

    def close(self) -> None:
        """End the process, unless it has ended."""
        if self._process:
            os.close(self._ask)
            os.close(self._answer)
            os.waitpid(self._process, 0)
            self._process = 0


def _serve(asked: int, answered: int, count: Callable[[], int], writes: Writes) -> None:
    try:
        if os.read(asked, 1):
            os.write(answered, json.dumps(_answer(count, writes)).encode())
    finally:
        os._exit(0)  # nothing of the parent's is undone here


def _answer(count: Callable[[], int], writes: Writes) -> dict[str, Any]:
    try:
        return {"steps": count(), "touched": writes.touched}
    except CkptcheckError as error:
        return {"wrong" if isinstance(error, UsageError) else "trouble": str(error)}
    except Exception as error:
        traceback.print_exc()
        return {"trouble": f"counting the batches of an epoch raised {raised(error)}"}
