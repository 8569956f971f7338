"""Write results for a CI server: JUnit, Markdown, annotations; also if the verification breaks."""

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ckptcheck.errors import CkptcheckError
from ckptcheck.report.outputs import github_annotations, junit, markdown
from ckptcheck.report.outputs.folder import single_file
from ckptcheck.report.report import Report


@contextmanager
def ci_outputs(
    junit_file: Path | None, markdown_file: Path | None, command: str = ""
) -> Iterator[Callable[[Report], None]]:
    """Yield a function that writes a report; an exception is written instead, and passes on.

    JUnit lists `command` among its properties. Raises `UsageError` at once if a file cannot be
    written.
    """
    with single_file(junit_file) as write_junit, single_file(markdown_file) as write_markdown:

        def write(report: Report) -> None:
            if junit_file is not None:
                write_junit(junit.of_report(report, command))
            if markdown_file is not None:
                _write_markdown(markdown.of_report(report), write_markdown)
            _annotate(github_annotations.of_report(report))

        try:
            yield write
        except Exception as error:
            sentence = (
                str(error)
                if isinstance(error, CkptcheckError)
                else f"{type(error).__name__}: {error}"
            )
            if junit_file is not None:
                write_junit(junit.of_error(sentence, type(error).__name__))
            if markdown_file is not None:
                _write_markdown(markdown.of_error(sentence), write_markdown)
            _annotate(github_annotations.of_error(sentence))
            raise


def _write_markdown(text: str, write: Callable[[str], None]) -> None:
    write(text)
    # GitHub sets it to the file that it shows on the page of the job.
    if summary := os.environ.get("GITHUB_STEP_SUMMARY"):
        with Path(summary).open("a", encoding="utf-8") as file:
            file.write(text + "\n")


def _annotate(commands: Sequence[str]) -> None:
    # Standard output may be one JSON document.
    if os.environ.get("GITHUB_ACTIONS") == "true":
        print(*commands, sep="\n", file=sys.stderr, flush=True)
