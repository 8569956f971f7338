"""What came of a drill: a row for each point, and the verdict on all of them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import Enum
from typing import Any

from ckptcheck.counts import counted, filled
from ckptcheck.filetools.fsck_findings import Finding
from ckptcheck.outcomes import FAIL, INCONCLUSIVE, PASS, RECOVERED
from ckptcheck.report.case import Case
from ckptcheck.report.report import Report, finite
from ckptcheck.report.sentences import listed, story
from ckptcheck.report.told import Told
from ckptcheck.report.warnings import of_cases

# Why things were left out, if not for the budget that the user gave.
INTERRUPTED = "The drill was interrupted."
LOST_WORK, BEGAN_ANEW = "lost work", "began anew"
# The outcomes that keep all that was saved.
GOOD = (RECOVERED, LOST_WORK)


class Cut(Enum):
    """What stopped the command."""

    IN_SAVE = "After a kill within a save"
    BETWEEN = "After a kill between two saves"
    POWER = "After a power failure"
    FAULT = "After a save that failed"


class Reaction(Enum):
    """What a command did when its save met a fault."""

    FAILED = "ended with an error"
    ENDED = "ended with exit status 0"
    SILENT = "made no step and did not end"
    SAID = "went on and reported an error"
    WENT_ON = "went on and reported no error"


@dataclass(frozen=True)
class Noticed:
    """Whether a command noticed a fault.

    Attributes:
        reaction: what it did.
        said: the error that it ended with, or the line of its output that tells of one.
        was_saved: whether the save came to pass all the same.
    """

    reaction: Reaction
    said: str = ""
    was_saved: bool = False

    @property
    def text(self) -> str:
        """What it did, as a row says it."""
        said = f": {self.said}" if self.said else ""
        saved = "; the save was made all the same" if self.was_saved else ""
        return f"it {self.reaction.value}{said}{saved}"


@dataclass(frozen=True)
class Row:
    """What came of a kill at one point, or of a fault.

    Attributes:
        point: the point that was asked for.
        on_disk: what of the save was on disk after the kill.
        outcome: `recovered`, `lost work` (recovered, but steps were made twice), `diverged`,
            `refused` (it cannot start again), `began anew` (from scratch, though something was
            saved) or `inconclusive`.
        killed_at: the steps done when it was killed, or ended because of the fault.
        went_on_at: the steps that the restarted run went on from; None: it made none.
        finished_at: the steps in the last save that was finished before the kill; 0: none was.
        seconds: how long the steps had taken that were made twice.
        reason: why, in a sentence, where no diagnosis says it; empty: nothing is to be said.
        findings: what `fsck` finds in what lay there, for a run that did not recover.
        cut: what stopped the command.
        alike: how many crash states are like this one, itself included.
        noticed: whether the command noticed the fault; None: it met none, or nothing is known.
        case: the case that was judged; None: nothing could be.
    """

    point: str
    on_disk: str
    outcome: str
    killed_at: int
    went_on_at: int | None = None
    finished_at: int = 0
    seconds: float = 0.0
    reason: str = ""
    findings: tuple[Finding, ...] = ()
    cut: Cut = Cut.BETWEEN
    alike: int = 1
    noticed: Noticed | None = None
    case: Case | None = field(default=None, repr=False)

    @property
    def twice(self) -> int | None:
        """The steps that were made twice; None: that is unknown."""
        return None if self.went_on_at is None else max(0, self.killed_at - self.went_on_at)

    @property
    def is_good(self) -> bool:
        """Whether no more was lost than the work since the last finished save."""
        if self.went_on_at is not None and self.went_on_at < self.finished_at:
            return False
        return self.outcome in GOOD and not (self.case is not None and self.case.faults)

    def document(self) -> dict[str, Any]:
        """Return the row as plain values."""
        names = ("point", "on_disk", "outcome", "killed_at", "went_on_at", "finished_at", "twice")
        shown = {name: getattr(self, name) for name in (*names, "seconds", "alike", "reason")}
        return {
            **shown,
            "is_good": self.is_good,
            "noticed": self._noticed(),
            "diagnoses": [each.cause for each in self.case.diagnoses] if self.case else [],
            "findings": [asdict(each) for each in self.findings],
        }

    def _noticed(self) -> dict[str, Any] | None:
        if self.noticed is None:
            return None
        return asdict(self.noticed) | {"reaction": self.noticed.reaction.value}


@dataclass(frozen=True)
class Timeline:
    """When the command saved and ended without a kill, in steps."""

    steps: int
    saves: tuple[int, ...]


@dataclass(frozen=True, repr=False)
class DrillReport(Report):
    """The result of a drill: read its `verdict` and `rows`, or call `assert_recovered`.

    Attributes:
        rows: what came of each kill.
        timeline: when the command saved and ended.
        left_out: the points that were not tried, each with the reason.
        words: what every output says of it first.
    """

    rows: tuple[Row, ...] = ()
    timeline: Timeline | None = None
    left_out: Mapping[str, str] = field(default_factory=dict)
    words: Told | None = None

    def told(self) -> Told:
        """Return what every output says first."""
        return self.words or super().told()

    @property
    def verdict(self) -> str:
        """`pass`: every kill lost no more than the work since the last finished save."""
        if any(row.outcome != INCONCLUSIVE and not row.is_good for row in self.rows):
            return FAIL
        if not self.rows or any(row.outcome == INCONCLUSIVE for row in self.rows):
            return INCONCLUSIVE
        return INCONCLUSIVE if self.is_interrupted else PASS

    @property
    def is_interrupted(self) -> bool:
        """Whether the user ended it before all was tried."""
        return INTERRUPTED in self.left_out.values()

    def assert_recovered(self) -> None:
        """Raise an AssertionError that explains each kill that lost too much, or is not judged."""
        __tracebackhide__ = True
        wrong = [
            (row, case) for row, case in zip(self.rows, self.cases, strict=True) if not row.is_good
        ]
        if not self.rows:
            raise AssertionError("Nothing was killed, so nothing is known to recover.")
        if not wrong and self.is_interrupted:
            raise AssertionError(f"{INTERRUPTED} Not tried: {listed(list(self.left_out))}.")
        if wrong:
            head = f"{lost_by(len(wrong), self.rows)}."
            lines = [f"{row.point}: {row.outcome} ({row.on_disk})" for row, _ in wrong]
            stories = [story(case) for _, case in wrong]
            raise AssertionError("\n\n".join(["\n".join([head, *lines]), *stories]))

    def warnings(self) -> list[str]:
        """Return a sentence for each thing that the verdict does not cover, once for all kills."""
        of_all = (
            text.replace(f" × {case.label}", "") for case in self.cases for text in of_cases([case])
        )
        return list(dict.fromkeys([*of_all, *_of_faults(self.rows)]))

    def document(self) -> dict[str, Any]:
        """Return the report as plain values, as `report.json` and `--json` have them."""
        return super().document() | {
            "timeline": asdict(self.timeline) if self.timeline else None,
            "kills": [finite(row.document()) for row in self.rows],
            "left_out": dict(self.left_out),
        }


def total(rows: Sequence[Row]) -> str:
    """Return how many kills and faults there are, such as `3 kills`."""
    of_faults = sum(row.cut is Cut.FAULT for row in rows)
    noun = "fault" if of_faults == len(rows) > 0 else "kill"
    return (
        f"{len(rows)} kills and faults" if 0 < of_faults < len(rows) else counted(len(rows), noun)
    )


def lost_by(count: int, rows: Sequence[Row]) -> str:
    """Say how many kills and faults lost too much."""
    return filled(
        "{count} of {total} lost more than {all:it|they} may",
        count=count,
        total=total(rows),
        all=len(rows),
    )


def _of_faults(rows: Sequence[Row]) -> Iterator[str]:
    """Say which faults a command did not notice, and which did not reach its save."""
    alike: dict[str, list[str]] = {}
    for row in rows:
        text = None if row.noticed is None else _why_unproven(row.noticed)
        if text:
            alike.setdefault(text, []).append(row.point)
    yield from (f"{listed(points)}: {text}" for text, points in alike.items())


def _why_unproven(noticed: Noticed) -> str:
    if noticed.was_saved:
        return "the save was made in spite of the fault, so that a save that fails was not tried."
    if noticed.reaction is Reaction.WENT_ON:
        return (
            "the command went on as if the save had succeeded. Check what the save raises or "
            "returns, and report it: else the next crash loses more work than expected."
        )
    if noticed.reaction is Reaction.ENDED:
        return (
            "the command ended with exit status 0 although its save had failed: a scheduler takes "
            "that for a finished job. Let it end with an error."
        )
    return ""
