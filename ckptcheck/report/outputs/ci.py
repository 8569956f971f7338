"""What a verification leaves for a CI server: JUnit, Markdown, annotations; also when the verification itself breaks."""

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ckptcheck.errors import CkptcheckError
from ckptcheck.report.outputs.folder import single_file

if TYPE_CHECKING:
    from ckptcheck.report.report import Report

# Set by GitHub: the file whose text is shown on the page of the job, and whether this is a job at all.
SUMMARY = "GITHUB_STEP_SUMMARY"
ON_GITHUB = "GITHUB_ACTIONS"


@contextmanager
def ci_outputs(junit: Path | None, markdown: Path | None) -> Iterator[Callable[["Report"], None]]:
    """Yield what writes a report for CI servers; write what went wrong instead where an exception passes.

    Args:
        junit: file for JUnit XML.
        markdown: file for Markdown, which is appended to the summary of a GitHub job, too, where this is one.

    Raises:
        UsageError: a file cannot be written; found out before anything else is done.
    """
    with single_file(junit) as write_junit, single_file(markdown) as write_markdown:

        def tell(report: "Report") -> None:
            from ckptcheck.report.outputs import github as annotations
            from ckptcheck.report.outputs import markdown as in_markdown

            if junit is not None:
                from ckptcheck.report.outputs import junit as in_junit

                write_junit(in_junit.of_report(report))
            if markdown is not None:
                text = in_markdown.of_report(report)
                write_markdown(text)
                _append_to_summary(text)
            _annotate(annotations.of_report(report))

        try:
            yield tell
        except Exception as error:
            _tell_error(error, write_junit if junit else None, write_markdown if markdown else None)
            raise


def _tell_error(
    error: Exception, write_junit: Callable[[str], None] | None, write_markdown: Callable[[str], None] | None
) -> None:
    from ckptcheck.report.outputs import github as annotations
    from ckptcheck.report.outputs import markdown as in_markdown

    sentence = str(error) if isinstance(error, CkptcheckError) else f"{type(error).__name__}: {error}"
    if write_junit:
        from ckptcheck.report.outputs import junit as in_junit

        write_junit(in_junit.of_error(sentence, type(error).__name__))
    if write_markdown:
        write_markdown(in_markdown.of_error(sentence))
        _append_to_summary(in_markdown.of_error(sentence))
    _annotate(annotations.of_error(sentence))


def _append_to_summary(text: str) -> None:
    summary = os.environ.get(SUMMARY)
    if summary:
        with Path(summary).open("a", encoding="utf-8") as file:
            file.write(text + "\n")


def _annotate(commands: Sequence[str]) -> None:
    # On standard error: standard output may be one JSON document.
    if os.environ.get(ON_GITHUB) == "true":
        print(*commands, sep="\n", file=sys.stderr, flush=True)
