"""A report as a notebook displays it: a table of its cases, and the answer below."""

from collections.abc import Iterable, Sequence
from html import escape

from ckptcheck.report.case import Case
from ckptcheck.report.sentences import numbers, short_names, unexpected
from ckptcheck.report.told import Told
from ckptcheck.text_safety import shown

HEADS = ("job", "restore", "outcome", "tensors equal", "evaluation loss", "training losses equal")


def as_html(cases: Sequence[Case], told: Told) -> str:
    """Return a table of the cases, and below it the answer and the verdict."""
    heads, rows = (told.heads, told.rows) if told.heads else (HEADS, _rows(cases))
    head = _row("th", heads)
    body = "".join(_row("td", row) for row in rows)
    lines = "".join(f"<p>{_safe(line)}</p>" for line in told.text.splitlines())
    return f"<table><thead>{head}</thead><tbody>{body}</tbody></table>{lines}"


def _rows(cases: Sequence[Case]) -> Sequence[tuple[str, ...]]:
    short = short_names(cases)
    return [
        (short[case.job], case.label, f"{case.told_outcome}{unexpected(case)}", *numbers(case))
        for case in cases
    ]


def _row(tag: str, texts: Iterable[str]) -> str:
    return f"<tr>{''.join(f'<{tag}>{_safe(text)}</{tag}>' for text in texts)}</tr>"


def _safe(text: str) -> str:
    return escape(shown(text))
