"""How a resumed run's batches, or draws, relate to the control's: same, restarted, shifted, …"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, chain

from ckptcheck.run.run import Run, StepRecord

SAME = "same"
BY_STEP = "by step"  # those of the step number, which differs
RESTARTED = "restarted"  # from the first step of the epoch, or of the run
SHIFTED = "shifted"
ORDER = "order"  # an earlier epoch's order, or a different order of the same examples
EXAMPLES = "examples"  # the control's examples, some skipped and some repeated
OTHER = "other"  # none of the control's batches
STRANGE = "strange"  # none of the control's examples


@dataclass(frozen=True)
class DataPath:
    """How the batches, or the draws, of a resumed run relate to the control's.

    `step` is the control's step at which they diverge, `source` the control's step whose batch the
    resumed run has there. `lost` and `repeated` count examples up to the end of the epoch.
    """

    what: str = SAME
    step: int | None = None
    source: int | None = None
    lost: int = 0
    repeated: int = 0


# The digest of the batch, or of the draw, at each step; None: not shown.
Digests = Sequence[str | None]


def batches(control: Run, resumed: Run) -> DataPath:
    """Return how the batches that a resumed run read relate to the control's."""
    return _path(
        control,
        resumed,
        *([step.batch for step in run.steps] for run in (control, resumed)),
        with_examples=True,
    )


def epoch(control: Run) -> int:
    """Return the number of steps in an epoch: as is known, or else as the examples repeat."""
    known = control.facts.schedule.steps_per_epoch
    read = [step.examples for step in control.steps if step.examples]
    if known < len(control.steps) or len(read) < len(control.steps):
        return known
    return _repeating(read) or _without_repetition(read) or known


def _repeating(read: Sequence[Sequence[str]]) -> int:
    """Return the smallest number of steps such that as many always read the same examples, or 0."""
    total = len(read)
    sums = [0, *accumulate(sum(map(hash, examples)) for examples in read)]
    for length in range(1, total // 2 + 1):
        starts = range(0, total - length + 1, length)
        if len({sums[start + length] - sums[start] for start in starts}) == 1:
            return length
    return 0


def _without_repetition(read: Sequence[Sequence[str]]) -> int:
    """Return the number of steps in which no example comes twice, if as many never do, or 0.

    Where a loader drops the last batch, each epoch lacks other examples. Later ones read most of
    the same.
    """
    seen: set[str] = set()
    length = 0
    while length < len(read) and seen.isdisjoint(read[length]):
        seen.update(read[length])
        length += 1
    later = [
        [each for examples in read[start : start + length] for each in examples]
        for start in range(length, len(read), max(1, length))
    ]
    again = sum(each in seen for each in chain(*later))
    is_epoch = length > 1 and all(len(set(block)) == len(block) for block in later)
    return length if is_epoch and 2 * again > sum(map(len, later)) else 0


def draws(control: Run, resumed: Run) -> tuple[DataPath, ...]:
    """Return how the draws of a resumed run relate to the control's, for each generator shown."""
    count = max(
        (len(step.draws) for step in (*control.steps, *resumed.steps) if step.draws is not None),
        default=0,
    )
    return tuple(
        _path(control, resumed, _drawn(control, place), _drawn(resumed, place), with_examples=False)
        for place in range(count)
    )


def _drawn(run: Run, place: int) -> Digests:
    draws = [step.draws or () for step in run.steps]
    return [digests[place] if place < len(digests) else None for digests in draws]


def _path(
    control: Run, resumed: Run, ours: Digests, theirs: Digests, *, with_examples: bool
) -> DataPath:
    start, length = control.position, epoch(control)
    pairs = zip(ours[start:], theirs, strict=False)
    first = next((place for place, (due, read) in enumerate(pairs) if due != read), None)
    if first is None:
        return DataPath()
    at = start + first
    step = control.steps[at].number
    if _is_by_step(control, resumed, ours, theirs, first):
        return DataPath(BY_STEP, step)
    source = _source(ours, theirs, at, first, length)
    if source is not None:
        return DataPath(
            _named(at, source, length, at_once=first == 0), step, control.steps[source].number
        )
    return _by_examples(control, resumed, first) if with_examples else DataPath(OTHER, step)


def _is_by_step(control: Run, resumed: Run, ours: Digests, theirs: Digests, first: int) -> bool:
    """Return whether steps have different numbers, but each the control's batch of its number."""
    if resumed.steps[first].number == control.steps[control.position + first].number:
        return False
    known = {step.number: digest for step, digest in zip(control.steps, ours, strict=True)}
    pairs = zip(resumed.steps, theirs, strict=True)
    same = [known[step.number] == digest for step, digest in pairs if step.number in known]
    return bool(same) and all(same)


def _source(ours: Digests, theirs: Digests, at: int, first: int, epoch: int) -> int | None:
    """Return the place in the control from which the resumed run continues, instead of `at`."""
    if theirs[first] is None:
        return None
    places = [place for place, digest in enumerate(ours) if digest == theirs[first] and place != at]
    places = [place for place in places if _continues(ours, theirs, place, at, first, epoch)]
    # The start of an epoch, or the same place in an epoch, is no coincidence; else the nearest.
    starts = (0, at - at % epoch)
    return min(
        places,
        key=lambda place: (place not in starts, (place - at) % epoch != 0, abs(place - at)),
        default=None,
    )


def _continues(ours: Digests, theirs: Digests, place: int, at: int, first: int, epoch: int) -> bool:
    """Return whether the resumed run continues from a place, at least to the end of an epoch."""
    length = min(epoch - place % epoch, epoch - at % epoch, len(theirs) - first, len(ours) - place)
    return list(ours[place : place + length]) == list(theirs[first : first + length])


def _named(at: int, source: int, epoch: int, *, at_once: bool) -> str:
    if source % epoch == at % epoch:
        return ORDER
    return RESTARTED if at_once and source in (0, at - at % epoch) else SHIFTED


def _by_examples(control: Run, resumed: Run, first: int) -> DataPath:
    """Classify differing batches by their examples up to the end of the epoch."""
    at, whole = control.position + first, epoch(control)
    step, length = control.steps[at].number, whole - at % whole
    ours, theirs = control.steps[at : at + length], resumed.steps[first : first + length]
    due, read = _examples(ours[: len(theirs)]), _examples(theirs[: len(ours)])
    known = _examples(control.steps)
    if not read or not due:
        return DataPath(OTHER, step)
    if not any(example in known for example in read):
        return DataPath(STRANGE, step)
    if read == due:
        return DataPath(ORDER, step)
    if all(example in known for example in read):
        return DataPath(EXAMPLES, step, lost=(due - read).total(), repeated=(read - due).total())
    return DataPath(OTHER, step)


def _examples(steps: Sequence[StepRecord]) -> Counter[str]:
    return Counter(example for step in steps for example in step.examples or ())
