"""The matrix: each planted defect by what people look at, and by ckptcheck. Needs no TensorFlow of its own."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ckptcheck import Case, Tolerance, judge_folder, verify
from ckptcheck.comparison.comparison import Comparison

from .planted import Planted

Told = tuple[tuple[str, str | None], ...]


def compared(case: Case) -> Comparison:
    """Return the comparison of a case that has one."""
    assert case.comparison is not None
    return case.comparison


def first_loss(case: Case) -> bool:
    """Whether the first resumed loss is more than 10 % off the control's of that step."""
    first = compared(case).steps[0]
    return abs(first.diff) > 0.1 * abs(first.control_loss)


def from_the_middle(case: Case) -> bool:
    """Whether a loss is more than 5 % off from the middle of the resumed run on: Megatron's rule."""
    steps = compared(case).steps
    later = steps[len(steps) // 2 :]
    return any(
        abs(step.diff) > 0.05 * abs(step.control_loss) or math.isnan(step.resumed_loss)
        for step in later
    )


def every_loss(case: Case) -> bool:
    """Whether a training loss differs in a bit."""
    return not all(step.identical for step in compared(case).steps)


def every_loss_and_evaluation(case: Case) -> bool:
    """Whether a training loss or an evaluation differs in a bit."""
    return every_loss(case) or not all(row.identical for row in compared(case).evaluations)


METHODS: Mapping[str, Callable[[Case], bool]] = {
    "first loss, 10 %": first_loss,
    "from the middle, 5 %": from_the_middle,
    "losses, bit-exact": every_loss,
    "… and evaluation": every_loss_and_evaluation,
}


@dataclass(frozen=True)
class Row:
    """What became of one planted defect, pair or clean case in one variant."""

    planted: Planted
    variant: int
    outcome: str
    found: Told
    by_method: tuple[bool, ...]

    @property
    def detected(self) -> bool:
        """Whether ckptcheck says that something is wrong."""
        return self.outcome != "recovered" or bool(self.found)

    @property
    def right_cause(self) -> bool:
        """Whether it names every cause, and no other."""
        return sorted(cause for cause, _ in self.found) == sorted(
            cause for cause, _ in self.planted.causes
        )

    @property
    def right_stage(self) -> bool:
        """Whether it has every stage right, too."""
        return sorted(map(str, self.found)) == sorted(map(str, self.planted.causes))


def run(planted: Sequence[Planted], variant: int, folder: Path) -> list[Row]:
    """Verify everything that is planted in one variant; each module of jobs is one verification."""
    rows: list[Row] = []
    for module in dict.fromkeys(each.module for each in planted):
        here = [each for each in planted if each.module == module]
        targets = {each.target(variant): None for each in here if not each.settings.get("repeat")}
        cases = by_restore(verify(list(targets), folder=folder / module).cases)
        skipped = set(cases) - {(each.target(variant), each.restore) for each in here}
        if skipped:
            raise KeyError(f"nothing is expected of {sorted(skipped)}")
        rows += [_told(each, variant, folder, folder / module, cases) for each in here]
    return rows


def run_some(planted: Sequence[Planted], variant: int, folder: Path) -> list[Row]:
    """Verify only some restores of their jobs; jobs with the same ones are one verification."""
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
            _told(each, variant, folder, place, cases)
            for each in planted
            if each.target(variant) in targets
        ]
    repeated = [each for each in planted if each.settings.get("repeat")]
    return rows + [_told(each, variant, folder, folder, {}) for each in repeated]


def by_restore(cases: Iterable[Case]) -> dict[tuple[str, str], Case]:
    """Return cases by job and restore."""
    return {(case.job, case.restore): case for case in cases}


def _told(
    planted: Planted, variant: int, folder: Path, runs: Path, cases: Mapping[tuple[str, str], Case]
) -> Row:
    """Take the case of what is planted, judge its runs as a clean case asks for, or make others where it asks for repetitions."""
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
    # A run that does not come back is seen by everybody.
    seen = tuple(case.comparison is None or method(case) for method in METHODS.values())
    return Row(planted, variant, case.outcome, found, seen)


def by_cause(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """Return the rows of single defects by the first cause that must be named."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        if row.planted.what == "defect":
            found.setdefault(row.planted.causes[0][0], []).append(row)
    return found


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
        told = [str(sum(row.detected for row in clean)), "", ""]
        lines.append(
            "| "
            + " | ".join(["false alarms in clean cases", str(len(clean)), *alarms, *told])
            + " |"
        )
    return "\n".join(lines)


def _line(name: str, rows: Sequence[Row]) -> str:
    seen = [str(sum(column)) for column in zip(*(row.by_method for row in rows), strict=True)]
    told = [
        sum(row.detected for row in rows),
        sum(row.right_cause for row in rows),
        sum(row.right_stage for row in rows),
    ]
    return "| " + " | ".join([name, str(len(rows)), *seen, *map(str, told)]) + " |"


def wrong(rows: Sequence[Row]) -> list[str]:
    """Return a line for each row that is not as it must be."""
    return [
        f"{row.planted.module}:{row.planted.job}_{row.variant} × {row.planted.restore}: {row.outcome}, told {list(row.found)}, "
        f"planted {list(row.planted.causes)}"
        for row in rows
        if not row.right_stage or (row.detected != (row.planted.what != "clean"))
    ]
