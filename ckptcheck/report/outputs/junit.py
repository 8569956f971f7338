"""The report as JUnit XML, which CI servers show as a list of tests: one test for each case."""

import io
from collections.abc import Mapping

from junitparser import Error, Failure, JUnitXml, Skipped, TestCase, TestSuite

from ckptcheck.outcomes import INCONCLUSIVE
from ckptcheck.report.case import Case
from ckptcheck.report.report import Report
from ckptcheck.report.sentences import NOTHING, about_the_tool, headline, story
from ckptcheck.report.warnings import of_cases
from ckptcheck.text_safety import in_one_line, legible

NAME = "ckptcheck"


def of_report(report: Report, command: str = "") -> str:
    """Return JUnit XML: an unexpected outcome is a failure, an inconclusive case an error.

    What was left out is a test that is skipped.
    """
    # A report without cases is an error, too: an empty list of tests would look like a pass.
    tests = [_test(case) for case in report.cases] or [_error(NOTHING, INCONCLUSIVE)]
    tests += [_skipped(name, why, report) for name, why in report.told().left_out.items()]
    asked = {"command": command} if command else {}
    return _document(tests, asked | about_the_tool() | dict(report.environment))


def of_error(sentence: str, kind: str) -> str:
    """Return a JUnit XML document for a verification that failed with an error of type `kind`."""
    return _document([_error(sentence, kind)], {})


def _test(case: Case) -> TestCase:
    name, job = in_one_line(case.label if case.restore else case.job), in_one_line(case.job)
    test = TestCase(name, job, time=round(case.seconds, 3))
    text = legible(story(case))
    if case.is_wrong:
        result = (Error if case.outcome == INCONCLUSIVE else Failure)(headline(case), case.outcome)
        result.text = text
        test.result = result
    else:
        test.system_out = text
    if warnings := of_cases([case]):
        test.system_err = legible("\n".join(warnings))
    return test


def _skipped(name: str, why: str, report: Report) -> TestCase:
    job = report.cases[0].job if report.cases else NAME
    test = TestCase(in_one_line(name), in_one_line(job))
    test.result = Skipped(in_one_line(why))
    return test


def _error(sentence: str, kind: str) -> TestCase:
    test = TestCase(name="verify", classname=NAME)
    error = Error(in_one_line(sentence), in_one_line(kind))
    error.text = legible(sentence)
    test.result = error
    return test


def _document(tests: list[TestCase], properties: Mapping[str, str]) -> str:
    suite = TestSuite(NAME)
    for name, value in properties.items():
        suite.add_property(legible(name), legible(value))
    suite.add_testcases(tests)
    document = JUnitXml()
    document.add_testsuite(suite)
    document.update_statistics()  # type: ignore[no-untyped-call]
    written = io.BytesIO()
    document.write(written, pretty=True)
    return written.getvalue().decode("utf-8")
