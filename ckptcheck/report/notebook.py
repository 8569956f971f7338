"""A report as a notebook displays it: a table of its cases, and the answer below."""

from collections.abc import Iterable, Sequence
from html import escape

from ckptcheck.report.answer import answer, verdict_line
from ckptcheck.report.case import Case
from ckptcheck.report.sentences import numbers, short_names, unexpected
from ckptcheck.text_safety import shown

HEADS = ("job", "restore", "outcome", "tensors equal", "evaluation loss", "training losses equal")


def as_text(cases: Sequence[Case]) -> str:
    """Return the answer and the verdict, the last lines of the report on a terminal."""
    said = answer(cases)
    return "\n".join([*([said] if said else []), verdict_line(cases)])


def as_html(cases: Sequence[Case]) -> str:
    """Return a table of the cases, and below it the answer and the verdict."""
    short = short_names(cases)
    rows = [
        (short[case.job], case.label, f"{case.told_outcome}{unexpected(case)}", *numbers(case))
        for case in cases
    ]
    head = _row("th", HEADS)
    body = "".join(_row("td", row) for row in rows)
    lines = "".join(f"<p>{_safe(line)}</p>" for line in as_text(cases).splitlines())
    return f"<table><thead>{head}</thead><tbody>{body}</tbody></table>{lines}"


def _row(tag: str, texts: Iterable[str]) -> str:
    return f"<tr>{''.join(f'<{tag}>{_safe(text)}</{tag}>' for text in texts)}</tr>"


def _safe(text: str) -> str:
    return escape(shown(text))
