"""One judged case, as a value."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from ckptcheck.comparison.comparison import (
    FINAL,
    Comparison,
    StepComparison,
    TensorComparison,
    moving_statistics,
)
from ckptcheck.comparison.noise_floor import NoiseFloor
from ckptcheck.diagnosis.cause import Diagnosis
from ckptcheck.diagnosis.diagnose import is_of_job, not_comparable
from ckptcheck.kinds import Kind
from ckptcheck.outcomes import INCONCLUSIVE, RECOVERED
from ckptcheck.run.run import LOSSES, Run
from ckptcheck.tolerance import EXACT, Tolerance


@dataclass(frozen=True)
class RestoreError:
    """The exception of a refused restore, and the requested keys that the checkpoint lacks."""

    type: str
    message: str
    missing_keys: tuple[str, ...] = ()


@dataclass(frozen=True)
class Case:
    """One job with one restore: the expected outcome, the outcome, and the evidence.

    `reason` says why an inconclusive case is inconclusive, and what a second resume that fails
    shows of the first. `restore` is empty for a job that failed before it named its restores.
    """

    job: str
    restore: str
    expected: str
    outcome: str
    diagnoses: tuple[Diagnosis, ...] = ()
    reason: str | None = None
    error: RestoreError | None = None
    control: Run | None = field(default=None, repr=False)
    resumed: Run | None = field(default=None, repr=False)
    comparison: Comparison | None = field(default=None, repr=False)
    digests: Mapping[str, Mapping[str, str]] = field(default_factory=dict, repr=False)
    # The state tensors that the restore does not ask for, and that therefore keep initial values.
    not_covered: tuple[str, ...] = ()
    # The boundary it is resumed from, if its job is resumed from several; None: from the only one.
    boundary: int | None = None
    # The boundary of the first resume, if it is resumed twice: `boundary` is that of the second.
    after: int = 0
    # Of a second resume that fails: the outcome of the same restore from the control's checkpoint
    # of the same step; None: unknown.
    once: str | None = None
    # The rank of the process, if several train together; None: one process trains.
    rank: int | None = None
    tolerance: Tolerance = EXACT
    # Whether both runs were repeated without the evaluation at the boundary.
    unevaluated: bool = False
    # How far controls of the job differ from each other; None: the control ran only once.
    noise: NoiseFloor | None = None
    # Accepted differences, and what could have been accepted but did not occur.
    allowed: tuple[Diagnosis, ...] = ()
    not_needed: tuple[str, ...] = ()
    # Where a control that never saves differs, until it is known whether the job is reproducible.
    changed_by_saving: str | None = None
    # What to accept so that the diverged case recovers, already accepted causes and patterns
    # included; empty: nothing suffices.
    acceptance: tuple[str, ...] = ()
    # What became of each file outside the checkpoint folder: `new`, `changed` or `deleted`.
    wrote: Mapping[str, str] = field(default_factory=dict)
    # What else there is to say of it, in sentences: of a drill, what `fsck` found.
    notes: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The case by name: `bn-nn × saver`; with several boundaries, `bn-nn × saver @ 110`."""
        return f"{self.job} × {self.label}" if self.restore else self.job

    @property
    def label(self) -> str:
        """The name among the cases of the job: `saver`, `saver @ 110`, or `saver, twice`.

        With several ranks, it is `restart (rank 1)`.
        """
        if not self.restore:
            return "–"
        at = "" if self.boundary is None else f" @ {self.boundary}"
        rank = "" if self.rank is None else f" (rank {self.rank})"
        return f"{self.restore}{', twice' if self.after else at}{rank}"

    @property
    def as_expected(self) -> bool:
        """Whether the outcome is the expected one, and no fault of the job goes with a recovery."""
        return self.outcome == self.expected and not (self.outcome == RECOVERED and self.faults)

    @property
    def faults(self) -> tuple[Diagnosis, ...]:
        """The faults of the job itself, which it has with any restore; noise is none."""
        return tuple(each for each in self.diagnoses if is_of_job(each))

    @property
    def is_wrong(self) -> bool:
        """Whether the case keeps the verdict from being a pass."""
        return not self.as_expected or self.outcome == INCONCLUSIVE

    @property
    def told_outcome(self) -> str:
        """The outcome as it is shown: with accepted differences, it never looks exact."""
        return (
            f"{self.outcome}, as allowed"
            if self.allowed and self.outcome == RECOVERED
            else self.outcome
        )

    @property
    def not_shown(self) -> tuple[str, ...]:
        """The tensors that a recovered case may not have restored: they equal their initial values.

        Hyperparameters, which the program sets, and the metrics of a new epoch do not count.
        """
        if self.outcome != RECOVERED or self.comparison is None or self.comparison.is_of_files:
            return ()
        never_moved = self.comparison.never_moved
        return tuple(
            row.name
            for row in self.comparison.boundary
            if not (row.poisoned or row.asked)
            and row.kind not in (Kind.HYPERPARAMETER, Kind.METRIC)
            # What never moves has its initial value at every boundary. A sum of gradients may have
            # moved in between.
            and (row.kind is Kind.ACCUMULATOR or row.name not in never_moved)
        )

    @property
    def seconds(self) -> float:
        """How long the two runs of the case took; cases of one job share their control."""
        return sum(run.facts.seconds for run in (self.control, self.resumed) if run)

    @property
    def boundary_eval(self) -> tuple[float, float] | None:
        """The evaluation losses of control and resumed run at the boundary."""
        evaluation = self.comparison.evaluation if self.comparison else None
        return (evaluation.control_loss, evaluation.resumed_loss) if evaluation else None

    def document(self) -> dict[str, Any]:
        """Return the case as plain values, as `report.json` has them."""
        schedule = self.control.facts.schedule if self.control else None
        return {
            "job": self.job,
            "restore": self.restore or None,
            "rank": self.rank,
            "expected": self.expected,
            "outcome": self.outcome,
            "as_expected": self.as_expected,
            "reason": self.reason,
            "first_boundary_step": self.after or None,
            "boundary_step": schedule.boundary if schedule else None,
            "steps": schedule.steps if schedule else None,
            "first_resumed_step": self.resumed.facts.first_step if self.resumed else None,
            **_counts(self.comparison and as_it_differs(self.comparison)),
            "tolerance": asdict(self.tolerance),
            "noise": self.noise.document() if self.noise else None,
            "digests": {point: dict(pair) for point, pair in self.digests.items()},
            "not_covered": list(self.not_covered),
            "diagnoses": [asdict(each) for each in self.diagnoses],
            "allowed": [asdict(each) for each in self.allowed],
            "acceptance": list(self.acceptance),
            "error": asdict(self.error) if self.error else None,
        }


def as_it_differs(comparison: Comparison) -> Comparison:
    """Return a comparison in which no tensor is equal only because a pattern accepts it.

    Tensors that cannot be compared, because the first step creates them and differs, are absent.
    """
    accepted = {name for names in comparison.left_out.values() for name in names}
    absent = set(not_comparable(comparison))
    rows = (
        replace(row, equal=row.identical) if row.name in accepted else row
        for row in comparison.tensors
        if row.point == FINAL or row.name not in absent
    )
    return replace(comparison, tensors=tuple(rows))


def with_losses(comparison: Comparison) -> tuple[StepComparison, ...]:
    """Return the steps whose losses were compared; none where no loss was seen."""
    return () if LOSSES in comparison.unseen else comparison.steps


def _counts(comparison: Comparison | None) -> dict[str, Any]:
    """Return how much was compared and how much of it was equal."""
    boundary, final = (comparison.boundary, comparison.final) if comparison else ((), ())
    steps, evaluations = (comparison.steps, comparison.evaluations) if comparison else ((), ())
    losses = with_losses(comparison) if comparison else ()
    by_kind = {
        kind: _share(row.equal for row in boundary if row.kind is kind) for kind in sorted(Kind)
    }
    return {
        "tensors": _share(row.equal for row in boundary)
        | {"by_kind": {kind.value: share for kind, share in by_kind.items() if share["compared"]}},
        "final_tensors": _share(row.equal for row in final),
        "moving_statistics": [_statistic(row) for row in moving_statistics(comparison)]
        if comparison
        else [],
        "train_loss": _share(step.equal for step in losses)
        | {
            "first_difference": next((row.control_step for row in losses if not row.equal), None),
            "max_abs_diff": _largest(row.diff for row in losses) if losses else None,
        },
        "batches": _share(
            step.batch_equal
            for step in steps
            if step.control_batch is not None or step.resumed_batch is not None
        ),
        "learning_rate": _share(
            step.rate_equal
            for step in steps
            if _is_shown(step.control_rate) or _is_shown(step.resumed_rate)
        ),
        "eval_loss": {
            "control": evaluations[0].control_loss,
            "resumed": evaluations[0].resumed_loss,
        }
        if evaluations
        else None,
        "evaluations": _share(row.equal for row in evaluations),
    }


def _is_shown(rate: float | None) -> bool:
    return rate is not None and not math.isnan(rate)


def _share(equal: Iterable[bool]) -> dict[str, Any]:
    equal = list(equal)
    return {"compared": len(equal), "equal": sum(equal)}


def _statistic(row: TensorComparison) -> dict[str, Any]:
    return {
        name: getattr(row, name)
        for name in ("name", "equal", "control_norm", "resumed_norm", "max_abs_diff")
    }


def _largest(differences: Iterable[float]) -> float:
    """Return the largest absolute difference; NaN only if every difference is NaN."""
    return max(
        (abs(difference) for difference in differences if not math.isnan(difference)),
        default=math.nan,
    )
