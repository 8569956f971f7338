"""The verdict as a value, with its cases, and all of it as JSON, tables or an assertion."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ckptcheck.counts import counted
from ckptcheck.outcomes import EXIT_CODES, FAIL, INCONCLUSIVE, PASS, RECOVERED
from ckptcheck.report import notebook, tables, warnings
from ckptcheck.report.answer import answer
from ckptcheck.report.case import Case
from ckptcheck.report.sentences import NOTHING, story
from ckptcheck.report.told import Told, of_cases
from ckptcheck.text_safety import shown_as_json, shown_in_lines

if TYPE_CHECKING:
    import pandas as pd

SCHEMA_VERSION = 1


# In the environment, what precedes the name of a job whose control a cache may hold, and what
# begins the note on a control that it did not hold.
CONTROL_OF, TRAINED = "control of ", "trained"


@dataclass(frozen=True, repr=False)
class Report:
    """The result of a verification: read its `verdict`, or call one of its assertions.

    Printed, it is the answer and the verdict; a notebook shows a table of its cases, too.
    """

    cases: tuple[Case, ...]
    environment: Mapping[str, str]

    def __repr__(self) -> str:
        return shown_in_lines(self.told().text)

    def _repr_html_(self) -> str:
        return notebook.as_html(self.cases, self.told())

    def told(self) -> Told:
        """Return what every output says first."""
        return of_cases(self.cases)

    @property
    def verdict(self) -> str:
        """`pass`: every case did what was expected; `fail`: one did not; else `inconclusive`."""
        if any(not case.as_expected and case.outcome != INCONCLUSIVE for case in self.cases):
            return FAIL
        if not self.cases or any(case.outcome == INCONCLUSIVE for case in self.cases):
            return INCONCLUSIVE
        return PASS

    @property
    def exit_code(self) -> int:
        """The exit code of the command line: 0, 1 or 3."""
        return EXIT_CODES[self.verdict]

    def assert_recovered(self) -> None:
        """Raise an AssertionError that explains each failure, unless every case recovered.

        A fault of the job itself is a failure, too.
        """
        __tracebackhide__ = True
        lost = [case for case in self.cases if case.outcome != RECOVERED or case.faults]
        recovered = any(case.outcome == RECOVERED for case in lost)
        self._assert(lost, f"did not recover{' without a fault' if recovered else ''}")

    def assert_as_expected(self) -> None:
        """Raise an AssertionError that explains each failure, unless every outcome was expected."""
        __tracebackhide__ = True
        self._assert(
            [case for case in self.cases if not case.as_expected], "did not do what was expected"
        )

    def _assert(self, wrong: list[Case], what: str) -> None:
        __tracebackhide__ = True
        if not self.cases:
            raise AssertionError(NOTHING)
        if wrong:
            total = counted(len(self.cases), "case")
            head = f"{len(wrong)} of {total} {what}.\n{answer(self.cases)}"
            raise AssertionError("\n\n".join([head, *map(story, wrong)]))

    def document(self) -> dict[str, Any]:
        """Return the report as plain values, as `report.json` and `--json` have them."""
        document: dict[str, Any] = {
            "schema_version": SCHEMA_VERSION,
            "verdict": self.verdict,
            "environment": dict(self.environment),
            "cases": [finite(case.document()) for case in self.cases],
        }
        return document

    def to_json(self) -> str:
        """Return the report as one strict JSON document, with null for NaN and infinities."""
        document = self.document()
        return shown_as_json(json.dumps(document, indent=2, allow_nan=False, ensure_ascii=False))

    def warnings(self) -> list[str]:
        """Return a sentence for each thing that the verdict does not cover."""
        return warnings.of_cases(self.cases)

    def losses(self) -> "pd.DataFrame":
        """Return every training step after the boundary in all cases, control beside resumed."""
        return tables.losses(self.cases)

    def tensors(self) -> "pd.DataFrame":
        """Return every tensor at boundary and end in all cases, control beside resumed."""
        return tables.tensors(self.cases)

    def evaluations(self) -> "pd.DataFrame":
        """Return every evaluation from the boundary on in all cases, control beside resumed."""
        return tables.evaluations(self.cases)


def finite(value: Any) -> Any:
    """Replace NaN and infinities, which JSON cannot express, by null."""
    if isinstance(value, dict):
        return {key: finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
