"""The errors a user of ckptcheck can meet, each with the exit code it leads to.

CkptcheckError
 ├── UsageError          the request itself is wrong: exit code 2
 └── NotVerifiedError    the request is right, but nothing could be said: exit code 3
"""

import difflib
from collections.abc import Iterable


class CkptcheckError(Exception):
    """Base of all errors that ckptcheck raises on purpose; its text is one clear sentence or two."""

    exit_code = 3


class UsageError(CkptcheckError, ValueError):
    """The request is wrong: an unknown job, restore or option, a bad value, an unusable folder."""

    exit_code = 2


class NotVerifiedError(CkptcheckError, RuntimeError):
    """The request is right, but the verification could not be carried out."""


def unknown(what: str, given: str, known: Iterable[str]) -> UsageError:
    """Build the error for a name that is not among `known`, with the nearest names first."""
    names = sorted(known)
    near = difflib.get_close_matches(given, names, n=2, cutoff=0.6)
    hint = f" Did you mean {' or '.join(near)}?" if near else ""
    return UsageError(
        f"There is no {what} called {given!r}.{hint} Known: {', '.join(names) or 'none'}."
    )
