"""The report as workflow commands of GitHub Actions: an error annotation for each wrong case."""

from collections.abc import Sequence
from dataclasses import dataclass

from ckptcheck.report.outputs.job_source import place_of
from ckptcheck.report.report import Report
from ckptcheck.report.sentences import NOTHING, headline, story
from ckptcheck.report.warnings import of_cases
from ckptcheck.text_safety import clipped, in_one_line, legible

# GitHub shows the first ten annotations of each level in a step; the rest are only in the log.
MOST_SHOWN = 10
# GitHub's runner cuts a message at 4,096 characters; the checks API takes titles of up to 255.
MOST_OF_MESSAGE, MOST_OF_TITLE = 4000, 255


@dataclass(frozen=True)
class _Annotation:
    """A title, a message, and the file and line that it stands at, where known."""

    title: str
    text: str
    place: tuple[str, int | None] | None = None


def of_report(report: Report) -> list[str]:
    """Return a one-line command for each case that prevents a pass, and for each warning.

    If there are more than GitHub shows, the last one shown names the rest.
    """
    wrong = [case for case in report.cases if case.is_wrong]
    errors = [_Annotation(headline(case), story(case), place_of(case.job)) for case in wrong]
    if not report.cases:
        errors = [_Annotation("ckptcheck: inconclusive", NOTHING)]
    # A warning of a job is that of each of its cases.
    warned = {text: case for case in reversed(report.cases) for text in of_cases([case])}
    texts = dict.fromkeys(text for case in report.cases for text in of_cases([case]))
    warnings = [_Annotation(warned[text].name, text, place_of(warned[text].job)) for text in texts]
    return [*_commands("error", errors), *_commands("warning", warnings)]


def of_error(sentence: str) -> list[str]:
    """Return the command for a verification that failed with an error."""
    return _commands("error", [_Annotation("ckptcheck: not verified", sentence)])


def _commands(level: str, annotations: Sequence[_Annotation]) -> list[str]:
    shown = list(annotations)
    if len(shown) > MOST_SHOWN:
        rest = shown[MOST_SHOWN - 1 :]
        shown.insert(
            MOST_SHOWN - 1,
            _Annotation(
                f"ckptcheck: {len(rest)} more {level}s", _names([each.title for each in rest])
            ),
        )
    return [f"::{level} {_properties(each)}::{_message(each.text)}" for each in shown]


def _properties(annotation: _Annotation) -> str:
    file, line = annotation.place or (None, None)
    known = [f"file={_property(file)}"] if file else []
    known += [f"line={line}"] if line else []
    title = _property(clipped(in_one_line(annotation.title), MOST_OF_TITLE))
    return ",".join([*known, f"title={title}"])


def _names(titles: Sequence[str]) -> str:
    """List the titles, as many as fit in a message, and say how many more there are."""
    lines = [f"GitHub shows {MOST_SHOWN} annotations of a kind; the log has the texts of these:"]
    left = MOST_OF_MESSAGE - len(lines[0]) - len(f"\nand {len(titles)} more.")
    for index, title in enumerate(titles):
        line = clipped(in_one_line(title), MOST_OF_TITLE)
        left -= len(line) + 1
        if left < 0:
            return "\n".join([*lines, f"and {len(titles) - index} more."])
        lines.append(line)
    return "\n".join(lines)


def _property(text: str) -> str:
    return _escaped(text).replace(":", "%3A").replace(",", "%2C")


def _message(text: str) -> str:
    return _escaped(clipped(legible(text), MOST_OF_MESSAGE))


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
