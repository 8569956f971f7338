"""Turn an exception of the restore, or of the run after it, into a diagnosis."""

from collections.abc import Mapping, Sequence

from ckptcheck.diagnosis.catalogue import diagnosis
from ckptcheck.diagnosis.cause import Diagnosis
from ckptcheck.kinds import Kind
from ckptcheck.run.run import Failure, Run
from ckptcheck.run.snapshots import Snapshot
from ckptcheck.text_safety import first_sentence

# Exceptions for a file that exists but cannot be read; TensorFlow raises OutOfRange at its end.
_READ_ERRORS = (
    "DataLossError",
    "OutOfRangeError",
    "BadZipFile",
    "EOFError",
    "UnpicklingError",
    "JSONDecodeError",
)
_READ_ERROR_WORDS = (
    "truncated file",
    "file signature not found",
    "checksum",
    "end of file",
    "less bytes than requested",
    "corrupt",
    "incomplete metadata",
    "[errno 22]",  # PyTorch, of a truncated file
    "pytorchstreamreader failed",
)
# PyTorch refuses an intact file that holds more than tensors.
_NOT_ALLOWED = "was not an allowed global by default"


def of_refusal(failure: Failure, control: Run, resumed: Run) -> Diagnosis:
    """Return why a restore raised, by the keys it asked for and the keys in the checkpoint."""
    missing = missing_keys(resumed)
    if _is_read_error(failure):
        return diagnosis("checkpoint-damaged", type=failure.type, message=_ended(failure.message))
    if not missing:
        return diagnosis("restore-raised", type=failure.type, message=_ended(failure.message))
    shadows = _shadows(resumed.facts.asked or {}, missing, control.boundary)
    if len(shadows) < len(missing):
        return diagnosis("keys-not-in-checkpoint", missing, count=len(missing), example=missing[0])
    why = _why_no_shadows(shadows, control.boundary)
    return diagnosis(
        "shadows-not-in-checkpoint", missing, count=len(missing), example=missing[0], why=why
    )


def _why_no_shadows(shadows: Sequence[str], live: Snapshot) -> str:
    if any(key in live for key in shadows):
        return "Here they are live in the run that saved, but the save left them out"
    statistics = any(tensor.kind is Kind.MOVING_STATISTIC for tensor in live.values())
    averaged = "the batch means and variances only" if statistics else "other variables"
    return f"Here it was applied to {averaged}, so these shadows never existed"


def _shadows(asked: Mapping[str, str], missing: Sequence[str], live: Snapshot) -> list[str]:
    """Return the missing keys that ask for the moving averages of weights.

    These are keys of live shadow variables, or keys that derive from weights' names, all in the
    same way. A single such key is not enough: a layer may have been renamed.
    """
    renamed = {name: key for name, key in asked.items() if key in missing and key != name}
    shadows = [key for key in renamed.values() if key in live and live[key].kind is Kind.SHADOW]
    weights = {name for name in asked if name in live and live[name].kind is Kind.WEIGHT}
    never_live = {name: key for name, key in renamed.items() if key not in live and name in weights}
    patterns = {key.replace(name, "*", 1) for name, key in never_live.items()}
    several = len(never_live) > 1 or set(never_live) == weights
    if len(patterns) == 1 and "*" in patterns.pop() and several:
        shadows += never_live.values()
    return shadows


def _is_read_error(failure: Failure) -> bool:
    if _NOT_ALLOWED in failure.message:
        return False
    return failure.type in _READ_ERRORS or any(
        words in failure.message.lower() for words in _READ_ERROR_WORDS
    )


def missing_keys(resumed: Run) -> list[str]:
    """Return the keys that the restore asked for but the checkpoint does not hold."""
    if resumed.facts.asked is None or resumed.facts.held is None:
        return []
    return sorted(set(resumed.facts.asked.values()) - set(resumed.facts.held))


def of_raising(failure: Failure) -> Diagnosis:
    """Return the diagnosis of a run that raised after its restore."""
    step = f", step {failure.step}" if failure.step is not None else ""
    place = f" ({failure.place})" if failure.place else ""
    message = _ended(first_sentence(failure.message) + place)
    return diagnosis(
        "resumed-run-raised", during=failure.during, step=step, type=failure.type, message=message
    )


def _ended(message: str) -> str:
    """Return the first line of a message with a full stop at its end."""
    line = first_sentence(message)
    return line if line.endswith((".", "!", "?", "…")) else f"{line}."
