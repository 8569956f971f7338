"""What a comparison shows, as the looks for causes ask for it; what one of them has explained, the next does not see."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import pandas as pd

from ckptcheck.causes import Stage
from ckptcheck.compare import Comparison
from ckptcheck.diagnosis import Diagnosis
from ckptcheck.instead import ANEW, FRESH, INITIAL, OWN
from ckptcheck.job import Kind


@dataclass(frozen=True)
class Evidence:
    """A comparison, and what has been found in it so far."""

    comparison: Comparison
    found: tuple[Diagnosis, ...] = ()

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
        return {name for each in self.found for name in each.tensors}

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
        initial = moved["equals"].isin([INITIAL, FRESH])
        overwritten = stage_of_all(moved) is Stage.OVERWRITTEN_AFTER_LOAD and not moved["equal"].any() and initial.any()
        return bool(initial.all() or overwritten)

    @property
    def own(self) -> list[str]:
        """The words for values of the new process's own.

        What is made only in the first step, and compared after it, may differ for what that step was made with.
        """
        return [word for word in OWN if word != ANEW or not self.first_step_was_another]

    @property
    def first_step_was_another(self) -> bool:
        """Whether the first step was made with anything else than the control's, apart from what the optimizer holds."""
        harmless = self.boundary["late"] | self.boundary["kind"].isin(
            [kind.value for kind in (Kind.SLOT, Kind.COUNTER, Kind.METRIC, Kind.HYPERPARAMETER, Kind.PYTHON)]
        )
        # The rate is left out: slots of most optimizers do not depend on it, and it follows a counter lost with them.
        step = self.comparison.losses[["batch_equal", "draws_equal"]].iloc[:1]
        return not (self.boundary["equal"] | harmless).all() or not step.all(axis=None)

    @property
    def counters_equal(self) -> bool:
        """Whether every counter came back."""
        return bool(self.of_kind(Kind.COUNTER)["equal"].all())


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
    return Stage.OVERWRITTEN_AFTER_LOAD if row["asked"] else Stage.NOT_APPLIED_AT_LOAD
