"""When a run saves, evaluates and ends, and the words people have for where to save."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ckptcheck.errors import UsageError

# Default length of a run and place of the boundary, in epochs: in mid-epoch, epoch edges on both sides.
EPOCHS = 3.5
BOUNDARY_EPOCHS = 2.5

# Where to save: a number of steps, or one of WORDS; or how many such places, spread over the run.
Boundaries = int | Sequence[int | str]
WORDS = ("first", "mid", "epoch", "last")


@dataclass(frozen=True)
class Schedule:
    """When a run saves, evaluates and ends. All in training steps counted from 0.

    The boundary is the number of steps done when the checkpoint is saved; a resumed run's first step has that index.
    `boundaries` are all those of the control, in order: a resumed run saves and evaluates where its control does.
    """

    steps: int
    boundary: int
    steps_per_epoch: int
    boundaries: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.steps_per_epoch < 1:
            raise UsageError(f"An epoch must have at least one step, not {self.steps_per_epoch}.")
        if self.steps < 2:
            raise UsageError(
                f"A run must have at least 2 steps, one on each side of the boundary, not {self.steps}."
            )
        object.__setattr__(self, "boundaries", tuple(sorted({*self.boundaries, self.boundary})))
        for boundary in self.boundaries:
            if not 0 < boundary < self.steps:
                raise UsageError(
                    f"The boundary lies outside the run: it is step {boundary}, the run has {self.steps} steps. "
                    f"Choose a boundary from 1 to {self.steps - 1}."
                )

    @property
    def steps_after(self) -> int:
        """Number of steps that a resumed run executes."""
        return self.steps - self.boundary

    @property
    def earlier(self) -> int | None:
        """Number of steps done at one save more, before all boundaries: a checkpoint that could be taken for another."""
        # At the epoch edge before them, else halfway.
        first = self.boundaries[0]
        edge = (first - 1) // self.steps_per_epoch * self.steps_per_epoch
        return edge or first // 2 or None

    def evaluates_at(self, done: int) -> bool:
        """Return whether a run evaluates after `done` steps: at each boundary, at each epoch edge and at the end."""
        return done == self.steps or done in self.boundaries or done % self.steps_per_epoch == 0

    def at(self, boundary: int) -> "Schedule":
        """Return the same schedule as a run sees it that is resumed from that boundary."""
        return replace(self, boundary=boundary)


def make_schedule(
    steps_per_epoch: int,
    steps: int | None = None,
    boundaries: Boundaries = (),
    usual: float = BOUNDARY_EPOCHS,
) -> Schedule:
    """Return the asked-for schedule; what was not asked for follows from the length of an epoch or of the run.

    Args:
        steps_per_epoch: length of an epoch in steps.
        steps: length of the run in steps; default: 3.5 epochs, or one more than `usual` where that is more.
        boundaries: where to save. Empty: after `usual` epochs; where `steps` is given, in the middle of the run, or at the
            epoch edge near it for a job that is saved at such edges.
        usual: the epochs after which this job is saved by default.
    """
    length = max(2, int(max(EPOCHS, usual + 1) * steps_per_epoch)) if steps is None else steps
    Schedule(length, 1, steps_per_epoch)  # what is wrong with the run as a whole is said first
    if isinstance(boundaries, int):
        places = _spread(boundaries, length)
    elif boundaries:
        places = [_place(boundary, length, steps_per_epoch) for boundary in boundaries]
    elif steps is None:
        places = [max(1, int(usual * steps_per_epoch))]
    elif usual == int(usual) and steps > steps_per_epoch:
        places = [_place("epoch", steps, steps_per_epoch)]
    else:
        places = [steps // 2]
    return Schedule(length, min(places), steps_per_epoch, tuple(places))


def parse_boundaries(text: str) -> Boundaries:
    """Read `1,mid,epoch,last`, or a count."""
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if len(parts) == 1 and parts[0].isdecimal():
        return int(parts[0])
    if not parts:
        raise UsageError(
            f"--boundaries takes a count, or steps and words such as 1,mid,epoch,last, not {text!r}."
        )
    return tuple(int(part) if part.lstrip("-").isdecimal() else part for part in parts)


def _spread(count: int, steps: int) -> list[int]:
    """Return as many boundaries, evenly spread, the first and the last possible one among them."""
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
            f"A boundary is a number of steps or one of {', '.join(WORDS)}, not {boundary!r}."
        )
    if boundary in ("first", "last"):
        return 1 if boundary == "first" else steps - 1
    # Not the last place there is: steps after the boundary, and an epoch edge among them, show more.
    offset = steps_per_epoch // 2 if boundary == "mid" else 0
    places = [place for place in range(offset, steps, steps_per_epoch) if place > 0]
    if not places:
        what = "epoch edge" if boundary == "epoch" else "middle of an epoch"
        raise UsageError(
            f"The run has no {what} inside it: it is {steps} steps long, an epoch {steps_per_epoch}."
        )
    return ([place for place in places if place <= 3 * steps // 4] or places)[-1]
