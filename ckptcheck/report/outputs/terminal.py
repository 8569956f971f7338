"""The report on a terminal: the cases, what was lost and how to fix it, and last the answer."""

import re
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from textwrap import shorten

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Column, Table
from rich.text import Text

from ckptcheck.comparison.noise_floor import MARGIN
from ckptcheck.counts import counted
from ckptcheck.diagnosis.catalogue import CAUSES
from ckptcheck.diagnosis.cause import Diagnosis
from ckptcheck.outcomes import DIVERGED, FAIL, INCONCLUSIVE, PASS, RECOVERED, REFUSED
from ckptcheck.report.answer import answer, verdict_line
from ckptcheck.report.case import Case, as_it_differs
from ckptcheck.report.outputs import moving_statistics
from ckptcheck.report.outputs.console import in_parts, numeric, print_trimmed, unruled
from ckptcheck.report.report import CONTROL_OF, TRAINED, Report
from ckptcheck.report.sentences import (
    by_remedy,
    explanation,
    heading,
    how_to_accept,
    listed,
    numbers,
    of_objects,
    short_names,
    some,
    unexpected,
    where_saved,
    why_accept_more,
)
from ckptcheck.text_safety import shown_in_lines

COLOURS = {RECOVERED: "green", DIVERGED: "magenta", REFUSED: "magenta", INCONCLUSIVE: "yellow"}
VERDICT_COLOURS = {PASS: "green", FAIL: "red", INCONCLUSIVE: "yellow"}
UNEXPECTED = "✗"
HEADS = ("tensors\nequal", "evaluation loss\nresumed, control", "training\nlosses equal")
BRIEF_HEADS = ("tensors\nequal", "evaluation\nloss", "training\nlosses\nequal")
COMPARED = "the state is compared there, losses from there on"
OF_FILES = "losses are compared from there on, the state at the end"
# In characters: the least of a column of names, and more than any table needs.
LEAST_OF_NAME, MOST_WIDTH = 6, 10_000
MOST_TENSORS = 3
MOST_OF_WARNING = 100  # in characters, of the first one in the line of --quiet
MOST_TENSORS_IF_VERBOSE = 20
MEANINGS = {
    RECOVERED: "continues bit for bit as if never interrupted",
    DIVERGED: "continues on a different trajectory",
    REFUSED: "the restore raises an error",
    INCONCLUSIVE: "unknown, for the reason given below",
}


def show(report: Report, console: Console, *, verbose: bool = False, where: str = "") -> None:
    """Print a report as wide as the console; `where` says where its files are."""
    table = _overview(report, console)
    parts: list[RenderableType] = [table, Text(), *_compared(report, verbose)]
    if verbose:
        parts += [Text(), *moving_statistics.tables(report.cases)]
    else:
        statistics = moving_statistics.summary(report.cases)
        parts += [*statistics[:1], *map(_indented, statistics[1:]), Text()]
    said = answer(report.cases)
    short = short_names(report.cases)
    # A reason that the answer gives is not printed twice.
    cases = [
        replace(case, reason=None) if (case.reason or "") in said else case for case in report.cases
    ]
    stories = [_story(group, short, verbose) for group in _alike(cases, verbose)]
    print_trimmed(console, *parts, *stories)
    if where:
        print(f"{shown_in_lines(where)}\n", file=console.file)  # not wrapped: a path is copied
    print_trimmed(console, Text(said, style="bold"))
    _print_verdict(report, console)


def show_line(report: Report, console: Console) -> None:
    """Print the verdict in one line, with the causes of what failed."""
    _print_verdict(report, console, causes=True, warnings=report.warnings())


def _print_verdict(
    report: Report, console: Console, *, causes: bool = False, warnings: Sequence[str] = ()
) -> None:
    line = verdict_line(report.cases, causes=causes)
    if warnings:
        begun = shorten(warnings[0], MOST_OF_WARNING, placeholder=" …")
        line += f" {counted(len(warnings), 'warning')}: {begun}"
    style = f"bold {VERDICT_COLOURS[report.verdict]}"
    # Elsewhere than on a terminal the verdict is one line, whatever its length.
    print_trimmed(console, Text(line, style=style), soft_wrap=not console.is_terminal)


# --- The cases, and what was compared -----------------------------------------------------------


def _overview(report: Report, console: Console) -> RenderableType:
    """Return the table of cases. Where it is too wide, heads and names are broken, never values."""
    table = _table(report, numbers, HEADS)
    if _excess(table, console) <= 0:
        return table
    for row in (numbers, _in_lines):
        brief = partial(_table, report, row, BRIEF_HEADS, padding=1)
        of_job, of_restore = MOST_WIDTH, MOST_WIDTH
        excess = _excess(brief(), console)
        if excess > 0:
            of_job = _room(short_names(report.cases).values(), excess)
            excess = _excess(brief(of_job), console)
        if excess > 0:
            of_restore = _room([case.label for case in report.cases], excess)
            excess = _excess(brief(of_job, of_restore), console)
        if excess <= 0:
            break
    return brief(of_job, of_restore, fold=excess > 0)


def _room(names: Iterable[str], excess: int) -> int:
    """Return how long a line of the names may be in a table that is wider than the console."""
    return max(LEAST_OF_NAME, max(map(len, names), default=0) - excess)


def _table(
    report: Report,
    row: Callable[[Case], Sequence[str]],
    heads: Sequence[str],
    of_job: int = MOST_WIDTH,
    of_restore: int = MOST_WIDTH,
    padding: int = 2,
    fold: bool = False,
) -> Table:
    names = short_names(report.cases)
    columns = [Column(head, overflow="fold") for head in ("job", "restore", "outcome")]
    counts = [
        Column(head, justify="right", overflow="fold") if fold else numeric(head) for head in heads
    ]
    table = unruled(*columns, *counts)
    table.padding = (0, padding, 0, 0)
    for case in report.cases:
        name, restore = in_parts(names[case.job], of_job), in_parts(case.label, of_restore)
        table.add_row(name, restore, _outcome(case), *row(case))
    for column in columns:
        column.min_width = min(LEAST_OF_NAME, _longest(column.header, *column.cells))
    for column in counts:
        column.min_width = _longest(*(word for cell in column.cells for word in str(cell).split()))
    return table


def _longest(*texts: object) -> int:
    return max((len(line) for text in texts for line in str(text).splitlines()), default=0)


def _in_lines(case: Case) -> tuple[str, str, str]:
    """Return the numbers of a case, its evaluation losses below each other."""
    tensors, evaluation, losses = numbers(case)
    resumed, sign, control = (*evaluation.split(" ", 2), "", "")[:3]
    return tensors, f"{resumed} {sign}\n{control}".rstrip().replace(", by", ",\nby"), losses


def _excess(table: Table, console: Console) -> int:
    """Return by how many characters a table is wider than the console."""
    unlimited = console.options.update(max_width=MOST_WIDTH)
    return console.measure(table, options=unlimited).maximum - console.width


def _outcome(case: Case) -> Text:
    outcome = Text(case.told_outcome, style=COLOURS[case.outcome])
    return outcome if case.as_expected else outcome.append(f" {UNEXPECTED}", style="bold red")


def _compared(report: Report, verbose: bool) -> list[RenderableType]:
    """Say what the table compares, and what counts as equal that is not bit-equal."""
    lines = [*(_meanings(report) if verbose else []), *_places(report), *_objects(report)]
    lines += [*_allowed(report), *_cached(report, verbose)]
    wrong = [case for case in report.cases if not case.as_expected]
    wanted = dict.fromkeys(case.expected for case in wrong if case.outcome != case.expected)
    meanings = [f"expected {listed(list(wanted), 'or')}"] if wanted else []
    if any(case.outcome == case.expected for case in wrong):
        meanings.append("the job is at fault")
    if meanings:
        lines.append(f"{UNEXPECTED}: {listed(meanings, 'or')}.")
    return [Text(line, style="dim") for line in lines]


def _cached(report: Report, verbose: bool) -> list[str]:
    """Name each control that was reused from a cache; if verbose, also why others were not."""
    return [
        f"The {name} was {note}."
        for name, note in report.environment.items()
        if name.startswith(CONTROL_OF) and (verbose or not note.startswith(TRAINED))
    ]


def _meanings(report: Report) -> list[str]:
    recovered = [case for case in report.cases if case.comparison and case.outcome == RECOVERED]
    meanings = dict(MEANINGS)
    if any(not case.comparison.exact and not case.allowed for case in recovered if case.comparison):
        meanings[RECOVERED] = "continues as if never interrupted, within what counts as equal"
    if any(case.allowed for case in recovered):
        meanings[RECOVERED] += "; as allowed: apart from accepted differences and what they cause"
    outcomes = {case.outcome for case in report.cases}
    return [f"{outcome}: {text}" for outcome, text in meanings.items() if outcome in outcomes]


def _places(report: Report) -> list[str]:
    """Say after which steps each job was saved, once for all jobs that were saved alike."""
    short = short_names(report.cases)
    jobs: dict[str, list[str]] = {}
    for case in report.cases:
        saved = where_saved(case.control) if case.control else ""
        if saved and short[case.job] not in jobs.setdefault(saved, []):
            jobs[saved].append(short[case.job])
    if len(jobs) == 1:
        of_files = any(case.control and case.control.facts.left for case in report.cases)
        (saved,) = jobs
        return [f"{saved.capitalize()}: {OF_FILES if of_files else COMPARED}."]
    lines = [f"{listed(names)}: {saved}." for saved, names in jobs.items()]
    return [*lines, f"{COMPARED.capitalize()}."] if lines else []


def _objects(report: Report) -> list[str]:
    """Say of each job which of its tensors are numbers that Python objects keep."""
    short = short_names(report.cases)
    said = {
        short[case.job]: of_objects(case.comparison) for case in report.cases if case.comparison
    }
    prefixes = {job: f"{job}: " if len(short) > 1 else "" for job in said}
    return [f"{prefixes[job]}{text}" for job, text in said.items() if text]


def _allowed(report: Report) -> list[str]:
    """Say what counts as equal without being bit-equal, where anything does."""
    tolerances = dict.fromkeys(case.tolerance.text for case in report.cases if case.tolerance.text)
    lines = [f"Equal means: within the tolerance {', '.join(tolerances)}."] if tolerances else []
    short = short_names(report.cases)
    for case in report.cases:
        noise = case.noise
        if noise and noise.first_difference and case.outcome in (RECOVERED, DIVERGED):
            lines.append(
                f"{short[case.job]} is not reproducible ({noise.first_difference}). Tensors at the "
                f"boundary are compared exactly. After it, equal means within {MARGIN:g} times the "
                f"largest difference among {noise.repeats + 1} controls: "
                f"{noise.training_loss:.3g} in the training loss, "
                f"{noise.evaluation_loss:.3g} in the evaluation loss."
            )
    return list(dict.fromkeys(lines))


# --- What was lost, and how to fix it -----------------------------------------------------------


def _alike(cases: Sequence[Case], verbose: bool) -> list[list[Case]]:
    """Return the cases with something to say, those of one job that say the same together."""
    groups: dict[Hashable, list[Case]] = {}
    told: Callable[[Diagnosis], Hashable] = (lambda each: each) if verbose else _cause
    for case in cases:
        if case.diagnoses or case.reason or case.allowed:
            found = tuple(map(told, case.diagnoses)), tuple(map(told, case.allowed))
            key = (case.job, case.outcome, case.expected, case.reason, case.acceptance, *found)
            groups.setdefault(key, []).append(case)
    return list(groups.values())


def _cause(diagnosis: Diagnosis) -> Hashable:
    return diagnosis.cause, diagnosis.stage, diagnosis.remedy


def _story(cases: Sequence[Case], short: Mapping[str, str], verbose: bool) -> RenderableType:
    case = cases[0]
    parts: list[RenderableType] = [Text(case.reason)] if case.reason else []
    parts += [_accepted(each, verbose) for each in case.allowed]
    for remedy, sharing in by_remedy(case.diagnoses).items():
        if verbose or case.is_wrong:
            parts += [_diagnosis(each, verbose) for each in sharing]
        else:
            parts += map(_brief, sharing)
        parts.append(_hanging("→", remedy))
    if any(each.diagnoses != case.diagnoses for each in cases):
        parts.append(Text(f"The numbers are those of {case.label}.", style="dim"))
    if verbose and (names := _undiagnosed(case)):
        parts.append(Text(f"In no diagnosis: {some(names, MOST_TENSORS_IF_VERBOSE)}", style="dim"))
    body: list[RenderableType] = [*map(_indented, parts)]
    if options := how_to_accept(case):
        body.append(_to_accept(options))
    if more := why_accept_more(case):
        body.append(_indented(Text(more)))
    return Group(_head(cases, short), *body, Text())


def _undiagnosed(case: Case) -> list[str]:
    """Return the tensors that differ at the boundary and that no diagnosis names."""
    named = {name for each in (*case.diagnoses, *case.allowed) for name in each.tensors}
    boundary = as_it_differs(case.comparison).boundary if case.comparison else ()
    return [row.name for row in boundary if not row.equal and row.name not in named]


def _indented(part: RenderableType) -> RenderableType:
    return Padding(part, (0, 0, 0, 2))


def _to_accept(options: str) -> Text:
    """Return the options in one line, however long, so that they can be copied."""
    text = Text.assemble("  ", ("To accept:", "bold"), f" {options}")
    text.no_wrap, text.overflow = True, "ignore"
    return text


def _head(cases: Sequence[Case], short: Mapping[str, str]) -> Text:
    case = cases[0]
    restores = f" × {', '.join(each.label for each in cases)}" if case.restore else ""
    name = f"{short[case.job]}{restores}"
    outcome = (case.told_outcome, COLOURS[case.outcome])
    if case.as_expected:
        expected = "" if case.allowed else ", as expected"
        return Text.assemble((name, "bold"), ": ", outcome, expected)
    mark = (UNEXPECTED, "bold red")
    return Text.assemble((name, "bold"), ": ", outcome, f"{unexpected(case)} ", mark)


def _brief(each: Diagnosis) -> Text:
    return Text.assemble((f"{heading(each)}:", "magenta"), f" {each.sentence}")


def _diagnosis(each: Diagnosis, verbose: bool) -> Text:
    text = explanation(each) if verbose else each.sentence
    return Text.assemble((f"{heading(each)}\n", "magenta"), text, _tensors(each, verbose))


def _accepted(each: Diagnosis, verbose: bool) -> Text:
    head = (f"{heading(each)}\n", "magenta")
    return Text.assemble(("accepted: ", "green"), head, each.sentence, _tensors(each, verbose))


def _tensors(each: Diagnosis, verbose: bool) -> tuple[str, str]:
    most = MOST_TENSORS_IF_VERBOSE if verbose else MOST_TENSORS
    return ("" if _names_all_tensors(each) else f"\n{some(each.tensors, most)}", "dim")


def _names_all_tensors(each: Diagnosis) -> bool:
    """Return whether the sentence has an example, which names every tensor in full."""
    if each.cause not in CAUSES or not CAUSES[each.cause].has_example:
        return not each.tensors
    return all(
        re.search(rf"(?<![\w/.:-]){re.escape(name)}(?![\w/-]|[.:]\w)", each.sentence)
        for name in each.tensors
    )


def _hanging(mark: str, text: str) -> RenderableType:
    """Return a text behind a mark, its further lines below its first word."""
    table = unruled(Column(no_wrap=True, style="bold"), Column(overflow="fold"), show_header=False)
    table.padding = (0, 1, 0, 0)
    table.add_row(mark, Text(text))
    return table
