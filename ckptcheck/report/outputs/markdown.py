"""The report as Markdown for the summary of a GitHub job: verdict, answer, cases, folded diagnoses.

Jobs, restores and exceptions can have any text. The table escapes what means something in Markdown;
all else is HTML without blank lines, which Markdown leaves alone.
"""

import html
import re
from collections.abc import Sequence

from ckptcheck.diagnosis.cause import Diagnosis
from ckptcheck.report.case import Case
from ckptcheck.report.report import Report
from ckptcheck.report.sentences import (
    by_remedy,
    explanation,
    heading,
    headline,
    how_to_accept,
    measured,
    numbers,
    some,
    why_accept_more,
)
from ckptcheck.report.told import Told
from ckptcheck.report.warnings import of_cases
from ckptcheck.text_safety import clipped, in_one_line, legible

# GitHub shows no summary above 1 MiB. In bytes, with room for other output of the step.
MOST_OF_TABLE, MOST_OF_DETAILS, MOST_OF_WARNINGS = 350_000, 400_000, 100_000
# In characters, each of which can take six bytes once it is escaped.
MOST_OF_TEXT, MOST_OF_ENVIRONMENT, MOST_OF_NAME = 4_000, 8_000, 300
MOST_TENSORS = 20

_HEADS = (
    "| job | restore | outcome | tensors equal | evaluation loss: resumed, control "
    "| training losses equal |"
)
_RULES = "|---|---|---|--:|--:|--:|"
_MARKS = re.compile(r"([\\`*_~\[\]$])")


def of_report(report: Report) -> str:
    """Return a report as Markdown, without what GitHub would not show, and a note on that."""
    told = report.told()
    # The heading never says "pass" above cases that failed, even as they should.
    parts = [f"## ckptcheck: {told.verdict.partition(':')[0].lower()}"]
    said = [f"<p>{_html(told.answer)}</p>"] if report.cases else []
    parts += [*said, f"<p><b>{_html(told.verdict)}</b></p>"]
    if report.cases:
        parts += [*_table(report.cases, told), *_details(report.cases), *_warnings(report.cases)]
    if report.environment:
        environment = "; ".join(f"{name}: {value}" for name, value in report.environment.items())
        shown = _html(environment, MOST_OF_ENVIRONMENT)
        parts.append(f"<details><summary>Environment</summary>{shown}</details>")
    return "\n\n".join(parts) + "\n"


def of_error(sentence: str) -> str:
    """Return Markdown for a verification that failed with an error."""
    return f"## ckptcheck: not verified\n\n<p>{_html(sentence)}</p>\n"


def _table(cases: Sequence[Case], told: Told) -> list[str]:
    heads, rules, rows = _HEADS, _RULES, [_row(case) for case in cases]
    if told.heads:
        heads, rules = _cells(told.heads), "|" + "---|" * len(told.heads)
        rows = [_cells(each) for each in told.rows]
    urgent = [case.is_wrong for case in cases]
    kept, left_out = _fitting(list(zip(rows, urgent, strict=True)), MOST_OF_TABLE, "cases")
    return ["\n".join([heads, rules, *kept]), *left_out]


def _cells(texts: Sequence[str]) -> str:
    return "| " + " | ".join(map(_cell, texts)) + " |"


def _row(case: Case) -> str:
    outcome = _cell(case.told_outcome)
    if case.is_wrong:
        outcome = f"**{outcome}**, expected {_cell(case.expected)}"
    return "| " + " | ".join([_cell(case.job), _cell(case.label), outcome, *numbers(case)]) + " |"


def _details(cases: Sequence[Case]) -> list[str]:
    blocks = [(block, case.is_wrong) for case in cases if (block := _detail(case))]
    kept, left_out = _fitting(blocks, MOST_OF_DETAILS, "cases with details")
    return [*kept, *left_out]


def _detail(case: Case) -> str:
    """Return the details of a case, folded unless it is wrong; empty if there are none."""
    lines = [f"<p>{_html(case.reason)}</p>"] if case.reason else []
    lines += [
        f"<p>Accepted: <b>{_html(each.cause)}</b><br>{_html(each.sentence)}</p>"
        for each in case.allowed
    ]
    # A case without a diagnosis, such as an unexpected recovery, has only its numbers to show.
    if case.comparison is not None and (case.diagnoses or case.allowed or case.is_wrong):
        lines.append(f"<p>{_html(measured(case.comparison))}</p>")
    for remedy, sharing in by_remedy(case.diagnoses).items():
        lines += map(_diagnosis, sharing)
        lines.append(f"<p><b>Remedy:</b> {_html(remedy)}</p>")
    if options := how_to_accept(case):
        more = f" {_html(why_accept_more(case))}".rstrip()
        lines.append(f"<p><b>To accept:</b> <code>{_escaped(options)}</code>{more}</p>")
    lines += [f"<p>{_html(note)}</p>" for note in case.notes]
    if not lines:
        return ""
    opened = " open" if case.is_wrong else ""
    head = f"<details{opened}><summary>{_html(headline(case), MOST_OF_NAME)}</summary>"
    return "\n".join([head, *lines, "</details>"])


def _diagnosis(each: Diagnosis) -> str:
    lines = [f"<b>{_html(heading(each))}</b>", _html(explanation(each))]
    if each.tensors:
        lines.append(f"<b>Tensors:</b> <code>{_escaped(some(each.tensors, MOST_TENSORS))}</code>")
    return f"<p>{'<br>'.join(lines)}</p>"


def _warnings(cases: Sequence[Case]) -> list[str]:
    texts = dict.fromkeys(text for case in cases for text in of_cases([case]))
    items = [(f"<li>{_html(text)}</li>", False) for text in texts]
    if not items:
        return []
    kept, left_out = _fitting(items, MOST_OF_WARNINGS, "warnings")
    return ["\n".join(["<p><b>Warnings</b></p>", "<ul>", *kept, "</ul>"]), *left_out]


def _fitting(
    parts: Sequence[tuple[str, bool]], most: int, what: str
) -> tuple[list[str], list[str]]:
    """Return the parts that fit into `most` bytes, urgent ones first, and a note on the rest."""
    kept = []
    for index in sorted(range(len(parts)), key=lambda index: not parts[index][1]):
        # At most two line breaks separate two parts.
        size = len(parts[index][0].encode()) + 2
        if size <= most:
            most -= size
            kept.append(index)
    missing = len(parts) - len(kept)
    note = f"GitHub shows no summary above 1 MiB, so {missing} of {len(parts)} {what} are left out."
    return [parts[index][0] for index in sorted(kept)], [note] if missing else []


def _cell(text: str) -> str:
    """Escape a text for a cell of a Markdown table."""
    marked = _MARKS.sub(r"\\\1", html.escape(clipped(in_one_line(text), MOST_OF_NAME), quote=False))
    return marked.replace("|", "&#124;")


def _html(text: str, most: int = MOST_OF_TEXT) -> str:
    """Return a text as HTML on one line, in which what stands in backticks is code."""
    return re.sub("`([^`<]+)`", r"<code>\1</code>", _escaped(text, most))


def _escaped(text: str, most: int = MOST_OF_TEXT) -> str:
    """Escape a text for HTML on one line: a blank line would end the HTML."""
    lines = [in_one_line(line) for line in clipped(legible(text), most).splitlines()]
    return "<br>".join(html.escape(line, quote=False) for line in lines if line)
