"""What a crash state restores to, and how often: the numbers of the table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from ckptcheck.counts import filled
from ckptcheck.crash_states.states import Family
from ckptcheck.drills.savers.catalogue import Saver

# The arrays of a state by name, of each its digest.
State = Mapping[str, str]


class Outcome(Enum):
    """What a restore came to.

    OLD and NEW: the whole state before or after the save. REFUSED: it raised an exception, or its
    process died or hung. NOTHING: it found no checkpoint, so training begins anew. WRONG: it
    restored something else and did not complain.
    """

    OLD = "old"
    NEW = "new"
    REFUSED = "refused"
    NOTHING = "nothing"
    WRONG = "wrong"


KEPT = (Outcome.OLD, Outcome.NEW)
# The worst first: what is wrong is not noticed, and what is refused is.
LOST = (Outcome.WRONG, Outcome.NOTHING, Outcome.REFUSED)


class Crash(Enum):
    """What stopped the save."""

    KILL = "kill"
    POWER = "power failure"

    @classmethod
    def of(cls, family: Family) -> "Crash":
        """Return the crash that leaves such states."""
        return cls.POWER if family is Family.UNSYNCED else cls.KILL


@dataclass(frozen=True)
class Answer:
    """What a restore answered.

    Attributes:
        state: the restored state; None: it found no checkpoint.
        trouble: why there is no answer; empty: there is one.
    """

    state: State | None = None
    trouble: str = ""


@dataclass(frozen=True)
class Tried:
    """A crash state that was restored from.

    Attributes:
        crash: what stopped the save.
        description: how the state comes about.
        outcome: what the restore came to.
        reason: why it is lost; empty: it is not.
    """

    crash: Crash
    description: str
    outcome: Outcome
    reason: str = ""


@dataclass(frozen=True)
class Row:
    """A saver, and what each crash state of an overwrite restores to.

    Attributes:
        saver: the saver.
        tried: the crash states, in the order of the operations of the save.
        trouble: why it could not be run; empty: it could.
    """

    saver: Saver
    tried: Sequence[Tried] = ()
    trouble: str = ""

    def of(self, crash: Crash) -> list[Tried]:
        """Return the states that a crash leaves."""
        return [each for each in self.tried if each.crash is crash]

    def count(self, crash: Crash, *outcomes: Outcome) -> int:
        """Return how many states of a crash restore to these outcomes."""
        return sum(each.outcome in outcomes for each in self.of(crash))

    @property
    def worst(self) -> Tried | None:
        """The first state with the worst outcome, after a kill if there is one; None: all kept."""
        for crash in Crash:
            for outcome in LOST:
                for each in self.of(crash):
                    if each.outcome is outcome:
                        return each
        return None

    def document(self) -> dict[str, Any]:
        """Return the row as plain values."""
        return {
            "name": self.saver.name,
            "summary": self.saver.summary,
            "fixes": list(self.saver.fixes),
            **{crash.value.replace(" ", "_"): self._counts(crash) for crash in Crash},
            "trouble": self.trouble or None,
            "lost": [
                {
                    "crash": each.crash.value,
                    "state": each.description,
                    "outcome": each.outcome.value,
                    "reason": each.reason,
                }
                for each in self.tried
                if each.outcome not in KEPT
            ],
        }

    def _counts(self, crash: Crash) -> dict[str, int]:
        each = {outcome.value: self.count(crash, outcome) for outcome in Outcome}
        return {"states": len(self.of(crash)), **each}


def judged(answer: Answer, old: State, new: State) -> tuple[Outcome, str]:
    """Return what a restore came to, and why it is lost."""
    if answer.trouble:
        return Outcome.REFUSED, answer.trouble
    if answer.state is None:
        return Outcome.NOTHING, "It finds no checkpoint."
    if answer.state == new:
        return Outcome.NEW, ""
    if answer.state == old:
        return Outcome.OLD, ""
    return Outcome.WRONG, _mixture(answer.state, old, new)


def _mixture(state: State, old: State, new: State) -> str:
    """Return of which states the arrays are; one that is the same in all of them is left out."""
    rows = [(state.get(name), old.get(name), new.get(name)) for name in {**old, **new, **state}]
    telling = [row for row in rows if len({*row}) > 1]
    from_old = sum(found == before != after for found, before, after in telling)
    from_new = sum(found == after != before for found, before, after in telling)
    total = len(telling)
    return filled(
        "Of {total} {total:array|arrays}, {old} {old:is|are} old, {new} {new:is|are} new, and "
        "{neither} {neither:is|are} neither.",
        total=total,
        old=from_old,
        new=from_new,
        neither=total - from_old - from_new,
    )
