"""The report as Markdown for the summary of a GitHub job: the verdict, a table by case, and the diagnoses to unfold.

A job, a restore or an exception can be called anything. In the table what Markdown gives a meaning is escaped; all else is
HTML without blank lines, in which Markdown sees nothing but the HTML.
"""

import html
import re
from collections.abc import Sequence

from ckptcheck.diagnosis.cause import Diagnosis
from ckptcheck.outcomes import INCONCLUSIVE
from ckptcheck.report.case import Case
from ckptcheck.report.report import Report
from ckptcheck.report.sentences import NOTHING, headline, measured, numbers, some
from ckptcheck.report.warnings import of_cases
from ckptcheck.text_safety import clipped, in_one_line, legible

# GitHub shows no summary of more than 1 MiB. These are bytes, and leave room for what else a step has to say.
MOST_OF_TABLE, MOST_OF_DETAILS, MOST_OF_WARNINGS = 350_000, 400_000, 100_000
# Characters, which can take six bytes each once they are escaped.
MOST_OF_TEXT, MOST_OF_ENVIRONMENT, MOST_OF_NAME = 4_000, 8_000, 300
MOST_TENSORS = 20

_HEADS = "| job | restore | outcome | tensors equal | evaluation loss: resumed, control | training losses equal |"
_RULES = "|---|---|---|--:|--:|--:|"
_MARKS = re.compile(r"([\\`*_~\[\]$])")


def of_report(report: Report) -> str:
    """Return a report as Markdown. What GitHub would not show is left out, and a sentence says how much that is."""
    parts = [f"## ckptcheck: {report.verdict}", _counted(report)]
    if report.cases:
        parts += [*_table(report.cases), *_details(report.cases), *_warnings(report.cases)]
    if report.environment:
        environment = "; ".join(f"{name}: {value}" for name, value in report.environment.items())
        parts.append(
            f"<details><summary>Environment</summary>{_html(environment, MOST_OF_ENVIRONMENT)}</details>"
        )
    return "\n\n".join(parts) + "\n"


def of_error(sentence: str) -> str:
    """Return Markdown for a verification that broke."""
    return f"## ckptcheck: not verified\n\n<p>{_html(sentence)}</p>\n"


def _counted(report: Report) -> str:
    if not report.cases:
        return NOTHING
    inconclusive = sum(case.outcome == INCONCLUSIVE for case in report.cases)
    wrong = sum(case.is_wrong for case in report.cases) - inconclusive
    total = len(report.cases)
    others = {"did not": wrong, "could not be judged": inconclusive}
    parts = [f"{count} {what}" for what, count in others.items() if count]
    return (
        ", ".join(
            [f"{total - wrong - inconclusive} of {total} cases did what was expected", *parts]
        )
        + "."
    )


def _table(cases: Sequence[Case]) -> list[str]:
    rows, left_out = _fitting(
        [(_row(case), case.is_wrong) for case in cases], MOST_OF_TABLE, "cases"
    )
    return ["\n".join([_HEADS, _RULES, *rows]), *left_out]


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
    """Return what there is to unfold of a case; one that did what was expected stays folded."""
    lines = [f"<p>{_html(case.reason)}</p>"] if case.reason else []
    # Where no diagnosis says what is wrong, as with a case that recovered unexpectedly, the numbers do.
    if case.comparison is not None and (case.diagnoses or case.allowed or case.is_wrong):
        lines.append(f"<p>{_html(measured(case.comparison))}</p>")
    lines += [_diagnosis(each) for each in case.diagnoses]
    lines += [
        f"<p>allowed: <b>{_html(each.cause)}</b><br>{_html(each.sentence)}</p>"
        for each in case.allowed
    ]
    if not lines:
        return ""
    opened = " open" if case.is_wrong else ""
    head = f"<details{opened}><summary>{_html(headline(case), MOST_OF_NAME)}</summary>"
    return "\n".join([head, *lines, "</details>"])


def _diagnosis(each: Diagnosis) -> str:
    stage = f" ({_html(each.stage)})" if each.stage else ""
    lines = [
        f"<b>{_html(each.cause)}</b>{stage}",
        _html(each.sentence),
        f"<b>Remedy:</b> {_html(each.remedy)}",
    ]
    if each.tensors:
        lines.append(f"<b>Tensors:</b> <code>{_html(some(each.tensors, MOST_TENSORS))}</code>")
    return f"<p>{'<br>'.join(lines)}</p>"


def _warnings(cases: Sequence[Case]) -> list[str]:
    items = [(f"<li>{_html(text)}</li>", False) for case in cases for text in of_cases([case])]
    if not items:
        return []
    kept, left_out = _fitting(items, MOST_OF_WARNINGS, "warnings")
    return ["\n".join(["<p><b>Warnings</b></p>", "<ul>", *kept, "</ul>"]), *left_out]


def _fitting(
    parts: Sequence[tuple[str, bool]], most: int, what: str
) -> tuple[list[str], list[str]]:
    """Return, in their order, the parts that fit into so many bytes, urgent ones first; and a sentence if any do not."""
    kept = []
    for index in sorted(range(len(parts)), key=lambda index: not parts[index][1]):
        # Two line breaks at most stand between one part and the next.
        size = len(parts[index][0].encode()) + 2
        if size <= most:
            most -= size
            kept.append(index)
    missing = len(parts) - len(kept)
    left_out = f"GitHub shows no summary of more than 1 MiB, so {missing} of {len(parts)} {what} are left out."
    return [parts[index][0] for index in sorted(kept)], [left_out] if missing else []


def _cell(text: str) -> str:
    """Escape a text for a cell of a Markdown table."""
    marked = _MARKS.sub(r"\\\1", html.escape(clipped(in_one_line(text), MOST_OF_NAME), quote=False))
    return marked.replace("|", "&#124;")


def _html(text: str, most: int = MOST_OF_TEXT) -> str:
    """Escape a text for HTML, in one line: a blank line would end the HTML."""
    lines = [in_one_line(line) for line in clipped(legible(text), most).splitlines()]
    return "<br>".join(html.escape(line, quote=False) for line in lines if line)
