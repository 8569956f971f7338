"""A comparison, or an exception, becomes diagnoses: what was lost, at which stage, and how it is mended."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from ckptcheck.comparison.compare import Comparison
from ckptcheck.diagnosis.allowances import reach
from ckptcheck.diagnosis.catalogue import CAUSES, Stage
from ckptcheck.diagnosis.cause import Diagnosis, diagnosis
from ckptcheck.diagnosis.findings import Evidence
from ckptcheck.diagnosis.rules import LAST, LOOKS, OF_THE_CONTROL, Look, steps
from ckptcheck.kinds import Kind
from ckptcheck.run import environment
from ckptcheck.run.run import RECORDED, Failure, Run, Snapshot


def why_inconclusive(control: Run, resumed: Run, *, equal_nan: bool = False) -> str | None:
    """Return why nothing can be said of two finished runs, or None."""
    if (control.facts.process, control.facts.started) == (resumed.facts.process, resumed.facts.started):
        return "Control and resumed run are one process: nothing was restored in a fresh one."
    recorded = control.facts.role == RECORDED  # then a warning says so
    if control.facts.hash_seed == resumed.facts.hash_seed != "random" and not recorded:
        return f"The resumed run had the control's hash seed, PYTHONHASHSEED={control.facts.hash_seed}; it needs another one."
    differences = environment.mismatches(control.facts.environment, resumed.facts.environment)
    if differences:
        return f"The two runs had different environments: {'; '.join(differences)}."
    return None if equal_nan else _not_finite(control)


def _not_finite(control: Run) -> str | None:
    for step, loss in zip(control.steps, control.losses, strict=True):
        if not math.isfinite(loss):
            return f"The control's training loss is {loss} at step {step}: there is no run to go on with."
    for done, loss in control.facts.evaluations:
        if not math.isfinite(loss):
            return f"The control's evaluation loss is {loss} after {done} steps: there is no run to go on with."
    return None


def why_nothing_compared(comparison: Comparison, *, may_lack_evaluation: bool = False) -> str | None:
    """Return why a comparison proves nothing, or None. A script that records itself need not evaluate."""
    boundary = comparison.at("boundary")
    if boundary.empty:
        return "No state tensor was compared: the job showed none."
    if comparison.at("final").empty:
        return "No state tensor was compared after the last step: the job showed none there."
    gone = sorted(set(boundary["name"]) - set(comparison.at("final")["name"]))
    if gone:
        return f"{len(gone)} state tensors were not shown after the last step, {gone[0]} for one."
    if comparison.losses.empty:
        return "No training step was compared: the resumed run executed none."
    if len(comparison.losses) != comparison.steps_after:
        return (
            f"Only {len(comparison.losses)} of the control's {comparison.steps_after} steps after the boundary were compared."
        )
    if comparison.evaluations.empty and not may_lack_evaluation:
        return "No evaluation was compared."
    if not boundary["poisoned"].any():
        return (
            "Nothing shows that the restore did anything: before it, every tensor of the new process was already equal to "
            "the control's at the boundary."
        )
    return None


def of_refusal(failure: Failure, control: Run, resumed: Run) -> Diagnosis:
    """Say why a restore raised, from the keys it asked for and the keys the checkpoint holds."""
    missing = missing_keys(resumed)
    if _is_of_reading(failure):
        return diagnosis("checkpoint-damaged", type=failure.type, message=first_sentence(failure.message))
    if not missing:
        return diagnosis("restore-raised", type=failure.type, message=first_sentence(failure.message))
    asked = resumed.facts.asked or {}
    live = control.boundary
    shadows = _shadows(asked, missing, live)
    if len(shadows) < len(missing):
        return diagnosis("keys-not-in-checkpoint", missing, count=len(missing), example=missing[0])
    statistics = any(tensor.kind is Kind.MOVING_STATISTIC for tensor in live.values())
    averaged = "the batch means and variances alone" if statistics else "other variables"
    why = f"here it was applied to {averaged}, so these shadows have never existed"
    if any(key in live for key in shadows):
        why = "here they are live in the run that saved, but the save left them out"
    return diagnosis("shadows-not-in-checkpoint", missing, count=len(missing), example=missing[0], why=why)


def _shadows(asked: Mapping[str, str], missing: Sequence[str], live: Snapshot) -> list[str]:
    """Return the missing keys under which variables are asked for through their moving averages.

    These are shadow variables that there are, or what would be theirs: keys of weights, all of them made of the weight's name
    in one way. One key that is another one is no sign of that: a layer may have been renamed.
    """
    others = {name: key for name, key in asked.items() if key in missing and key != name}
    found = [key for key in others.values() if key in live and live[key].kind is Kind.SHADOW]
    weights = {name for name in asked if name in live and live[name].kind is Kind.WEIGHT}
    never = {name: key for name, key in others.items() if key not in live and name in weights}
    ways = {key.replace(name, "*", 1) for name, key in never.items()}
    if len(ways) == 1 and "*" in ways.pop() and (len(never) > 1 or set(never) == weights):
        found += never.values()
    return found


# What is raised by a file that is there and cannot be read: of TensorFlow (OutOfRange is its end of file), of Python, of HDF5.
_OF_READING = ("DataLossError", "OutOfRangeError", "BadZipFile", "EOFError", "UnpicklingError", "JSONDecodeError")
_TOLD_OF_READING = (
    "truncated file",
    "file signature not found",
    "checksum",
    "end of file",
    "less bytes than requested",
    "corrupt",
)


def _is_of_reading(failure: Failure) -> bool:
    """Return whether an exception tells of a damaged file."""
    return failure.type in _OF_READING or any(each in failure.message.lower() for each in _TOLD_OF_READING)


def missing_keys(resumed: Run) -> list[str]:
    """Return the keys that the restore asked for and the checkpoint does not hold."""
    if resumed.facts.asked is None or resumed.facts.held is None:
        return []
    return sorted(set(resumed.facts.asked.values()) - set(resumed.facts.held))


def of_raising(failure: Failure) -> Diagnosis:
    """Say that a run raised after its restore."""
    step = f", step {failure.step}" if failure.step is not None else ""
    place = f" ({failure.place})" if failure.place else ""
    return diagnosis(
        "resumed-run-raised",
        during=failure.during,
        step=step,
        type=failure.type,
        message=first_sentence(failure.message) + place,
    )


def first_sentence(message: str) -> str:
    """Return the first line of an exception's text, cut to a length one can read."""
    line = message.strip().splitlines()[0] if message.strip() else "(no text)"
    return line if len(line) <= 200 else line[:197] + "..."


# What the control itself does, whatever the restore: it is told, and the run has recovered all the same.
_OF_THE_CONTROL = ("noise", "saving-changes-the-run", "statistics-never-move", "shadows-never-move")


def is_of_restore(found: Diagnosis) -> bool:
    """Return whether a diagnosis is of the restore, and not of the control."""
    return found.cause not in _OF_THE_CONTROL


def of_comparison(comparison: Comparison, framework: str = "", *, explained: bool = False) -> list[Diagnosis]:
    """Say what a comparison shows; an exact one can still show a fault of the control.

    Args:
        comparison: control and resumed run.
        framework: that of the job, for the remedies, see `Cause.others`.
        explained: whether something that is not in the comparison explains whatever nothing in it explains.
    """
    evidence = _looked(Evidence(comparison), LOOKS)
    for look in () if explained else LAST:
        evidence = evidence if evidence.found else evidence.and_found(tuple(look(evidence)))
    return [on(framework, each) for each in _looked(evidence, OF_THE_CONTROL).found]


def _looked(evidence: Evidence, looks: Sequence[Look]) -> Evidence:
    """Return the evidence with what each look finds that the ones before it have left."""
    for look in looks:
        evidence = evidence.and_found(tuple(look(evidence)))
    return evidence


def beyond(comparison: Comparison, allowed: Sequence[Diagnosis]) -> list[Diagnosis]:
    """Say which differences those that are allowed cannot have made.

    What was taken for a consequence of theirs, or was not looked for beside them, is looked for by itself; the same causes
    once more are allowed, too.
    """
    passed = frozenset(name for each in allowed for name in each.tensors)
    alone = _looked(Evidence(comparison, passed_over=passed), LOOKS)
    causes = {each.cause for each in allowed}
    others = [each for each in alone.found if each.cause not in causes]
    return others or list(steps.beyond(Evidence(comparison), allowed, reach(allowed, comparison)))


def unjudged(comparison: Comparison) -> list[str]:
    """Return the tensors that came to be in the first step and differ, where nothing tells whether they were restored."""
    evidence = Evidence(comparison)
    rows = evidence.open[evidence.open["late"] & evidence.open["asked"].isna()]
    return list(rows["name"]) if evidence.first_step_was_another else []


def on(framework: str, found: Diagnosis) -> Diagnosis:
    """Return a diagnosis with the remedy for a framework."""
    stage = None if found.stage is None else Stage(found.stage)
    return replace(found, remedy=CAUSES[found.cause].remedy(stage, framework))
