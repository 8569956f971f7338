"""What counts as recovered: what somebody asked for beyond equality bit for bit."""

from dataclasses import dataclass

from ckptcheck.diagnosis.allowances import NOTHING, Allowed
from ckptcheck.tolerance import EXACT, Tolerance


@dataclass(frozen=True)
class Terms:
    """How far apart equal values may be, and which differences are expected."""

    tolerance: Tolerance = EXACT
    allowed: Allowed = NOTHING


STRICT = Terms()
