"""What every output says first of a report: the answer, the verdict, and a row for each case."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ckptcheck.report.answer import answer, verdict_line
from ckptcheck.report.case import Case


@dataclass(frozen=True)
class Told:
    """The words at the top of a report.

    Attributes:
        answer: the answer, in sentences; empty: there is none.
        verdict: the verdict and its counts, in a line.
        heads: the heads of a table with a row for each case; empty: of what a comparison shows.
        rows: its cells, in the order of the cases.
        left_out: what was not tried, each with the reason.
    """

    answer: str
    verdict: str
    heads: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    left_out: Mapping[str, str] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The answer and the verdict, the last lines of the report on a terminal."""
        return "\n".join(filter(None, (self.answer, self.verdict)))


def of_cases(cases: Sequence[Case]) -> Told:
    """Return what is said of a verification."""
    return Told(answer(cases), verdict_line(cases))
