"""An exception of the restore, or of the run behind it, becomes a diagnosis."""

from collections.abc import Mapping, Sequence

from ckptcheck.diagnosis.catalogue import diagnosis
from ckptcheck.diagnosis.cause import Diagnosis
from ckptcheck.kinds import Kind
from ckptcheck.run.run import Failure, Run
from ckptcheck.run.snapshots import Snapshot

# What is raised by a file that is there and cannot be read: of TensorFlow (OutOfRange is its end of file), of Python, of HDF5.
_ERRORS_OF_READING = (
    "DataLossError",
    "OutOfRangeError",
    "BadZipFile",
    "EOFError",
    "UnpicklingError",
    "JSONDecodeError",
)
_WORDS_OF_READING = (
    "truncated file",
    "file signature not found",
    "checksum",
    "end of file",
    "less bytes than requested",
    "corrupt",
)


def of_refusal(failure: Failure, control: Run, resumed: Run) -> Diagnosis:
    """Say why a restore raised, from the keys it asked for and the keys the checkpoint holds."""
    missing = missing_keys(resumed)
    if _is_of_reading(failure):
        return diagnosis(
            "checkpoint-damaged", type=failure.type, message=first_sentence(failure.message)
        )
    if not missing:
        return diagnosis(
            "restore-raised", type=failure.type, message=first_sentence(failure.message)
        )
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
    """Return the missing keys under which variables are asked for through their moving averages.

    These are shadow variables that there are, or what would be theirs: keys of weights, all of them made of the weight's name
    in one way. One key that is another one is no sign of that: a layer may have been renamed.
    """
    others = {name: key for name, key in asked.items() if key in missing and key != name}
    shadows = [key for key in others.values() if key in live and live[key].kind is Kind.SHADOW]
    weights = {name for name in asked if name in live and live[name].kind is Kind.WEIGHT}
    never = {name: key for name, key in others.items() if key not in live and name in weights}
    ways = {key.replace(name, "*", 1) for name, key in never.items()}
    if len(ways) == 1 and "*" in ways.pop() and (len(never) > 1 or set(never) == weights):
        shadows += never.values()
    return shadows


def _is_of_reading(failure: Failure) -> bool:
    return failure.type in _ERRORS_OF_READING or any(
        words in failure.message.lower() for words in _WORDS_OF_READING
    )


def missing_keys(resumed: Run) -> list[str]:
    """Return the keys that the restore asked for and the checkpoint does not hold."""
    if resumed.facts.asked is None or resumed.facts.held is None:
        return []
    return sorted(set(resumed.facts.asked.values()) - set(resumed.facts.held))


def of_raising(failure: Failure) -> Diagnosis:
    """Say that a run raised after its restore."""
    step = f", step {failure.step}" if failure.step is not None else ""
    place = f" ({failure.place})" if failure.place else ""
    message = first_sentence(failure.message) + place
    return diagnosis(
        "resumed-run-raised", during=failure.during, step=step, type=failure.type, message=message
    )


def first_sentence(message: str) -> str:
    """Return the first line of an exception's text, cut to a length one can read."""
    line = message.strip().splitlines()[0] if message.strip() else "(no text)"
    return line if len(line) <= 200 else line[:197] + "..."
