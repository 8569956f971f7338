"""The verdict as a value: what each case did, whether that was expected, and the same as JSON, tables or an assertion."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ckptcheck.outcomes import EXIT_CODES, FAIL, INCONCLUSIVE, PASS, RECOVERED
from ckptcheck.report import tables, warnings
from ckptcheck.report.case import Case
from ckptcheck.report.sentences import NOTHING, story

if TYPE_CHECKING:
    import pandas as pd

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Report:
    """What a verification found. Ask for the `verdict`, or call one of the assertions."""

    cases: tuple[Case, ...]
    environment: Mapping[str, str]

    @property
    def verdict(self) -> str:
        """`pass`: each case did what was expected; `fail`: one did something else; `inconclusive`: one cannot be judged."""
        if any(not case.as_expected and case.outcome != INCONCLUSIVE for case in self.cases):
            return FAIL
        if not self.cases or any(case.outcome == INCONCLUSIVE for case in self.cases):
            return INCONCLUSIVE
        return PASS

    @property
    def exit_code(self) -> int:
        """0, 1 or 3, as the command line returns it."""
        return EXIT_CODES[self.verdict]

    def assert_recovered(self) -> None:
        """Raise an AssertionError, with the whole story in its text, unless every case recovered exactly."""
        __tracebackhide__ = True
        self._assert([case for case in self.cases if case.outcome != RECOVERED], "did not recover")

    def assert_as_expected(self) -> None:
        """Raise an AssertionError, with the whole story in its text, unless every case had its expected outcome."""
        __tracebackhide__ = True
        self._assert(
            [case for case in self.cases if not case.as_expected], "did not do what was expected"
        )

    def _assert(self, wrong: list[Case], what: str) -> None:
        __tracebackhide__ = True
        if not self.cases:
            raise AssertionError(NOTHING)
        if wrong:
            head = f"{len(wrong)} of {len(self.cases)} cases {what}."
            raise AssertionError("\n\n".join([head, *map(story, wrong)]))

    def document(self) -> dict[str, Any]:
        """Return the report as plain values: what `report.json` holds and `--json` prints."""
        document: dict[str, Any] = {
            "schema_version": SCHEMA_VERSION,
            "verdict": self.verdict,
            "environment": dict(self.environment),
            "cases": [finite(case.document()) for case in self.cases],
        }
        return document

    def to_json(self) -> str:
        """Return the report as one strict JSON document. NaN and infinities become null."""
        return json.dumps(self.document(), indent=2, allow_nan=False, ensure_ascii=False)

    def warnings(self) -> list[str]:
        """Return a sentence for each restore that leaves state out, and for what else a verdict does not say."""
        return warnings.of_cases(self.cases)

    def losses(self) -> "pd.DataFrame":
        """Return every training step after the boundary, of all cases, control beside resumed."""
        return tables.losses(self.cases)

    def tensors(self) -> "pd.DataFrame":
        """Return every compared tensor, at boundary and end, of all cases, control beside resumed."""
        return tables.tensors(self.cases)

    def evaluations(self) -> "pd.DataFrame":
        """Return every evaluation from the boundary on, of all cases, control beside resumed."""
        return tables.evaluations(self.cases)


def finite(value: Any) -> Any:
    """Replace what JSON has no word for: NaN and infinities."""
    if isinstance(value, dict):
        return {key: finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
