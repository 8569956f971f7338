"""Steps: the first one, their learning rates and hyperparameters, and tensors that never change."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

from ckptcheck.comparison.comparison import (
    Comparison,
    EvaluationComparison,
    HyperparameterDifference,
    StepComparison,
    TensorComparison,
)
from ckptcheck.counts import counted, filled
from ckptcheck.diagnosis.catalogue import diagnosis
from ckptcheck.diagnosis.cause import NEVER, Diagnosis, Stage, Start
from ckptcheck.diagnosis.findings import (
    Findings,
    as_number,
    attributes,
    both_values,
    by_stage,
    counted_off,
    names,
    off_by,
    some,
)
from ckptcheck.kinds import Kind

# What the schedulers of PyTorch set in the groups of an optimizer.
_SCHEDULED = ("lr", "momentum", "betas[0]")
# Kinds that do not change if training runs in a different mode.
MOVED_BY_TRAINING = (Kind.WEIGHT, Kind.MOVING_STATISTIC, Kind.SHADOW, Kind.RNG)


def lost(findings: Findings) -> Iterator[Diagnosis]:
    """Counters with a different count."""
    for stage, rows in by_stage(findings.open_of(Kind.COUNTER)):
        control, resumed = _counted(rows[0], findings)
        lost = [*names(rows), *_rates_that_follow(findings)]
        yield diagnosis("step-lost", lost, stage, control=control, resumed=resumed)


def _counted(row: TensorComparison, findings: Findings) -> tuple[int | str, int | str | None]:
    """Return both counts of a counter; if it is not a number, the first steps of both runs."""
    if row.control_number and row.resumed_number:
        return row.control_number, row.resumed_number
    return findings.comparison.first_step


def first(findings: Findings) -> Iterator[Diagnosis]:
    """A different first step that does not follow from a lost counter."""
    control, resumed = findings.comparison.first_step
    follows = resumed is not None and _lost_by(findings, resumed - control)
    if control != resumed and not follows and not findings.nothing_left:
        what = (
            "makes no step"
            if resumed is None
            else f"starts with step {resumed}: {off_by(resumed - control, 'step|steps')}"
        )
        rates, stage = _rates_that_follow(findings), _stage_of_first(findings)
        yield diagnosis("wrong-first-step", rates, stage, control=control, what=what)


def _stage_of_first(findings: Findings) -> Stage | None:
    """Return that the step was not applied, if a run starts over although its counters are right.

    A run that was saved in the middle of an epoch may not be able to start there.
    """
    control, resumed = findings.comparison.first_step
    between_epochs = control % findings.comparison.steps_per_epoch == 0
    restored = findings.counters_equal and bool(findings.of_kind(Kind.COUNTER))
    return Stage.NOT_APPLIED_AT_LOAD if resumed == 0 and between_epochs and restored else None


def _lost_by(findings: Findings, steps: int) -> bool:
    """Return whether a counter with a diagnosis is off by that many steps, or is not a number."""
    concerned = {name for found in findings.found for name in found.tensors}
    counters = [row for row in findings.of_kind(Kind.COUNTER) if row.name in concerned]
    return any(counted_off(row) in (None, steps) for row in counters)


def last(findings: Findings) -> Iterator[Diagnosis]:
    """A different number of steps, though nothing else differs."""
    comparison = findings.comparison
    if comparison.same_first_step and not comparison.same_last_step and not findings.found:
        yield diagnosis(
            "wrong-last-step", control=comparison.steps_after, resumed=comparison.steps_resumed
        )


def learning_rate(findings: Findings) -> Iterator[Diagnosis]:
    """A different learning rate that does not follow from a lost counter or lost Python state.

    If the lost Python state is accepted, the rate is diagnosed by itself.
    """
    step = next((step for step in findings.comparison.steps if not step.rate_equal), None)
    if (
        step is None
        or findings.nothing_left
        or _follows_counter(findings)
        or any(map(_is_of_scheduler, findings.tensors_of("step-lost")))
        or findings.has("python-state-lost")
    ):
        return
    rates: dict[str, Any] = {"control": step.control_rate, "resumed": step.resumed_rate}
    holding = names(_holding_the_rate(findings))
    yield diagnosis(
        "learning-rate-differs", holding, **rates, step=step.control_step, beside=_beside(findings)
    )


def _holding_the_rate(findings: Findings) -> list[TensorComparison]:
    """Return the hyperparameters that equal the learning rate of the first step in both runs.

    Those of several groups of parameters have one name, as `lr`, and rates in one proportion. Of
    several with different names, none can be identified as the rate.
    """
    step = next(iter(findings.comparison.steps), None)
    if step is None or step.control_rate is None or step.resumed_rate is None:
        return []
    rates = step.control_rate, step.resumed_rate
    rows = findings.open_of(Kind.HYPERPARAMETER)
    holding = [row for row in rows if _both(row) == rates]
    if len({_last(row) for row in holding}) != 1:
        return []
    alike = (row for row in rows if _last(row) == _last(holding[0]))
    return [row for row in alike if _are_in_proportion(_both(row), rates)]


def _both(row: TensorComparison) -> tuple[float | None, float | None]:
    return as_number(row.control_number), as_number(row.resumed_number)


def _last(row: TensorComparison) -> str:
    return row.name.rpartition("/")[2]


def _are_in_proportion(
    values: tuple[float | None, float | None], rates: tuple[float, float]
) -> bool:
    (control, resumed), (due, used) = values, rates
    if control is None or resumed is None:
        return False
    return math.isclose(control * used, resumed * due, rel_tol=1e-6)


def _rates_that_follow(findings: Findings) -> list[str]:
    """Return the hyperparameters that hold the learning rate, if that follows from the step.

    A scheduler of PyTorch's sets momenta, too.
    """
    settings = findings.open_of(Kind.HYPERPARAMETER)
    scheduled = _SCHEDULED if any(map(_is_of_scheduler, names(findings.open))) else ()
    follow = names(_holding_the_rate(findings)) if _follows_counter(findings) else []
    follow += names(row for row in settings if _last(row) in scheduled)
    return list(dict.fromkeys(follow))


def _is_of_scheduler(name: str) -> bool:
    """Return whether a tensor is the count of a scheduler of PyTorch's."""
    return name.endswith("/last_epoch")


def _follows_counter(findings: Findings) -> bool:
    """Return whether a counter, or the first step, is off by as many steps as the rates."""
    boundary = findings.comparison.first_step[0]
    return any(boundary + off in findings.comparison.rates_from for off in findings.steps_off)


def hyperparameters(findings: Findings) -> Iterator[Diagnosis]:
    """Different hyperparameters, in the state or in a step."""
    rate = _holding_the_rate(findings)
    settings = [row for row in findings.open_of(Kind.HYPERPARAMETER) if row not in rate]
    for stage, rows in by_stage(settings):
        yield diagnosis(
            "hyperparameters-differ",
            names(rows),
            stage,
            count=len(rows),
            example=both_values(rows[0]),
        )
    step = findings.comparison.hyperparameter
    follows = not findings.counters_equal and findings.has("step-lost", "older-checkpoint")
    if step is not None and not settings and not follows and not findings.nothing_left:
        example = f"{_both_settings(step)}, first at step {step.step}"
        yield diagnosis("hyperparameters-differ", count=1, example=example)


def _both_settings(setting: HyperparameterDifference) -> str:
    name, control, resumed = setting.name, setting.control, setting.resumed
    if control is None:
        return f"{name} is {resumed:.9g} in the resumed run and not recorded in the control"
    if resumed is None:
        return f"{name} is {control:.9g} in the control and not recorded in the resumed run"
    return f"{name} is {resumed:.9g} instead of the control's {control:.9g}"


def mode(findings: Findings) -> Iterator[Diagnosis]:
    """Tensors that change in the control but not in the resumed run."""
    # A lost tensor may be constant for that reason. So may a generator that nothing draws from, as
    # one that a program makes for each step.
    rows = [
        row
        for row in findings.of_kind(*MOVED_BY_TRAINING)
        if row.name not in findings.explained and row.same_form and not row.unread
    ]
    still = [row for row in rows if row.control_moves and not row.resumed_moves]
    if findings.found:
        still = _of_still_layers(still, rows)
    # Nor does anything change if a loss scale or accumulation delays updates, or if the rate is 0.
    no_rate = any(step.resumed_rate == 0 for step in findings.comparison.steps)
    if (
        not still
        or findings.nothing_left
        or no_rate
        or findings.has("loss-scale-lost", "accumulators-lost")
    ):
        return
    frozen = any(row.kind is Kind.WEIGHT for row in still)
    what = (
        "layers are frozen (trainable=False)"
        if frozen
        else "the model is in evaluation mode (training=False)"
    )
    yield diagnosis("mode-differs", names(still), count=len(still), total=len(rows), what=what)


def _of_still_layers(
    still: Sequence[TensorComparison], rows: Sequence[TensorComparison]
) -> list[TensorComparison]:
    """Return the tensors of layers of which none changes that does in the control.

    Where other updates are made, a gradient of almost zero may be too small to change a weight: a
    bias before batch norm has such a gradient.
    """
    moving = {_layer(row) for row in rows if row.control_moves and row.resumed_moves}
    return [row for row in still if _layer(row) not in moving]


def _layer(row: TensorComparison) -> tuple[str, Kind]:
    return row.name[: max(row.name.rfind("/"), row.name.rfind("."))], row.kind


def statistics_restarted(findings: Findings) -> Iterator[Diagnosis]:
    """Restored moving statistics that differ at the end, although all weights are equal."""
    comparison = findings.comparison
    final = {row.name: row for row in comparison.final}
    weights_equal = all(row.equal for row in final.values() if row.kind is Kind.WEIGHT)
    if not weights_equal or not all(step.equal and step.batch_equal for step in comparison.steps):
        return
    statistics = findings.of_kind(Kind.MOVING_STATISTIC)
    restored = [row.name for row in statistics if row.equal and row.name not in findings.explained]
    differing = [name for name in restored if name in final and not final[name].equal]
    if differing:
        yield diagnosis(
            "statistics-restarted",
            differing,
            count=len(differing),
            total=len(statistics),
            beside=_beside(findings),
        )


def _beside(findings: Findings) -> str:
    values = attributes(findings.comparison)
    return f"Python state differs, too: {some(values, 3)}." if values else ""


def too_early(findings: Findings) -> Iterator[Diagnosis]:
    """A loss that differs before any cause found can act."""
    difference = first_difference(findings.comparison, findings.earliest)
    if findings.found and not findings.nothing_left and difference is not None:
        hints = f"No cause that was found acts this early.{_hints(findings)}"
        yield diagnosis("unexplained", example=f"The {difference}", hints=hints)


def beyond(comparison: Comparison, start: Start, loss_within: float) -> Iterator[Diagnosis]:
    """Differences that accepted causes cannot explain: they act later, or move no loss so far."""
    difference = first_difference(comparison, start, loss_within)
    differing = _differing_at_end(comparison)
    cannot = "Accepted differences cannot explain this:"
    if difference is not None:
        yield diagnosis("unexplained", example=f"{cannot} the {difference}", hints="")
    elif differing and start == NEVER:
        example = f"{cannot} {_at_end(differing)}"
        yield diagnosis("unexplained", differing, example=example, hints="")


def sealed_generator(findings: Findings) -> Iterator[Diagnosis]:
    """A different first loss, where layers draw from a generator that nothing can read."""
    comparison = findings.comparison
    step = next(iter(comparison.steps), None)
    if comparison.sealed and step is not None and step.inputs_equal and not step.equal:
        yield diagnosis(
            "sealed-generator",
            names=some(comparison.sealed, 3),
            step=step.control_step,
            control=step.control_loss,
            resumed=step.resumed_loss,
        )


def unexplained(findings: Findings) -> Iterator[Diagnosis]:
    """The first difference, if the runs diverge and no cause was found."""
    comparison = findings.comparison
    if comparison.equal or findings.found:
        return
    difference, hints = first_difference(comparison, NEVER), _hints(findings)
    differing = _differing_at_end(comparison)
    if difference is not None and comparison.is_of_files:
        at_end = f"At the end, {_at_end(differing)}."
        yield diagnosis("unexplained", differing, example=f"The {difference}", hints=at_end)
    elif difference is not None:
        equal = "Every tensor, batch and learning rate before it is equal."
        yield diagnosis("unexplained", example=f"The {difference}", hints=equal + hints)
    else:
        losses = "No loss was seen." if "losses" in comparison.unseen else "All losses are equal."
        yield diagnosis(
            "unexplained", differing, example=_at_end(differing), hints=f"{losses}{hints}"
        )


def _differing_at_end(comparison: Comparison) -> list[str]:
    return names(row for row in comparison.final if not row.equal)


def _at_end(differing: Sequence[str]) -> str:
    return filled(
        "{count} {count:tensor|tensors} of the final state {count:differs|differ}",
        count=len(differing),
    )


def first_difference(
    comparison: Comparison, start: Start, loss_within: float = math.inf
) -> str | None:
    """Name the first loss that differs before `start`, or return None.

    The evaluation at the boundary and the next training loss precede any update. They also count if
    they differ by more than `loss_within`, relative to the control's.
    """
    boundary = comparison.first_step[0]
    # By steps done and kind: an evaluation precedes the training loss of the next step.
    found: list[tuple[int, int, str]] = []
    for evaluation in comparison.evaluations:
        done = evaluation.steps_done - boundary
        if not evaluation.equal and (
            done < start.evaluation or (done == 0 and _is_far(evaluation, loss_within))
        ):
            what = f"evaluation loss after {counted(evaluation.steps_done, 'step')}"
            found.append((done, 0, _both_losses(what, evaluation)))
    for place, step in enumerate(comparison.steps):
        if not step.equal and (place < start.loss or (place == 0 and _is_far(step, loss_within))):
            what = f"training loss of step {step.control_step}"
            found.append((place, 1, _both_losses(what, step)))
    return min(found)[2] if found else None


def _is_far(row: StepComparison | EvaluationComparison, within: float) -> bool:
    return not math.isinf(within) and not abs(row.diff) <= within * abs(row.control_loss)


def _both_losses(what: str, row: StepComparison | EvaluationComparison) -> str:
    return f"{what} is {row.resumed_loss!r} instead of the control's {row.control_loss!r}"


def _hints(findings: Findings) -> str:
    """Return what else differs, in words; it may or may not matter."""
    comparison = findings.comparison
    hints = [f"the state of {name}" for name in comparison.generators]
    for control, resumed in list(comparison.renamed.items())[:1]:
        matched = filled(
            "{count:the name|the names} of {count} {count:tensor|tensors}, matched by value",
            count=len(comparison.renamed),
        )
        hints.append(f"{matched} ({resumed} for {control})")
    hints += [
        f"{name} ({resumed:g} instead of {control:g})"
        for name, (control, resumed) in [
            *comparison.attributes.items(),
            *comparison.set_by_restore.items(),
        ]
    ]
    return f" Outside the compared state, these differ, too: {some(hints, 4)}." if hints else ""
