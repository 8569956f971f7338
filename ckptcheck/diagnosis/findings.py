"""What a comparison shows, as the looks for causes ask for it; what one of them has explained, the next does not see."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import pandas as pd

from ckptcheck.comparison.compare import Comparison
from ckptcheck.comparison.value_origin import ANEW, FRESH, INITIAL, OWN
from ckptcheck.diagnosis.catalogue import Stage
from ckptcheck.diagnosis.cause import Diagnosis
from ckptcheck.kinds import Kind


@dataclass(frozen=True)
class Evidence:
    """A comparison, and what has been found in it so far."""

    comparison: Comparison
    found: tuple[Diagnosis, ...] = ()
    # Names of tensors that somebody allowed to differ, by a cause: what else that cause may explain is asked for all the same.
    passed_over: frozenset[str] = frozenset()

    def and_found(self, more: tuple[Diagnosis, ...]) -> "Evidence":
        """Return the same evidence for who looks next."""
        return replace(self, found=(*self.found, *more)) if more else self

    def has(self, *causes: str) -> bool:
        """Return whether one of these causes has been found."""
        return any(each.cause in causes for each in self.found)

    @cached_property
    def boundary(self) -> pd.DataFrame:
        """Every tensor at the boundary."""
        return self.comparison.at("boundary")

    @cached_property
    def explained(self) -> set[str]:
        """The names of the tensors that something found so far is about."""
        return {name for each in self.found for name in each.tensors} | self.passed_over

    @cached_property
    def open(self) -> pd.DataFrame:
        """The tensors that differ at the boundary and that nothing found so far explains."""
        return self.boundary[~self.boundary["equal"].astype(bool) & ~self.boundary["name"].isin(self.explained)]

    def of_kind(self, *kinds: Kind) -> pd.DataFrame:
        """Return all tensors of some kinds, equal or not."""
        return self.boundary[self.boundary["kind"].isin([kind.value for kind in kinds])]

    def open_of(self, *kinds: Kind) -> pd.DataFrame:
        """Return the tensors of some kinds that differ and are not explained, but those of another dtype or shape."""
        rows = self.open[self.open["kind"].isin([kind.value for kind in kinds])]
        return rows[~apart(rows)]

    @cached_property
    def nothing_left(self) -> bool:
        """Whether no tensor that shows a restore shows one: at its initial value, or overwritten by an initialiser."""
        moved = self.boundary.query("poisoned")
        if len(moved) and all(moved["saved_so"]) and all(moved["asked"]):
            return False  # what was saved came back, and it was another state that was saved
        initial = moved["equals"].isin([INITIAL, FRESH])
        overwritten = stage_of_all(moved) is Stage.OVERWRITTEN_AFTER_LOAD and not moved["equal"].any() and initial.any()
        return bool(initial.all() or overwritten)

    def are_own(self, rows: pd.DataFrame) -> "pd.Series[bool]":
        """Return which tensors have a value of the new process's own.

        What is made only in the first step, and compared after it, may differ for what that step was made with: it is its own
        where the restore did not ask for it, or the checkpoint does not hold it, or else that step was the control's.
        """
        return rows["equals"].isin(OWN) & ((rows["equals"] != ANEW) | _is_lost(rows) | (not self.first_step_was_another))

    @cached_property
    def first_step_was_another(self) -> bool:
        """Whether the first step was made with anything else than the control's, apart from what the optimizer holds."""
        harmless = self.boundary["late"] | self.boundary["kind"].isin(
            [kind.value for kind in (Kind.SLOT, Kind.COUNTER, Kind.METRIC, Kind.HYPERPARAMETER, Kind.PYTHON)]
        )
        # The rate is left out: slots of most optimizers do not depend on it, and it follows a counter lost with them.
        step = self.comparison.losses[["batch_equal", "draws_equal"]].iloc[:1]
        equal = self.boundary["equal"] & ~self.boundary["name"].isin(self.comparison.allowed)
        return not (equal | harmless).all() or not step.all(axis=None)

    @property
    def counters_equal(self) -> bool:
        """Whether every counter came back."""
        return bool(self.of_kind(Kind.COUNTER)["equal"].all())

    @cached_property
    def steps_off(self) -> set[int]:
        """By how many steps the resumed run may count otherwise: what each counter that differs says, and the first step."""
        control, resumed = self.comparison.first_step
        first = 0 if resumed is None else resumed - control
        return {first, *(off for off in counted_off(self.of_kind(Kind.COUNTER)) if off is not None)} - {0}

    @property
    def earliest(self) -> tuple[int, int]:
        """The first training loss that what was seen may have made another one, and the first evaluation loss, each by the
        number of steps done after the boundary: 0 and 0 where the state there was another one already.
        """
        boundary, losses = self.boundary, self.comparison.losses
        control, resumed = self.comparison.first_step
        if control != resumed or not (boundary["identical"] | boundary["late"]).all():
            return 0, 0
        # The loss of a step is computed before its update, on which the rate acts.
        at_once = losses[["batch_equal", "draws_equal", "hyperparameters_equal"]].all(axis=1)
        places = [(place, place + 1) for place in _positions(~at_once)]
        places += [(place + 1, place + 1) for place in _positions(~losses["rate_equal"].astype(bool))]
        never = len(losses) + 1
        places += [(0, 1)] if self.has("mode-differs") else []
        places += [(never, 0)] if self.has("batches-differ") else []  # what is held out may be of other data, too
        places += [(never, 1)] if self.has("statistics-restarted") else []
        late = boundary[boundary["late"] & ~boundary["identical"].astype(bool)]
        after_it = late["kind"].isin([kind.value for kind in (Kind.SLOT, Kind.ACCUMULATOR, Kind.COUNTER, Kind.METRIC)])
        # Slots act on the update; a weight has acted before it came to be compared.
        places += [(1, 1) if each else (0, 0) for each in after_it]
        return min((each for each, _ in places), default=never), min((each for _, each in places), default=never)


def counted_off(counters: pd.DataFrame) -> list[int | None]:
    """Return by how many steps each counter of the resumed run is off; None where it is no single number."""
    pairs = [(as_number(row["control_number"]), as_number(row["resumed_number"])) for _, row in counters.iterrows()]
    return [None if ours is None or theirs is None else round(theirs - ours) for ours, theirs in pairs]


def as_number(text: str) -> float | None:
    """Return the value of a single number, as the comparison writes it; None where it is none, or not finite."""
    try:
        value = float(text)
    except ValueError:  # nothing, True or False
        return None
    return value if math.isfinite(value) else None


def values(row: Any) -> str:
    """Say what a tensor is in both runs; one that is no single number by its norm."""
    shown = [row[f"{side}_number"] or f"of norm {row[f'{side}_norm']:.9g}" for side in ("resumed", "control")]
    return f"{row['name']} is {shown[0]}, the control's {shown[1]}"


def _positions(wanted: "pd.Series[bool]") -> list[int]:
    return [place for place, each in enumerate(wanted) if each]


def _is_lost(rows: pd.DataFrame) -> "pd.Series[bool]":
    """Return which tensors a restore cannot have filled: it did not ask for them, or the checkpoint does not hold them."""
    lost = [_is_no(asked) or _is_no(held) for asked, held in zip(rows["asked"], rows["held"], strict=True)]
    return pd.Series(lost, index=rows.index, dtype=bool)


def _is_no(known: bool | None) -> bool:
    return known is not None and not known


def apart(rows: pd.DataFrame) -> "pd.Series[bool]":
    """Return which tensors only one of the two processes holds, or has with another dtype or shape."""
    return (rows["control_dtype"] != rows["resumed_dtype"]) | (rows["control_shape"] != rows["resumed_shape"])


def by_stage(rows: pd.DataFrame) -> Iterator[tuple[Stage | None, pd.DataFrame]]:
    """Yield the tensors that were lost at each stage."""
    stages = [_stage(row) for _, row in rows.iterrows()]
    for stage in dict.fromkeys(stages):
        yield stage, rows[[each is stage for each in stages]]


def stage_of_all(rows: pd.DataFrame) -> Stage | None:
    """Return the stage of all rows, or None where they differ."""
    found = {_stage(row) for _, row in rows.iterrows()}
    return found.pop() if len(found) == 1 else None


def _stage(row: Any) -> Stage | None:
    if row["held"] is None:
        return None
    if not row["held"]:
        return Stage.OMITTED_AT_SAVE
    if row["equals"] == ANEW:  # whatever it was to be filled from, it has not been
        return Stage.NOT_APPLIED_AT_LOAD
    if row["asked"] is None:
        return None
    if not row["asked"]:
        return Stage.NOT_APPLIED_AT_LOAD
    if row["equals"] in (*OWN, ""):
        # A key tells nothing of its value: what was saved may have been another one already.
        return {True: Stage.OMITTED_AT_SAVE, False: Stage.OVERWRITTEN_AFTER_LOAD}.get(row["saved_so"])
    return Stage.OVERWRITTEN_AFTER_LOAD
