"""A comparison becomes an outcome and diagnoses: what was lost, at which stage, and how it is mended.

Each function of DIAGNOSES looks at the evidence for one thing. They are asked in the order of decision; what follows from
something already found is not reported again.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from ckptcheck import environment
from ckptcheck.causes import CAUSES, Stage
from ckptcheck.compare import Comparison
from ckptcheck.job import Kind
from ckptcheck.run import RECORDED, Failure, Run


@dataclass(frozen=True)
class Diagnosis:
    """A cause with its evidence: the stage if it is known, a sentence, the remedy, and the tensors concerned."""

    cause: str
    stage: str | None
    sentence: str
    remedy: str
    tensors: tuple[str, ...] = ()


def diagnosis(cause: str, tensors: Sequence[str] = (), stage: Stage | None = None, **fields: Any) -> Diagnosis:
    """Fill in a cause of the catalogue."""
    entry = CAUSES[cause]
    sentence = entry.sentence.format(**fields)
    return Diagnosis(cause, stage.value if stage else None, sentence, entry.remedy(stage), tuple(tensors))


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
    if not missing:
        return diagnosis("restore-raised", type=failure.type, message=first_sentence(failure.message))
    asked = resumed.facts.asked or {}
    live = control.boundary
    # A variable that is asked for under another name than its own is asked for through its moving average.
    shadows = [key for name, key in asked.items() if key in missing and key != name and key not in live]
    if len(shadows) < len(missing):
        return diagnosis("keys-not-in-checkpoint", missing, count=len(missing), example=missing[0])
    statistics = any(tensor.kind is Kind.MOVING_STATISTIC for tensor in live.values())
    averaged = "the batch means and variances alone" if statistics else "other variables"
    return diagnosis("shadows-not-in-checkpoint", missing, count=len(missing), example=missing[0], averaged=averaged)


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


def of_comparison(comparison: Comparison, framework: str = "") -> list[Diagnosis]:
    """Say what a comparison shows; an exact one can still show a fault of the control.

    Remedies are those for jobs on `framework`, see `Cause.others`.
    """
    found = [one for look in DIAGNOSES for one in look(comparison)] or list(_metrics(comparison))
    if not found and not comparison.equal:
        found.extend(_unexplained(comparison))
    return [_on(framework, each) for each in (*found, *_dead_statistics(comparison))]


def _on(framework: str, found: Diagnosis) -> Diagnosis:
    stage = None if found.stage is None else Stage(found.stage)
    return replace(found, remedy=CAUSES[found.cause].remedy(stage, framework))


def _nothing_restored(comparison: Comparison) -> Iterator[Diagnosis]:
    moved = comparison.at("boundary").query("poisoned")
    initial = int((moved["equals"] == "initial").sum())
    if initial == len(moved):
        yield diagnosis("nothing-restored", list(moved["name"]), _stage(moved), count=len(moved))
    elif _nothing_left(comparison):
        yield diagnosis("initialised-again", list(moved["name"]), _stage(moved), count=len(moved), initial=initial)


def _nothing_left(comparison: Comparison) -> bool:
    """Return whether no tensor that shows a restore shows one: at its initial value, or overwritten by an initialiser."""
    moved = comparison.at("boundary").query("poisoned")
    initial = moved["equals"] == "initial"
    overwritten = _stage(moved) is Stage.OVERWRITTEN_AFTER_LOAD and not moved["equal"].any() and initial.any()
    return bool(initial.all() or overwritten)


# What a value that is the new process's own is called, by what it equals.
WHERE = {"initial": "at their initial values", "zero": "zero", "anew": "made anew in the first step"}


def _first_step_was_another(comparison: Comparison) -> bool:
    """Return whether the first step itself can have made the difference in what is compared only after it."""
    boundary = comparison.at("boundary")
    harmless = boundary["late"] | boundary["kind"].isin([Kind.SLOT.value, Kind.COUNTER.value, Kind.METRIC.value])
    batches = comparison.losses["batch_equal"]
    return not (boundary["equal"] | harmless).all() or not batches.iloc[:1].all()


def _lost(kind: Kind, cause: str) -> Callable[[Comparison], Iterator[Diagnosis]]:
    """Make the look for tensors of one kind that are at their initial values."""

    def look(comparison: Comparison) -> Iterator[Diagnosis]:
        if _nothing_left(comparison):
            return
        rows = _of_kind(comparison, kind)
        known = [word for word in WHERE if word != "anew" or not _first_step_was_another(comparison)]
        at_start = rows["equals"].isin(known) & ~_apart(rows)
        for stage, lost in _by_stage(rows[at_start]):
            what = set(lost["equals"])
            where = next(text for word, text in WHERE.items() if word in what)
            yield diagnosis(cause, list(lost["name"]), stage, count=len(lost), total=len(rows), where=where)

    return look


def _generators(comparison: Comparison) -> Iterator[Diagnosis]:
    """Random generators that are in another state, whatever it is: a new process may have seeded them anew."""
    if _nothing_left(comparison):
        return
    rows = _of_kind(comparison, Kind.RNG)
    for stage, lost in _by_stage(rows[~rows["equal"].astype(bool) & ~_apart(rows)]):
        yield diagnosis("generators-lost", list(lost["name"]), stage, count=len(lost), total=len(rows))


def _step_lost(comparison: Comparison) -> Iterator[Diagnosis]:
    if _nothing_left(comparison):
        return
    rows = _of_kind(comparison, Kind.COUNTER)
    for stage, lost in _by_stage(rows[~rows["equal"]]):
        control, resumed = _counted(lost.iloc[0], comparison)
        yield diagnosis("step-lost", list(lost["name"]), stage, control=control, resumed=resumed)


def _shadows_in_weights(comparison: Comparison) -> Iterator[Diagnosis]:
    boundary = comparison.at("boundary")
    found = boundary[_is_shadow_in_weight(boundary)]
    if len(found):
        total = len(_of_kind(comparison, Kind.WEIGHT))
        yield diagnosis("shadows-in-weights", list(found["name"]), count=len(found), total=total)


def _is_shadow_in_weight(boundary: pd.DataFrame) -> "pd.Series[bool]":
    shadows = boundary.loc[boundary["kind"] == Kind.SHADOW.value, "name"]
    return (boundary["kind"] == Kind.WEIGHT.value) & boundary["equals_name"].isin(shadows)


def _counted(row: Any, comparison: Comparison) -> tuple[int, int | None]:
    """Return what a counter counted in the control and in the resumed run; of one that is no number, their first steps."""
    values = row["control_norm"], row["resumed_norm"]
    if row["elements"] == 1 and all(math.isfinite(value) for value in values):
        return int(values[0]), int(values[1])
    return comparison.first_step


def _is_weight_in_shadow(boundary: pd.DataFrame) -> "pd.Series[bool]":
    """Where weights and averages have changed places, one of the two says enough."""
    swapped = set(boundary.loc[_is_shadow_in_weight(boundary), "name"])
    return (boundary["kind"] == Kind.SHADOW.value) & boundary["equals_name"].isin(swapped)


def _is_another_replica(boundary: pd.DataFrame) -> "pd.Series[bool]":
    first = boundary["name"].str.replace(r", replica \d+$", ", replica 0", regex=True)
    return (boundary["equals"] == "tensor") & (boundary["equals_name"] == first)


def _replicas(comparison: Comparison) -> Iterator[Diagnosis]:
    boundary = comparison.at("boundary")
    found = boundary[_is_another_replica(boundary)]
    if len(found):
        total = int(boundary["name"].str.contains(", replica ").sum())
        yield diagnosis("replicas-lost", list(found["name"]), count=len(found), total=total)


def _swapped(comparison: Comparison) -> Iterator[Diagnosis]:
    boundary = comparison.at("boundary")
    explained = _is_shadow_in_weight(boundary) | _is_weight_in_shadow(boundary) | _is_another_replica(boundary)
    found = boundary[(boundary["equals"] == "tensor") & ~explained]
    if len(found):
        first = found.iloc[0]
        example = f"{first['name']} has the value of {first['equals_name']}"
        yield diagnosis("tensors-swapped", list(found["name"]), count=len(found), example=example)


def _missing(comparison: Comparison) -> Iterator[Diagnosis]:
    boundary = comparison.at("boundary")
    apart = boundary[_apart(boundary)]
    if len(apart):
        first = apart.iloc[0]
        control, resumed = (
            f"{first[f'{side}_dtype']} {first[f'{side}_shape']}".strip() or "absent" for side in ("control", "resumed")
        )
        example = f"{first['name']} is {control} in the control and {resumed} in the resumed run"
        yield diagnosis("tensors-missing", list(apart["name"]), example=example)


def _first_step(comparison: Comparison) -> Iterator[Diagnosis]:
    control, resumed = comparison.first_step
    if control != resumed and _of_kind(comparison, Kind.COUNTER)["equal"].all() and not _nothing_left(comparison):
        yield diagnosis("wrong-first-step", control=control, resumed=resumed)


def _batches(comparison: Comparison) -> Iterator[Diagnosis]:
    # Where the step numbers differ, other batches are a consequence.
    rows = comparison.losses.query("control_step == resumed_step and not batch_equal")
    if len(rows):
        known, first = comparison.first_batch_of, int(rows.iloc[0]["control_step"])
        at_once = known is not None and first == comparison.first_step[0]
        position = f": it begins there with the batch that the control read at step {known}" if at_once else ""
        yield diagnosis("batches-differ", step=first, position=position)


def _rates(comparison: Comparison) -> Iterator[Diagnosis]:
    rows = comparison.losses.query("control_step == resumed_step and not rate_equal")
    if len(rows):
        first = rows.iloc[0]
        yield diagnosis(
            "learning-rate-differs",
            control=first["control_rate"],
            resumed=first["resumed_rate"],
            step=int(first["control_step"]),
        )


def _leftover(comparison: Comparison) -> Iterator[Diagnosis]:
    """Tensors that differ at the boundary and equal nothing known."""
    if _nothing_left(comparison):
        return
    boundary = comparison.at("boundary")
    explained = boundary["kind"].isin([Kind.COUNTER.value, Kind.RNG.value])
    known = boundary["equal"] | (boundary["equals"] != "") | explained
    for stage, lost in _by_stage(boundary[~known & ~_apart(boundary)]):
        first = lost.iloc[0]
        example = (
            f"{len(lost)} tensors differ at the boundary and equal nothing known; {first['name']} differs in "
            f"{first['differing']} of {first['elements']} elements, by {first['max_abs_diff']:.3g} at most"
        )
        yield diagnosis("unexplained", list(lost["name"]), stage, example=example)


# What an epoch reports of itself changes with whatever else is lost: it is a loss of its own only where it is the only one.
_metrics = _lost(Kind.METRIC, "state-lost")

DIAGNOSES: tuple[Callable[[Comparison], Iterator[Diagnosis]], ...] = (
    _nothing_restored,
    _missing,
    _lost(Kind.MOVING_STATISTIC, "moving-statistics-lost"),
    _replicas,
    _shadows_in_weights,
    _lost(Kind.SHADOW, "shadows-lost"),
    _lost(Kind.WEIGHT, "weights-lost"),
    _lost(Kind.SLOT, "slots-lost"),
    _generators,
    *(_lost(kind, "state-lost") for kind in (Kind.OTHER, Kind.ACCUMULATOR, Kind.HYPERPARAMETER)),
    _step_lost,
    _swapped,
    _leftover,
    _first_step,
    _batches,
    _rates,
)


def _unexplained(comparison: Comparison) -> Iterator[Diagnosis]:
    """Everything at the boundary is equal, and still the runs part: say where."""
    for table, column, what in (
        (comparison.evaluations, "steps_done", "evaluation loss after {} steps"),
        (comparison.losses, "control_step", "training loss of step {}"),
    ):
        rows = table[~table["equal"].astype(bool)]
        if len(rows):
            first = rows.iloc[0]
            place = what.format(int(first[column]))
            yield diagnosis(
                "unexplained",
                example=f"every tensor, batch and learning rate before it is equal, but the {place} is "
                f"{float(first['resumed_loss'])!r}, the control's is {float(first['control_loss'])!r}",
            )
            return
    final = comparison.at("final")
    rows = final[~final["equal"].astype(bool)]
    names = list(rows["name"])
    yield diagnosis("unexplained", names, example=f"all losses are equal, but {len(names)} tensors of the final state are not")


def _dead_statistics(comparison: Comparison) -> Iterator[Diagnosis]:
    statistics = _of_kind(comparison, Kind.MOVING_STATISTIC)
    dead = [name for name in statistics["name"] if name in comparison.never_moved]
    if dead:
        yield diagnosis("statistics-never-move", dead, Stage.NEVER_LIVE, count=len(dead), total=len(statistics))


def _of_kind(comparison: Comparison, kind: Kind) -> pd.DataFrame:
    boundary = comparison.at("boundary")
    return boundary[boundary["kind"] == kind.value]


def _apart(rows: pd.DataFrame) -> "pd.Series[bool]":
    """Tensors that only one of the two processes holds, or that have another dtype or shape in the other."""
    return (rows["control_dtype"] != rows["resumed_dtype"]) | (rows["control_shape"] != rows["resumed_shape"])


def _by_stage(rows: pd.DataFrame) -> Iterator[tuple[Stage | None, pd.DataFrame]]:
    stages = [_stage_of(row) for _, row in rows.iterrows()]
    for stage in dict.fromkeys(stages):
        yield stage, rows[[each is stage for each in stages]]


def _stage(rows: pd.DataFrame) -> Stage | None:
    """Return the stage of all rows, or None where they differ."""
    found = {_stage_of(row) for _, row in rows.iterrows()}
    return found.pop() if len(found) == 1 else None


def _stage_of(row: Any) -> Stage | None:
    if row["held"] is None:
        return None
    if not row["held"]:
        return Stage.OMITTED_AT_SAVE
    if row["equals"] == "anew":  # whatever it was to be filled from, it has not been
        return Stage.NOT_APPLIED_AT_LOAD
    if row["asked"] is None:
        return None
    return Stage.OVERWRITTEN_AFTER_LOAD if row["asked"] else Stage.NOT_APPLIED_AT_LOAD
