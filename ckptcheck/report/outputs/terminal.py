"""The report as a person reads it on a terminal: a table by case, the moving statistics, then what was lost and why."""

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Column
from rich.text import Text

from ckptcheck.comparison.comparison import TensorComparison, moving_statistics
from ckptcheck.comparison.noise_floor import MARGIN
from ckptcheck.diagnosis.cause import Diagnosis
from ckptcheck.outcomes import DIVERGED, FAIL, INCONCLUSIVE, PASS, RECOVERED, REFUSED
from ckptcheck.report.case import Case
from ckptcheck.report.outputs.console import numeric, print_trimmed, unruled
from ckptcheck.report.report import Report
from ckptcheck.report.sentences import heading, numbers, some

COLOURS = {RECOVERED: "green", DIVERGED: "magenta", REFUSED: "magenta", INCONCLUSIVE: "yellow"}
VERDICTS = {
    PASS: ("green", "PASS: each case did what was expected of it."),
    FAIL: ("red", "FAIL: a case did not do what was expected of it."),
    INCONCLUSIVE: ("yellow", "INCONCLUSIVE: not every case could be judged."),
}
UNEXPECTED = "✗"
# The most restores whose moving statistics stand side by side if some of them need no look.
MOST_COLUMNS = 2
MEANINGS = {
    RECOVERED: "goes on as if nothing had happened, bit for bit",
    DIVERGED: "goes on, but as another run",
    REFUSED: "the restore raises an error",
    INCONCLUSIVE: "nothing can be said",
}


def show(report: Report, console: Console) -> None:
    """Print a report as wide as the console."""
    colour, sentence = VERDICTS[report.verdict]
    stories = map(_story, _alike(report))
    verdict = Text(sentence, style=f"bold {colour}")
    print_trimmed(
        console, "", _overview(report), _meanings(report), *_statistics(report), *stories, verdict
    )


def _overview(report: Report) -> RenderableType:
    names = [Column(head, overflow="fold") for head in ("job", "restore", "outcome")]
    table = unruled(
        *names,
        *map(
            numeric,
            ("tensors\nequal", "evaluation loss\nresumed, control", "training\nlosses equal"),
        ),
    )
    short = _short_names(report)
    for case in report.cases:
        table.add_row(short[case.job], case.label, _outcome(case), *numbers(case))
    return table


def _outcome(case: Case) -> Text:
    outcome = Text(case.told_outcome, style=COLOURS[case.outcome])
    return outcome if case.as_expected else outcome.append(f" {UNEXPECTED}", style="bold red")


def _short_names(report: Report) -> dict[str, str]:
    """Return what to call each job in a table: one of a user's own by its last name, where no other has the same."""
    names = list(dict.fromkeys(case.job for case in report.cases))
    last = {name: name.rpartition(":")[2] for name in names}
    return {
        name: last[name] if list(last.values()).count(last[name]) == 1 else name for name in names
    }


def _meanings(report: Report) -> RenderableType:
    outcomes = {case.outcome for case in report.cases}
    lines = [
        f"{outcome}: {meaning}" for outcome, meaning in MEANINGS.items() if outcome in outcomes
    ]
    recovered = [case for case in report.cases if case.comparison and case.outcome == RECOVERED]
    if any(case.allowed for case in recovered):
        lines[0] += "; as allowed: but for what is expected to differ, and what follows from it"
    if any(not case.comparison.exact and not case.allowed for case in recovered if case.comparison):
        lines[0] = f"{RECOVERED}: goes on as if nothing had happened, within what is allowed"
    wanted = dict.fromkeys(case.expected for case in report.cases if not case.as_expected)
    if wanted:
        lines.append(f"{UNEXPECTED}: not what was expected ({' or '.join(wanted)})")
    control = next((case.control for case in report.cases if case.control), None)
    if control:
        schedule = control.facts.schedule
        saved = f"Saved after step {', '.join(map(str, schedule.boundaries))} of {schedule.steps}. "
        compared = "Tensors and evaluation loss are compared there, before any update; training losses from there to the end."
        lines += [*_allowed(report), saved + compared]
    advice = _advice(report)
    recommended = Text(f"\n{advice}", style="green") if advice else Text()
    return Padding(Text("\n".join(lines), style="dim").append_text(recommended), (1, 0))


def _allowed(report: Report) -> list[str]:
    """Say what counted as equal that is not identical, where anything did."""
    tolerances = dict.fromkeys(case.tolerance.text for case in report.cases if case.tolerance.text)
    lines = (
        [f"Equal means within the tolerance asked for: {', '.join(tolerances)}."]
        if tolerances
        else []
    )
    for case in report.cases:
        noise = case.noise
        if noise and noise.first_difference and case.outcome in (RECOVERED, DIVERGED):
            lines.append(
                f"{case.name}: the job does not reproduce itself ({noise.first_difference}). Tensors at the boundary are "
                f"compared exactly; after it, equal means within {MARGIN:g} times what {noise.repeats + 1} runs of the "
                f"control are apart up to that step: in the end {noise.training_loss:.3g} in the training loss, "
                f"{noise.evaluation_loss:.3g} in the evaluation loss."
            )
    return lines


def _advice(report: Report) -> str:
    """Say which restores are good for training on: those that recovered from every boundary."""
    failed = {(case.job, case.restore) for case in report.cases if case.outcome != RECOVERED}
    good = dict.fromkeys(
        (case.job, case.restore) for case in report.cases if (case.job, case.restore) not in failed
    )
    short = _short_names(report)
    use = [
        f"{short[job]} with {' or '.join(restore for each, restore in good if each == job)}"
        for job in dict.fromkeys(job for job, _ in good)
    ]
    return f"To train on, restore {', '.join(use)}." if use else ""


# A restore and the moving statistics after it.
Restored = tuple[str, list[TensorComparison]]


def _statistics(report: Report) -> list[RenderableType]:
    """One table a job: the control's moving means and variances, and what each restore made of them."""
    by_job: dict[str, list[Restored]] = {}
    for case in report.cases:
        if case.comparison is not None and (statistics := moving_statistics(case.comparison)):
            by_job.setdefault(case.job, []).append((case.label, statistics))
    short = _short_names(report)
    return [Padding(_statistics_of(short[job], rows), (0, 0, 1, 0)) for job, rows in by_job.items()]


def _statistics_of(job: str, rows: list[Restored]) -> RenderableType:
    exact = [restore for restore, statistics in rows if all(row.equal for row in statistics)]
    if len(rows) > MOST_COLUMNS and exact:
        # What came back needs no columns of numbers.
        names = (
            dict.fromkeys(restore.partition(" @ ")[0] for restore in exact)
            if len(exact) == len(rows)
            else exact
        )
        text = Text(
            f"{job}: all {len(rows[0][1])} moving means and variances came back with {', '.join(names)}."
        )
        rest = [(restore, statistics) for restore, statistics in rows if restore not in exact]
        return Group(text, _statistics_of(job, rest)) if rest else text
    table = unruled(
        Column(overflow="fold"), *map(numeric, ("control", *(restore for restore, _ in rows)))
    )
    by_name = [{row.name: row for row in statistics} for _, statistics in rows]
    for name, row in by_name[0].items():
        table.add_row(
            name,
            f"{row.control_norm:.4g}",
            *(_statistic(restored.get(name)) for restored in by_name),
        )
    return Group(
        Text(
            f"{job}: norms of the moving means and variances right after the restore", style="bold"
        ),
        table,
    )


def _statistic(row: TensorComparison | None) -> Text:
    if row is None:
        return Text("gone", style="magenta")
    if row.equal:
        return Text(f"= {row.resumed_norm:.4g}")
    return Text(f"{row.resumed_norm:.4g}, off by {row.max_abs_diff:.3g}", style="magenta")


def _alike(report: Report) -> list[list[Case]]:
    """Return the cases of which there is something to tell, those of one job together that have the same to tell."""
    groups: dict[tuple[object, ...], list[Case]] = {}
    for case in report.cases:
        if case.diagnoses or case.reason or case.allowed:
            told = (case.job, case.outcome, case.reason, case.diagnoses, case.allowed)
            groups.setdefault(told, []).append(case)
    return list(groups.values())


def _story(cases: list[Case]) -> RenderableType:
    case = cases[0]
    name = f"{case.job} × {', '.join(each.label for each in cases)}"
    head = Text.assemble((name, "bold"), ": ", (case.told_outcome, COLOURS[case.outcome]))
    reason = [Text(case.reason)] if case.reason else []
    parts = [*reason, *map(_diagnosis, case.diagnoses), *map(_allowed_difference, case.allowed)]
    return Padding(Group(head, *(Padding(part, (0, 0, 0, 2)) for part in parts)), (0, 0, 1, 0))


def _allowed_difference(each: Diagnosis) -> Text:
    return Text.assemble(
        ("allowed: ", "green"), (each.cause, "magenta"), f"\n{each.sentence}", _tensors(each)
    )


def _diagnosis(each: Diagnosis) -> Text:
    head = (f"{heading(each)}\n", "magenta")
    return Text.assemble(head, each.sentence, "\n", ("→ ", "bold"), each.remedy, _tensors(each))


def _tensors(each: Diagnosis) -> tuple[str, str]:
    return (f"\n{some(each.tensors, 3)}" if each.tensors else "", "dim")
