"""The matrix: which planted defects the usual checks find, and which ckptcheck finds.

This file imports no TensorFlow.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ckptcheck import Case, Tolerance, judge_folder, verify
from ckptcheck.comparison.comparison import Comparison

from .planted import Planted

Causes = tuple[tuple[str, str | None], ...]


def compared(case: Case) -> Comparison:
    """Return the comparison of a case that has one."""
    assert case.comparison is not None
    return case.comparison


def first_loss(case: Case) -> bool:
    """Whether the first resumed loss differs from the control's by more than 10 %."""
    first = compared(case).steps[0]
    return abs(first.diff) > 0.1 * abs(first.control_loss)


def from_the_middle(case: Case) -> bool:
    """Whether a loss in the second half differs by more than 5 %: Megatron's rule."""
    steps = compared(case).steps
    later = steps[len(steps) // 2 :]
    return any(
        abs(step.diff) > 0.05 * abs(step.control_loss) or math.isnan(step.resumed_loss)
        for step in later
    )


def every_loss(case: Case) -> bool:
    """Whether any training loss is not bitwise identical."""
    return not all(step.identical for step in compared(case).steps)


def every_loss_and_evaluation(case: Case) -> bool:
    """Whether any training loss or evaluation is not bitwise identical."""
    return every_loss(case) or not all(row.identical for row in compared(case).evaluations)


METHODS: Mapping[str, Callable[[Case], bool]] = {
    "first loss, 10 %": first_loss,
    "from the middle, 5 %": from_the_middle,
    "losses, bit-exact": every_loss,
    "… and evaluation": every_loss_and_evaluation,
}


@dataclass(frozen=True)
class Row:
    """The result of one planted defect, pair or clean case in one variant."""

    planted: Planted
    variant: int
    outcome: str
    found: Causes
    by_method: tuple[bool, ...]

    @property
    def detected(self) -> bool:
        """Whether ckptcheck reports anything wrong."""
        return self.outcome != "recovered" or bool(self.found)

    @property
    def right_cause(self) -> bool:
        """Whether ckptcheck names every planted cause, and no other."""
        return sorted(cause for cause, _ in self.found) == sorted(
            cause for cause, _ in self.planted.causes
        )

    @property
    def right_stage(self) -> bool:
        """Whether ckptcheck also names the right stage of every cause."""
        return sorted(map(str, self.found)) == sorted(map(str, self.planted.causes))


def run(planted: Sequence[Planted], variant: int, folder: Path) -> list[Row]:
    """Verify everything planted in one variant, with one verification for each module of jobs."""
    rows: list[Row] = []
    for module in dict.fromkeys(each.module for each in planted):
        here = [each for each in planted if each.module == module]
        targets = {each.target(variant): None for each in here if not each.settings.get("repeat")}
        cases = by_restore(verify(list(targets), folder=folder / module).cases)
        skipped = set(cases) - {(each.target(variant), each.restore) for each in here}
        if skipped:
            raise KeyError(f"no expected causes for {sorted(skipped)}")
        rows += [_verified(each, variant, folder, folder / module, cases) for each in here]
    return rows


def run_some(planted: Sequence[Planted], variant: int, folder: Path) -> list[Row]:
    """Verify some restores of their jobs, with one verification for each set of restores."""
    rows: list[Row] = []
    restores: dict[str, list[str]] = {}
    for each in planted:
        if not each.settings.get("repeat"):
            restores.setdefault(each.target(variant), []).append(each.restore)
    for number, wanted in enumerate({tuple(dict.fromkeys(each)) for each in restores.values()}):
        targets = [
            target for target, each in restores.items() if tuple(dict.fromkeys(each)) == wanted
        ]
        place = folder / str(number)
        cases = by_restore(verify(targets, wanted, folder=place).cases)
        rows += [
            _verified(each, variant, folder, place, cases)
            for each in planted
            if each.target(variant) in targets
        ]
    repeated = [each for each in planted if each.settings.get("repeat")]
    return rows + [_verified(each, variant, folder, folder, {}) for each in repeated]


def by_restore(cases: Iterable[Case]) -> dict[tuple[str, str], Case]:
    """Return cases by job and restore."""
    return {(case.job, case.restore): case for case in cases}


def _verified(
    planted: Planted, variant: int, folder: Path, runs: Path, cases: Mapping[tuple[str, str], Case]
) -> Row:
    """Take the case of a planted job.

    With settings, judge its runs again; with `repeat` among them, make new runs.
    """
    target, settings = planted.target(variant), dict(planted.settings)
    if not settings:
        return _row(planted, variant, cases[target, planted.restore])
    if "repeat" in settings:
        place = folder / f"{planted.job}-repeated"
        return _row(
            planted, variant, verify(target, planted.restore, folder=place, **settings).cases[0]
        )
    allow = settings.pop("allow", ())
    report = judge_folder(runs, [planted.restore], tolerance=Tolerance(**settings), allow=allow)
    return _row(planted, variant, by_restore(report.cases)[target, planted.restore])


def _row(planted: Planted, variant: int, case: Case) -> Row:
    found = tuple((each.cause, each.stage) for each in case.diagnoses)
    # Every method notices a run that does not finish.
    by_method = tuple(case.comparison is None or method(case) for method in METHODS.values())
    return Row(planted, variant, case.outcome, found, by_method)


def by_cause(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """Return the rows of single defects by their first planted cause."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        if row.planted.what == "defect":
            groups.setdefault(row.planted.causes[0][0], []).append(row)
    return groups


def table(rows: Sequence[Row]) -> str:
    """Return the matrix as a Markdown table, a line for each cause, then pairs, sums and clean cases."""
    heads = ["planted", "cases", *METHODS, "ckptcheck", "right cause", "right stage"]
    lines = ["| " + " | ".join(heads) + " |", "|---|" + "--:|" * (len(heads) - 1)]
    lines += [_line(f"`{cause}`", group) for cause, group in sorted(by_cause(rows).items())]
    pairs = [row for row in rows if row.planted.what == "pair"]
    defects = [row for row in rows if row.planted.what != "clean"]
    clean = [row for row in rows if row.planted.what == "clean"]
    lines += [_line("pairs of defects", pairs)] if pairs else []
    lines += [_line("**all planted defects**", defects)] if defects else []
    alarms = [str(sum(column)) for column in zip(*(row.by_method for row in clean), strict=True)]
    if clean:
        ours = [str(sum(row.detected for row in clean)), "", ""]
        cells = ["false alarms in clean cases", str(len(clean)), *alarms, *ours]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _line(name: str, rows: Sequence[Row]) -> str:
    by_method = [str(sum(column)) for column in zip(*(row.by_method for row in rows), strict=True)]
    ours = [
        sum(row.detected for row in rows),
        sum(row.right_cause for row in rows),
        sum(row.right_stage for row in rows),
    ]
    return "| " + " | ".join([name, str(len(rows)), *by_method, *map(str, ours)]) + " |"


def wrong(rows: Sequence[Row]) -> list[str]:
    """Return a line for each row whose causes or stages differ from the planted ones."""
    return [
        f"{row.planted.module}:{row.planted.job}_{row.variant} × {row.planted.restore}: {row.outcome}, found {list(row.found)}, "
        f"planted {list(row.planted.causes)}"
        for row in rows
        if not row.right_stage or (row.detected != (row.planted.what != "clean"))
    ]
