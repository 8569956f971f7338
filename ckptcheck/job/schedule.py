"""When a run saves, evaluates and ends, and the words for where to save."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ckptcheck.errors import UsageError, did_you_mean

# Default length of a run and place of the boundary, in epochs. The boundary is in mid-epoch, with
# epoch edges on both sides.
EPOCHS = 3.5
BOUNDARY_EPOCHS = 2.5

# Where to save: numbers of steps and words of WORDS, or how many places, spread over the run.
Boundaries = int | Sequence[int | str]
WORDS = ("first", "mid", "epoch", "last")


@dataclass(frozen=True)
class Schedule:
    """When a run saves, evaluates and ends, in training steps.

    Attributes:
        steps: The length of the control.
        boundary: The steps done when the checkpoint is saved, and thus the index, from 0, of a
            resumed run's first step.
        steps_per_epoch: The length of an epoch.
        boundaries: All boundaries of the control, in order. A resumed run saves and evaluates
            where its control does.
    """

    steps: int
    boundary: int
    steps_per_epoch: int
    boundaries: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.steps_per_epoch < 1:
            raise UsageError(f"An epoch must have at least 1 step, not {self.steps_per_epoch}.")
        if self.steps < 2:
            raise UsageError(
                "A run must have at least 2 steps, one on each side of the boundary, "
                f"not {self.steps}."
            )
        object.__setattr__(self, "boundaries", tuple(sorted({*self.boundaries, self.boundary})))
        for boundary in self.boundaries:
            if not 0 < boundary < self.steps:
                raise UsageError(
                    f"The boundary {boundary} lies outside the run of {self.steps} steps. "
                    f"Choose a boundary from 1 to {self.steps - 1}."
                )

    @property
    def steps_after(self) -> int:
        """The number of steps that a resumed run executes."""
        return self.steps - self.boundary

    @property
    def earlier(self) -> int | None:
        """The steps done at an extra save before all boundaries, which a restore could confuse."""
        # The last epoch edge before the first boundary, else halfway to it.
        first = self.boundaries[0]
        edge = (first - 1) // self.steps_per_epoch * self.steps_per_epoch
        return edge or first // 2 or None

    def evaluates_at(self, done: int) -> bool:
        """Return whether a run evaluates after `done` steps: boundary, epoch edge or end."""
        return done == self.steps or done in self.boundaries or done % self.steps_per_epoch == 0

    def at(self, boundary: int) -> "Schedule":
        """Return the schedule of a run resumed from that boundary."""
        return replace(self, boundary=boundary)


def make_schedule(
    steps_per_epoch: int,
    steps: int | None = None,
    boundaries: Boundaries = (),
    usual: float = BOUNDARY_EPOCHS,
    *,
    twice: bool = False,
) -> Schedule:
    """Return the requested schedule, completed by defaults.

    Args:
        steps_per_epoch: The length of an epoch in steps.
        steps: The length of the run in steps; default: 3.5 epochs, or `usual` + 1 if that is more.
        boundaries: Where to save; default: after `usual` epochs. If `steps` is given: in the middle
            of the run, or at the epoch edge near it for a job that saves at epoch edges.
        usual: The epochs after which this job is saved by default.
        twice: Whether runs are resumed twice, at two boundaries. By default, the second one is an
            epoch after the first, in a run of 4.5 epochs, or of 3.5 for jobs that save at epoch
            edges.

    Raises:
        UsageError: The run is too short, or a boundary lies outside it.
    """
    more = (1.5 if usual == int(usual) else 2.0) if twice else 1.0
    epochs = max(EPOCHS, usual + more)
    length = max(2 + twice, int(epochs * steps_per_epoch)) if steps is None else steps
    Schedule(length, 1, steps_per_epoch)  # reports a bad length before a bad boundary
    if isinstance(boundaries, int):
        places = _spread(boundaries, length)
    elif boundaries:
        places = [_place(boundary, length, steps_per_epoch) for boundary in boundaries]
    elif steps is None:
        places = [max(1, int(usual * steps_per_epoch))]
    elif usual == int(usual) and steps > steps_per_epoch:
        places = [_place("epoch", steps, steps_per_epoch)]
    else:
        places = [steps // (3 if twice else 2)]
    if twice:
        places = _two(places, length, steps_per_epoch, usual == int(usual), bool(boundaries))
    return Schedule(length, min(places), steps_per_epoch, tuple(places))


def _two(
    places: Sequence[int], steps: int, steps_per_epoch: int, at_edges: bool, is_fixed: bool
) -> list[int]:
    """Return where runs are resumed for the first and for the second time.

    Of two boundaries, the second is an epoch after the first, or, where the run is too short for
    that, in the middle of the rest. `at_edges`: whether the job saves at epoch edges. `is_fixed`:
    whether the first one was asked for.
    """
    places = sorted(set(places))
    if len(places) > 2:
        raise UsageError(
            f"A run is resumed twice from two boundaries, not from {len(places)}: "
            f"{', '.join(map(str, places))}. Name two."
        )
    if len(places) == 2:
        return list(places)
    (first,) = places
    if first + steps_per_epoch < steps:
        return [first, first + steps_per_epoch]
    is_edge = at_edges and first % steps_per_epoch == 0
    if is_edge and not is_fixed and first > steps_per_epoch:
        return [first - steps_per_epoch, first]
    second = (first + steps) // 2
    if is_edge or second == first:
        needed = first + (steps_per_epoch if is_edge else 1) + 1
        raise UsageError(
            f"The run of {steps} steps has no room for a second save after step {first}. Train for "
            f"at least {needed} steps."
        )
    return [first, second]


def parse_boundaries(text: str) -> Boundaries:
    """Parse a list such as `1,mid,epoch,last`, or a count."""
    parts = [part.strip() for part in text.split(",")]
    if len(parts) == 1 and parts[0].isdecimal():
        return int(parts[0])
    if not all(parts):
        which = "are empty" if not any(parts) else "have an empty place between commas"
        raise UsageError(
            f"The boundaries {text!r} {which}. Give a count, or a list such as 1,mid,epoch,last."
        )
    return tuple(int(part) if part.lstrip("-").isdecimal() else part for part in parts)


def _spread(count: int, steps: int) -> list[int]:
    """Return that many evenly spread boundaries, from the first to the last possible one."""
    if not 1 <= count < steps:
        raise UsageError(
            f"A run of {steps} steps has room for 1 to {steps - 1} boundaries, not {count}."
        )
    return [1 + round(index * (steps - 2) / max(1, count - 1)) for index in range(count)]


def _place(boundary: int | str, steps: int, steps_per_epoch: int) -> int:
    if isinstance(boundary, int):
        return boundary
    if boundary not in WORDS:
        raise UsageError(
            f"The boundary {boundary!r} is neither a number of steps nor one of "
            f"{', '.join(WORDS)}.{did_you_mean(boundary, WORDS)}"
        )
    if boundary in ("first", "last"):
        return 1 if boundary == "first" else steps - 1
    # Not the last place: the steps and the epoch edge after the boundary must show differences.
    offset = steps_per_epoch // 2 if boundary == "mid" else 0
    places = [place for place in range(offset, steps, steps_per_epoch) if place > 0]
    if not places:
        what = "epoch edge" if boundary == "epoch" else "middle of an epoch"
        raise UsageError(
            f"The run of {steps} steps contains no {what}: an epoch has {steps_per_epoch} steps. "
            "Choose a number of steps, or a longer run."
        )
    return ([place for place in places if place <= 3 * steps // 4] or places)[-1]
