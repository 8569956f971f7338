"""Say what a job raised, and where in the user's code."""

import sys
import traceback
from pathlib import Path

from ckptcheck.text_safety import first_sentence


def raised(error: BaseException) -> str:
    """Return an exception in one line: `ValueError: no data (train.py:5)`."""
    place = place_of(error)
    message = first_sentence(str(error)).rstrip(".")
    return f"{type(error).__name__}: {message}{f' ({place})' if place else ''}"


def place_of(error: BaseException) -> str | None:
    """Return the innermost line of the user's code, as `file:line`; None if there is none."""
    here = str(Path(__file__).parents[1])
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if not frame.filename.startswith((here, sys.prefix, sys.base_prefix, "<")):
            return f"{Path(frame.filename).name}:{frame.lineno}"
    return None
