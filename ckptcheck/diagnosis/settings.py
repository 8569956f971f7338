"""What to do about a job that is not reproducible, once settings of its framework were tried."""

from collections.abc import Mapping

from ckptcheck.diagnosis.catalogue import MEASURE_THE_NOISE

# What two controls with a setting did; anything else is why one of them did not finish.
EQUAL, DIFFERENT = "equal", "different"
_MEASURE = "Measure the noise with --repeat N: losses are then judged against it."


def after_trying(tried: Mapping[str, str], remedy: str) -> str:
    """Return what to do about noise.

    Args:
        tried: What came of each setting, by the line that a program sets it with.
        remedy: What to do where nothing was tried.
    """
    equal = [setting for setting, outcome in tried.items() if outcome == EQUAL]
    if equal:
        return f"Set {equal[0]}: two controls with it are equal, bit for bit.{MEASURE_THE_NOISE}"
    if not tried:
        return remedy
    different = [setting for setting, outcome in tried.items() if outcome == DIFFERENT]
    failed = [
        f"With {name}, {text.rstrip('.')}." for name, text in tried.items() if name not in different
    ]
    also = [f"Two controls differ with {' and with '.join(different)}, too."] if different else []
    return " ".join([*also, *failed, _MEASURE])
