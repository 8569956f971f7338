"""The verdict as a value: what each case did, whether that was expected, and the same as JSON or as an assertion."""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import pandas as pd

from ckptcheck.comparison.compare import Comparison
from ckptcheck.comparison.noise_floor import Noise
from ckptcheck.diagnosis.cause import Diagnosis
from ckptcheck.kinds import Kind
from ckptcheck.outcomes import EXIT_CODES, FAIL, INCONCLUSIVE, PASS, RECOVERED
from ckptcheck.run.run import RECORDED, Run
from ckptcheck.tolerance import EXACT, Tolerance

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class RestoreError:
    """What a refused restore raised, and the keys it asked for that the checkpoint does not hold."""

    type: str
    message: str
    missing_keys: tuple[str, ...] = ()


@dataclass(frozen=True)
class Case:
    """One job with one restore: the outcome expected and found, and the evidence.

    `control`, `resumed` and `comparison` are None where there was no such run or nothing to compare; `reason` says why a
    case is inconclusive.
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
    # The state tensors that the restore does not ask for, and that so keep their initial values.
    not_covered: tuple[str, ...] = ()
    # The boundary it is resumed from, where its job is resumed from several; None: from the only one.
    boundary: int | None = None
    tolerance: Tolerance = EXACT
    # How far the job is from reproducing itself; None: its control was not run again.
    noise: Noise | None = None
    # Differences that somebody expects, and what was asked for and did not come about.
    allowed: tuple[Diagnosis, ...] = ()
    not_needed: tuple[str, ...] = ()
    # Where a control that never saves parts from this one, while nobody knows yet whether the job reproduces itself.
    parted_without_saves: str | None = None

    @property
    def name(self) -> str:
        """The case as people write it: `bn-nn × saver`; with several boundaries `bn-nn × saver @ 110`."""
        return f"{self.job} × {self.label}"

    @property
    def label(self) -> str:
        """The case among those of its job: `saver`; with several boundaries `saver @ 110`."""
        return self.restore if self.boundary is None else f"{self.restore} @ {self.boundary}"

    @property
    def as_expected(self) -> bool:
        """Whether the outcome is the expected one."""
        return self.outcome == self.expected

    @property
    def told_outcome(self) -> str:
        """The outcome as it is shown: what recovered for what is allowed is never shown as if it were exact."""
        return f"{self.outcome}, as allowed" if self.allowed and self.outcome == RECOVERED else self.outcome

    @property
    def not_shown(self) -> tuple[str, ...]:
        """The tensors of a recovered case that nobody asked for and that were at the boundary what they start as.

        Left out are hyperparameters, which a program sets, and the metrics of an epoch that has just begun.
        """
        if self.outcome != RECOVERED or self.comparison is None:
            return ()
        boundary = self.comparison.at("boundary")
        idle = boundary["kind"].isin([Kind.HYPERPARAMETER.value, Kind.METRIC.value])
        # What a generator has drawn it counts: where it stands still, nothing was drawn.
        idle |= (boundary["kind"] == Kind.RNG.value) & boundary["name"].isin(self.comparison.never_moved)
        shown = boundary["poisoned"].astype(bool) | (boundary["asked"] == True)  # noqa: E712  # or None
        return tuple(boundary["name"][~shown & ~idle])

    @property
    def boundary_eval(self) -> tuple[float, float] | None:
        """The evaluation losses of control and resumed run at the boundary, before any update."""
        if self.comparison is None or self.comparison.evaluations.empty:
            return None
        first = self.comparison.evaluations.iloc[0]
        return float(first["control_loss"]), float(first["resumed_loss"])

    def document(self) -> dict[str, Any]:
        """Return the case as plain values, as they stand in `report.json`."""
        schedule = self.control.facts.schedule if self.control else None
        return {
            "job": self.job,
            "restore": self.restore,
            "expected": self.expected,
            "outcome": self.outcome,
            "as_expected": self.as_expected,
            "reason": self.reason,
            "boundary_step": schedule.boundary if schedule else None,
            "steps": schedule.steps if schedule else None,
            "first_resumed_step": self.resumed.facts.first_step if self.resumed else None,
            **_counts(self.comparison),
            "tolerance": asdict(self.tolerance),
            "noise": self.noise.document() if self.noise else None,
            "digests": {point: dict(pair) for point, pair in self.digests.items()},
            "not_covered": list(self.not_covered),
            "diagnoses": [asdict(each) for each in self.diagnoses],
            "allowed": [asdict(each) for each in self.allowed],
            "error": asdict(self.error) if self.error else None,
        }


@dataclass(frozen=True)
class Report:
    """What a verification found. Ask for the `verdict`, or call one of the assertions."""

    cases: tuple[Case, ...]
    environment: Mapping[str, str]

    @property
    def verdict(self) -> str:
        """`pass`: each case did what was expected; `fail`: one did something else; `inconclusive`: one cannot be judged."""
        if any(not case.as_expected and case.outcome != INCONCLUSIVE for case in self.cases):
            return FAIL
        if not self.cases or any(case.outcome == INCONCLUSIVE for case in self.cases):
            return INCONCLUSIVE
        return PASS

    @property
    def exit_code(self) -> int:
        """0, 1 or 3, as the command line returns it."""
        return EXIT_CODES[self.verdict]

    def assert_recovered(self) -> None:
        """Raise an AssertionError, with the whole story in its text, unless every case recovered exactly."""
        __tracebackhide__ = True
        self._assert([case for case in self.cases if case.outcome != RECOVERED], "did not recover")

    def assert_as_expected(self) -> None:
        """Raise an AssertionError, with the whole story in its text, unless every case had its expected outcome."""
        __tracebackhide__ = True
        self._assert([case for case in self.cases if not case.as_expected], "did not do what was expected")

    def _assert(self, wrong: list[Case], what: str) -> None:
        __tracebackhide__ = True
        if not self.cases:
            raise AssertionError("No case was verified, so nothing is known to recover.")
        if wrong:
            head = f"{len(wrong)} of {len(self.cases)} cases {what}."
            raise AssertionError("\n\n".join([head, *(story(case) for case in wrong)]))

    def document(self) -> dict[str, Any]:
        """Return the report as plain values: what `report.json` holds and `--json` prints."""
        document = {
            "schema_version": SCHEMA_VERSION,
            "verdict": self.verdict,
            "environment": dict(self.environment),
            "cases": [case.document() for case in self.cases],
        }
        plain: dict[str, Any] = finite(document)
        return plain

    def to_json(self) -> str:
        """Return the report as one strict JSON document. NaN and infinities become null."""
        return json.dumps(self.document(), indent=2, allow_nan=False, ensure_ascii=False)

    def warnings(self) -> list[str]:
        """Return a sentence for each restore that leaves state out, and for what else a verdict does not say."""
        # What holds at every boundary is said once.
        found = dict.fromkeys(f"{case.job} × {case.restore}: {text}" for case in self.cases for text in _warnings(case))
        return [*found, *(f"{text} is allowed, and nothing of that kind was found." for text in self._not_needed())]

    def _not_needed(self) -> list[str]:
        """Return what is allowed and came about in no case."""
        compared = [case.not_needed for case in self.cases if case.comparison is not None]
        return [text for text in (compared[0] if compared else ()) if all(text in each for each in compared)]

    def losses(self) -> pd.DataFrame:
        """Return every training step after the boundary, of all cases, control beside resumed."""
        return _stacked(self.cases, "losses")

    def tensors(self) -> pd.DataFrame:
        """Return every compared tensor, at boundary and end, of all cases, control beside resumed."""
        return _stacked(self.cases, "tensors")

    def evaluations(self) -> pd.DataFrame:
        """Return every evaluation from the boundary on, of all cases, control beside resumed."""
        return _stacked(self.cases, "evaluations")


def _warnings(case: Case) -> list[str]:
    found = []
    if case.comparison is not None and case.comparison.evaluations.empty:
        found.append(
            "no evaluation loss was recorded by both runs: state that only evaluation reads is compared by its tensors alone."
        )
    if case.control is not None and case.resumed is not None:
        seeds = {run.facts.hash_seed for run in (case.control, case.resumed)}
        if case.control.facts.role == RECORDED and len(seeds) == 1 and seeds != {"random"}:
            found.append(
                f"both runs had PYTHONHASHSEED={seeds.pop()}, so what depends on the order of sets would not show. "
                "Set it to another value for the resumed run."
            )
    if case.comparison is not None and case.comparison.renamed:
        ours, theirs = next(iter(case.comparison.renamed.items()))
        found.append(
            f"{len(case.comparison.renamed)} tensors have other names in the resumed run ({theirs} for {ours}); they are "
            "compared as the same."
        )
    if case.parted_without_saves and case.noise is not None:
        found.append(
            f"whether saving changes the run cannot be told: without saves, {case.parted_without_saves}, but the job does not "
            "reproduce itself with them either."
        )
    changed = tuple(case.control.facts.changed_by_evaluation) if case.control else ()
    if changed:
        found.append(
            f"the evaluation changes {some(changed)}, and with it the training after the boundary, where a training run may "
            "not evaluate."
        )
    if case.not_shown and case.comparison is not None:
        found.append(
            f"{len(case.not_shown)} of {len(case.comparison.at('boundary'))} tensors have at the boundary the value they "
            f"start with, so nothing shows that they come back: {some(case.not_shown)}. Try another --boundary."
        )
    if case.not_covered and case.control:
        found.append(
            f"the restore does not cover {len(case.not_covered)} of {len(case.control.boundary)} tensors, which keep their "
            f"initial values: {some(case.not_covered)}."
        )
    return found


def story(case: Case) -> str:
    """Tell one case in plain text that stands by itself in a CI log."""
    lines = [f"{case.name}: {case.told_outcome} (expected: {case.expected})"]
    lines += [f"  allowed: {each.cause}: {each.sentence}" for each in case.allowed]
    if case.reason:
        lines.append(f"  {case.reason}")
    if case.comparison is not None:
        lines.append(f"  {measured(case.comparison)}")
    for each in case.diagnoses:
        stage = f" ({each.stage})" if each.stage else ""
        lines += [f"  {each.cause}{stage}: {each.sentence}", f"    Remedy: {each.remedy}"]
        if each.tensors:
            lines.append(f"    Tensors: {some(each.tensors)}")
    return "\n".join(lines)


def some(names: tuple[str, ...], most: int = 4) -> str:
    """List the first names, and say how many more there are."""
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def measured(comparison: Comparison) -> str:
    """Say in one sentence how much was compared and how much of it was equal."""
    boundary, losses = comparison.at("boundary"), comparison.losses
    evaluation = comparison.evaluations.iloc[0] if len(comparison.evaluations) else None
    evaluated = (
        ""
        if evaluation is None
        else f" and the evaluation loss is {evaluation['resumed_loss']:.6g} (control {evaluation['control_loss']:.6g})"
    )
    tensors, after = int(boundary["equal"].sum()), int(losses["equal"].sum())
    exact = bool(boundary["identical"].sum() == tensors and losses["identical"].sum() == after)
    equal = "bit-equal" if exact else "equal, within what is allowed"
    return (
        f"At the boundary {tensors} of {len(boundary)} tensors are {equal}{evaluated}; after it {after} of {len(losses)} "
        f"training losses are {equal}."
    )


def moving_statistics(comparison: Comparison) -> pd.DataFrame:
    """Return the moving means and variances at the boundary, by name."""
    boundary = comparison.at("boundary")
    return boundary[boundary["kind"] == Kind.MOVING_STATISTIC.value]


def _counts(comparison: Comparison | None) -> dict[str, Any]:
    if comparison is None:
        nothing = {"compared": 0, "equal": 0}
        return {
            "tensors": nothing | {"by_kind": {}},
            "final_tensors": nothing,
            "moving_statistics": [],
            "train_loss": nothing | {"first_difference": None, "max_abs_diff": None},
            "batches": nothing,
            "learning_rate": nothing,
            "eval_loss": None,
            "evaluations": nothing,
        }
    boundary, losses = comparison.at("boundary"), comparison.losses
    apart = losses[~losses["equal"].astype(bool)]
    first = comparison.evaluations.iloc[0] if len(comparison.evaluations) else None
    return {
        "tensors": _share(boundary) | {"by_kind": {kind: _share(rows) for kind, rows in boundary.groupby("kind")}},
        "final_tensors": _share(comparison.at("final")),
        "moving_statistics": moving_statistics(comparison)[
            ["name", "equal", "control_norm", "resumed_norm", "max_abs_diff"]
        ].to_dict("records"),
        "train_loss": _share(losses)
        | {
            "first_difference": int(apart.iloc[0]["control_step"]) if len(apart) else None,
            "max_abs_diff": float(losses["diff"].abs().max()),
        },
        "batches": _share(_shown(losses, "batch"), "batch_equal"),
        "learning_rate": _share(_shown(losses, "rate"), "rate_equal"),
        "eval_loss": None
        if first is None
        else {"control": float(first["control_loss"]), "resumed": float(first["resumed_loss"])},
        "evaluations": _share(comparison.evaluations),
    }


def _shown(losses: pd.DataFrame, what: str) -> pd.DataFrame:
    """Leave out the steps of which neither run shows it: nothing was compared there."""
    return losses[losses[f"control_{what}"].notna() | losses[f"resumed_{what}"].notna()]


def _share(rows: pd.DataFrame, column: str = "equal") -> dict[str, Any]:
    return {"compared": len(rows), "equal": int(rows[column].sum())}


def finite(value: Any) -> Any:
    """Replace what JSON has no word for: NaN and infinities."""
    if isinstance(value, dict):
        return {key: finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _stacked(cases: tuple[Case, ...], table: str) -> pd.DataFrame:
    tables = []
    for case in cases:
        if case.comparison is not None:
            rows: pd.DataFrame = getattr(case.comparison, table).copy()
            rows.insert(0, "job", case.job)
            rows.insert(1, "restore", case.restore)
            tables.append(rows)
    if not tables:
        return pd.DataFrame(columns=["job", "restore"])
    # A column that one case knows nothing of must not decide its type for the others; pandas 2 warns of that.
    known = [rows.dropna(axis="columns", how="all") for rows in tables]
    return pd.concat(known, ignore_index=True).reindex(columns=tables[0].columns)
