"""Two runs become one comparison: control and resumed side by side, as tables. It holds no opinion.

Identical means identical bit for bit: dtype, shape and every byte. 0.0 and -0.0 differ. NaN equals NaN only on request.
Equal means the same, unless somebody asked for a tolerance, or the job was found not to reproduce itself.
"""

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from ckptcheck.arrays import count_not_finite, differing, is_telling, largest_difference, norm, same
from ckptcheck.comparison import batch_order as sequences
from ckptcheck.comparison.rename_matching import match
from ckptcheck.comparison.value_origin import ANEW, Instead, Lookup
from ckptcheck.job.protocol import Tensor
from ckptcheck.kinds import Kind
from ckptcheck.run.digests import digest
from ckptcheck.run.run import Run, Snapshot, boundary_point
from ckptcheck.tolerance import EXACT, Tolerance

TENSOR_COLUMNS = (
    "point",  # boundary or final
    "name",
    "kind",
    "control_dtype",
    "resumed_dtype",
    "control_shape",
    "resumed_shape",
    "equal",
    "identical",
    "late",  # whether it came to be in the first step after the boundary, and is compared after that step
    "elements",
    "differing",  # elements whose bits differ; all of them where dtype or shape differ
    "max_abs_diff",
    "control_norm",  # Euclidean, over all elements, in float64
    "resumed_norm",
    "control_number",  # the value of a single number, as Python writes it; else empty
    "resumed_number",
    "not_finite",  # elements of the resumed value that are NaN or infinite
    "equals",  # what a differing resumed value equals instead, a word of ckptcheck.instead, or empty
    "equals_name",  # the control's tensor it equals, or the dtype that it was rounded to
    "equals_value",  # the factor
    "equals_older",  # the steps done at the latest earlier save with this value, whatever else it equals
    "asked",  # whether the restore asked for it; None where the adapter does not know
    "held",  # whether the checkpoint holds its key, or else its value; None where neither can be known
    "saved_so",  # whether the checkpoint holds another value than the control's of it; None where its values are not known
    "poisoned",  # whether the value before the restore differed from the control's at the boundary
    "control_moves",  # whether its value changes between the boundary and the end
    "resumed_moves",
)
LOSS_COLUMNS = (
    "control_step",
    "resumed_step",
    "control_loss",
    "resumed_loss",
    "diff",
    "equal",
    "identical",
    "control_batch",  # digests; None where the job shows no batch
    "resumed_batch",
    "batch_equal",
    "control_rate",  # None where the job shows no learning rate
    "resumed_rate",
    "rate_equal",
    "draws_equal",  # whether the random numbers are the control's, where the job shows them
    "hyperparameters_equal",
)
EVALUATION_COLUMNS = ("steps_done", "control_loss", "resumed_loss", "diff", "equal", "identical")


@dataclass(frozen=True)
class Comparison:
    """Control and resumed side by side. The columns are listed at the head of this file.

    `tensors` has a row per tensor and point, `losses` one per step after the boundary (the first executed step of the
    resumed run beside the first of the control after its save, and so on), `evaluations` one per evaluation.
    """

    tensors: pd.DataFrame
    losses: pd.DataFrame
    evaluations: pd.DataFrame
    first_step: tuple[int, int | None]
    # Steps of the control after the boundary; as many were to be compared.
    steps_after: int
    # Tensors of the control that had the same value at every point of its run.
    never_moved: tuple[str, ...]
    # What became of the batches and of the draws.
    batches: sequences.Path = field(default_factory=sequences.Path)
    draws: tuple[sequences.Path, ...] = ()
    # The first hyperparameter of a step that is another: step, name, the control's and the resumed run's value.
    hyperparameter: tuple[int, str, float | None, float | None] | None = None
    # What explains differences and is none by itself: scalars that objects of the program remember and that moved in the
    # control, by name: the control's and the resumed run's value at the boundary; and global generators of the process.
    attributes: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    generators: tuple[str, ...] = ()
    # The names that the resumed run has for tensors of the control, by the control's.
    renamed: Mapping[str, str] = field(default_factory=dict)
    # Tensors that count as equal whatever they are, for somebody allowed it.
    allowed: frozenset[str] = frozenset()
    # Steps of the control before the boundary, and in an epoch.
    steps_per_epoch: int = 1
    # The places in the control from which the resumed run's learning rates are its, where they vary: another than `position`.
    rates_from: tuple[int, ...] = ()

    def at(self, point: str) -> pd.DataFrame:
        """Return the tensors at one point."""
        return self.tensors[self.tensors["point"] == point]

    @property
    def exact(self) -> bool:
        """Whether everything that was compared is identical, bit for bit."""
        return self._all("identical")

    @property
    def equal(self) -> bool:
        """Whether everything that was compared is equal, within what was asked for."""
        return self._all("equal")

    @property
    def equal_at_boundary(self) -> bool:
        """Whether every tensor at the boundary is equal, and the first step is the control's next one.

        Tensors that came to be in the first step are not at the boundary: that step may have made them others.
        """
        boundary = self.at("boundary")
        return bool((boundary["equal"] | boundary["late"]).all()) and self.first_step[0] == self.first_step[1]

    def allowing(self, names: Collection[str]) -> "Comparison":
        """Return the comparison with some tensors equal, whatever they are."""
        tensors = self.tensors.copy()
        tensors["equal"] |= tensors["name"].isin(list(names))
        return replace(self, tensors=tensors, allowed=frozenset(names))

    def _all(self, column: str) -> bool:
        return bool(
            self.tensors[column].all()
            and self.evaluations[column].all()
            and self.losses[[column, "batch_equal", "rate_equal", "draws_equal", "hyperparameters_equal"]].all(axis=None)
            and self.first_step[0] == self.first_step[1]
        )


def compare(control: Run, resumed: Run, tolerance: Tolerance = EXACT) -> Comparison:
    """Compare a resumed run with its control, at the boundary and from there to the end."""
    names = match(points(control), points(resumed))
    resumed = resumed.renamed(names) if names else resumed
    boundary = control.facts.schedule.boundary
    lookup = Lookup(control, resumed)
    at_boundary = [(name, *pair, False) for name, pair in _pairs(control.boundary, resumed.boundary).items()]
    if control.after_boundary and resumed.after_boundary:
        at_boundary = _with_late(at_boundary, control.after_boundary, resumed.after_boundary)
    finals = [(name, *pair, False) for name, pair in _pairs(control.final, resumed.final).items()]
    return Comparison(
        tensors=pd.DataFrame(
            [
                *_tensors("boundary", at_boundary, control, resumed, tolerance, lookup),
                *_tensors("final", finals, control, resumed, tolerance, lookup),
            ],
            columns=list(TENSOR_COLUMNS),
        ),
        losses=_losses(control, resumed, tolerance),
        evaluations=_evaluations(control, resumed, tolerance),
        first_step=(boundary, resumed.facts.first_step),
        steps_after=len(control.steps) - control.position,
        never_moved=_never_moved(control),
        batches=sequences.batches(control, resumed),
        draws=sequences.draws(control, resumed),
        hyperparameter=next(_hyperparameters(control, resumed, tolerance), None),
        attributes=_attributes(control, resumed),
        generators=_generators(control, resumed),
        renamed={ours: theirs for theirs, ours in names.items()},
        steps_per_epoch=control.facts.schedule.steps_per_epoch,
        rates_from=_rates_from(control, resumed),
    )


def points(run: Run) -> list[Snapshot]:
    """Return the snapshots from the boundary on."""
    return [run.boundary, run.after_boundary or {}, run.final]


# A tensor's name, its value in the control and in the resumed run (None: not held there), and whether it came late.
_Pair = tuple[str, Tensor | None, Tensor | None, bool]


def _pairs(control: Snapshot, resumed: Snapshot) -> dict[str, tuple[Tensor | None, Tensor | None]]:
    return {name: (control.get(name), resumed.get(name)) for name in dict.fromkeys([*control, *resumed])}


def _with_late(pairs: list[_Pair], control: Snapshot, resumed: Snapshot) -> list[_Pair]:
    """Take tensors that the resumed run makes, and restores, only in its first step as they are after that step."""
    return [
        (name, control[name], resumed[name], True) if theirs is None and name in control and name in resumed else pair
        for pair in pairs
        for name, _, theirs, _ in [pair]
    ]


def _tensors(
    point: str, pairs: Sequence[_Pair], control: Run, resumed: Run, tolerance: Tolerance, lookup: Lookup
) -> list[dict[str, Any]]:
    rows = []
    for name, ours, theirs, late in pairs:
        row = {"point": point, "name": name, "late": late} | _sides(ours, theirs, tolerance)
        # At the end nothing is looked up: what a value is there tells of the steps before it, too.
        is_lost = point == "boundary" and not row["equal"] and theirs is not None
        found = Instead(ANEW) if is_lost and late else lookup.of(name, ours, theirs) if is_lost and theirs else Instead()
        row |= {"equals": found.what, "equals_name": found.name, "equals_value": found.value, "equals_older": found.older}
        row |= _keys(name, control.boundary.get(name) if is_lost else None, resumed, lookup)
        row["poisoned"] = _is_poisoned(name, control, resumed)
        row |= {"control_moves": _moves(name, control), "resumed_moves": _moves(name, resumed)}
        rows.append(row)
    return rows


def _moves(name: str, run: Run) -> bool:
    """Return whether a tensor changes between the boundary and the end."""
    start, end = run.boundary.get(name), run.final.get(name)
    return start is None or end is None or not same(start.value, end.value, equal_nan=True)


def _is_poisoned(name: str, control: Run, resumed: Run) -> bool:
    """Return whether a tensor can show that the restore did something: whether it was another one before.

    One that did not exist before cannot have had the control's value but by the restore, if that is not its initial one; of
    one that neither process began with, a value that no initialiser gives says as much.
    """
    wanted = control.boundary.get(name)
    before = resumed.initial.get(name, control.initial.get(name))
    if wanted is None:
        return False
    if before is None:
        return is_telling(wanted.value)
    # A NaN is no proof of a difference, whatever NaN is to count for elsewhere.
    return not same(wanted.value, before.value, equal_nan=True)


def _sides(control: Tensor | None, resumed: Tensor | None, tolerance: Tolerance) -> dict[str, Any]:
    """Describe both values of one tensor; None: that process does not hold it."""
    known = control or resumed
    assert known is not None
    row: dict[str, Any] = {"kind": known.kind.value, "elements": known.value.size}
    for side, tensor in (("control", control), ("resumed", resumed)):
        row[f"{side}_dtype"] = _dtype(tensor.value.dtype) if tensor else ""
        row[f"{side}_shape"] = str(tensor.value.shape) if tensor else ""
        row[f"{side}_norm"] = norm(tensor.value) if tensor else math.nan
        row[f"{side}_number"] = _number(tensor.value) if tensor else ""
    row["not_finite"] = count_not_finite(resumed.value) if resumed else 0
    comparable = control and resumed and control.value.dtype == resumed.value.dtype
    if control and resumed and comparable and control.value.shape == resumed.value.shape:
        count = int(differing(control.value, resumed.value, tolerance.equal_nan).sum())
        row |= {"differing": count, "max_abs_diff": largest_difference(control.value, resumed.value), "identical": count == 0}
        row["equal"] = count == 0 or tolerance.allows(control.value, resumed.value)
    else:
        row |= {"differing": known.value.size, "max_abs_diff": math.nan, "identical": False, "equal": False}
    return row


def _keys(name: str, lost: Tensor | None, resumed: Run, lookup: Lookup) -> dict[str, bool | None]:
    """Say whether the restore asked for a tensor, and whether the checkpoint holds it: by its key, or else, where the resumed
    run has a value of its own making instead of it, by the value that was lost.

    A value that several tensors have tells nothing of any.
    """
    facts = resumed.facts
    asked = None if facts.asked is None else name in facts.asked
    key = name if facts.asked is None else facts.asked.get(name, name)
    held = None if facts.held is None else key in facts.held
    if facts.values is None or lost is None:
        return {"asked": asked, "held": held, "saved_so": None}
    by_value = digest(lost.value) in facts.values
    if not asked and not held and lookup.is_one_of_its_kind(lost.value):
        held = by_value
    return {"asked": asked, "held": held, "saved_so": not by_value}


def _number(value: np.ndarray[Any, Any]) -> str:
    """Return the value of a single number as Python writes it; of anything else nothing."""
    return repr(value.item()) if value.size == 1 and value.dtype.kind in "biuf" else ""


def _dtype(dtype: np.dtype[Any]) -> str:
    return dtype.name if dtype.isnative else f"{dtype.name} in the other byte order"


def _losses(control: Run, resumed: Run, tolerance: Tolerance) -> pd.DataFrame:
    start = control.position
    rows = []
    for index, (control_step, resumed_step) in enumerate(zip(control.steps[start:], resumed.steps, strict=False)):
        whole = start + index
        row: dict[str, Any] = {"control_step": control_step, "resumed_step": resumed_step}
        row |= _pair(control.losses[whole], resumed.losses[index], tolerance)
        row |= {"control_batch": control.batches[whole], "resumed_batch": resumed.batches[index]}
        row["batch_equal"] = control.batches[whole] == resumed.batches[index]
        row |= {"control_rate": control.rates[whole], "resumed_rate": resumed.rates[index]}
        row["rate_equal"] = _same_rate(control.rates[whole], resumed.rates[index], tolerance)
        row["draws_equal"] = _at(control.draws, whole) == _at(resumed.draws, index)
        ours, theirs = _at(control.hyperparameters, whole), _at(resumed.hyperparameters, index)
        row["hyperparameters_equal"] = next(_other_settings(ours, theirs, tolerance), None) is None
        rows.append(row)
    return pd.DataFrame(rows, columns=list(LOSS_COLUMNS))


def _at(values: Sequence[Any], index: int) -> Any:
    """Return what was shown at a step, None where nothing was."""
    return values[index] if index < len(values) else None


def _hyperparameters(
    control: Run, resumed: Run, tolerance: Tolerance
) -> Iterator[tuple[int, str, float | None, float | None]]:
    start = control.position
    for step, ours, theirs in zip(
        control.steps[start:], control.hyperparameters[start:], resumed.hyperparameters, strict=False
    ):
        yield from ((step, *each) for each in _other_settings(ours, theirs, tolerance))


def _other_settings(
    control: Mapping[str, float] | None, resumed: Mapping[str, float] | None, tolerance: Tolerance
) -> Iterator[tuple[str, float | None, float | None]]:
    """Yield the hyperparameters that are others in a step of the resumed run, with both values."""
    ours, theirs = control or {}, resumed or {}
    for name in dict.fromkeys([*ours, *theirs]):
        if not _same_rate(ours.get(name), theirs.get(name), tolerance):
            yield name, ours.get(name), theirs.get(name)


def _rates_from(control: Run, resumed: Run) -> tuple[int, ...]:
    ours, theirs = control.rates, resumed.rates
    if len(set(ours)) < 2:
        return ()
    whole = len(ours) - control.position
    return tuple(
        place
        for place in range(len(ours))
        if place != control.position and ours[place : place + whole] == theirs[: len(ours) - place][:whole]
    )


def _attributes(control: Run, resumed: Run) -> Mapping[str, tuple[float, float]]:
    """Return what objects of the program remember that moved in the control, and that the resumed run remembers otherwise."""
    point = boundary_point(control.facts.schedule.boundary)
    seen = control.facts.attributes
    ours, theirs = seen.get(point, {}), resumed.facts.attributes.get(point, {})
    return {
        name: (value, theirs[name])
        for name, value in ours.items()
        if name in theirs and theirs[name] != value and len({each[name] for each in seen.values() if name in each}) > 1
    }


def _generators(control: Run, resumed: Run) -> tuple[str, ...]:
    """Return the global generators that the control drew from and that are in another state in the resumed run."""
    point = boundary_point(control.facts.schedule.boundary)
    seen = control.facts.generators
    ours, theirs = seen.get(point, {}), resumed.facts.generators.get(point, {})
    drawn_from = (name for name in ours if len({each[name] for each in seen.values() if name in each}) > 1)
    return tuple(name for name in drawn_from if name in theirs and theirs[name] != ours[name])


def _same_rate(control: float | None, resumed: float | None, tolerance: Tolerance) -> bool:
    if control is None or resumed is None:
        return control is resumed
    ours, theirs = np.array(control), np.array(resumed)
    return same(ours, theirs, equal_nan=True) or tolerance.allows(ours, theirs)


def _evaluations(control: Run, resumed: Run, tolerance: Tolerance) -> pd.DataFrame:
    found = _evaluated_in_both(control, resumed)
    rows = [{"steps_done": done} | _pair(ours, theirs, tolerance) for done, ours, theirs in found]
    return pd.DataFrame(rows, columns=list(EVALUATION_COLUMNS))


def _evaluated_in_both(control: Run, resumed: Run) -> Iterator[tuple[int, float, float]]:
    """Yield the evaluations that both runs made from the boundary on; of several after one step, in their order."""
    found: dict[int, list[float]] = {}
    for done, loss in resumed.facts.evaluations:
        found.setdefault(done, []).append(loss)
    for done, loss in control.facts.evaluations:
        if done >= control.facts.schedule.boundary and found.get(done):
            yield done, loss, found[done].pop(0)


def _pair(control: float, resumed: float, tolerance: Tolerance) -> dict[str, Any]:
    ours, theirs = np.array(control), np.array(resumed)
    identical = same(ours, theirs, tolerance.equal_nan)
    return {
        "control_loss": control,
        "resumed_loss": resumed,
        "diff": resumed - control,
        "equal": identical or tolerance.allows(ours, theirs),
        "identical": identical,
    }


def _never_moved(control: Run) -> tuple[str, ...]:
    return tuple(
        name
        for name, tensor in control.initial.items()
        if tensor.kind is not Kind.HYPERPARAMETER  # they need not
        and all(
            name in later and same(tensor.value, later[name].value, equal_nan=True)
            for later in (control.boundary, control.final)
        )
    )
