"""The errors that users of ckptcheck see, each with its exit code.

CkptcheckError
 ├── UsageError          the request itself is wrong: exit code 2
 └── NotVerifiedError    the request is right, but nothing could be verified: exit code 3
"""

import difflib
from collections.abc import Iterable


class CkptcheckError(Exception):
    """Base of all errors that ckptcheck raises on purpose.

    Attributes:
        exit_code: The exit code of a command that ends with this error.
    """

    exit_code = 3


class UsageError(CkptcheckError, ValueError):
    """The request is wrong: an unknown job, restore or option, a bad value, an unusable folder."""

    exit_code = 2


class NotVerifiedError(CkptcheckError, RuntimeError):
    """The request is right, but the verification could not be carried out."""


def unknown(what: str, given: str, known: Iterable[str]) -> UsageError:
    """Build the error for a name that is not among `known`, with the nearest names first."""
    names = sorted(known)
    return UsageError(
        f"There is no {what} called {given!r}.{did_you_mean(given, names)} "
        f"Known: {', '.join(names) or 'none'}."
    )


def did_you_mean(given: str, known: Iterable[str]) -> str:
    """Return a question with the known names nearest to a typo, to append; empty if none is."""
    near = difflib.get_close_matches(given, sorted(known), n=2, cutoff=0.6)
    return f" Did you mean {' or '.join(near)}?" if near else ""
