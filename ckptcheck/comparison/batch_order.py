"""How what a resumed run read, or drew, step by step, stands to what its control did: continued, begun again, shifted, …"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from ckptcheck.run.run import Run

SAME = "same"
BY_STEP = "by step"  # what belongs to the step number, which is another one
RESTARTED = "restarted"  # from the first step of the epoch, or of the run
SHIFTED = "shifted"
ORDER = "order"  # an earlier epoch's order, or another order of the same examples
EXAMPLES = "examples"  # the control's examples, some of them lost and some twice
OTHER = "other"  # nothing that the control had
STRANGE = "strange"  # none of the examples is the control's


@dataclass(frozen=True)
class Path:
    """What became of the batches, or of the draws, of a resumed run.

    `step` is the control's step at which they part; `source` the control's step whose batch the resumed run had there;
    `lost` and `repeated` count examples, up to the end of the epoch.
    """

    what: str = SAME
    step: int | None = None
    source: int | None = None
    lost: int = 0
    repeated: int = 0


# What was read, or drawn, at each step: a digest, None where it is not shown.
Digests = Sequence[str | None]


def batches(control: Run, resumed: Run) -> Path:
    """Say which batches a resumed run read."""
    return _path(control, resumed, control.batches, resumed.batches, with_examples=True)


def draws(control: Run, resumed: Run) -> tuple[Path, ...]:
    """Say which random numbers a resumed run drew, for each array of them that is shown in a step: a generator each."""
    count = max((len(each) for each in (*control.draws, *resumed.draws) if each is not None), default=0)
    return tuple(
        _path(control, resumed, _each(control.draws, place), _each(resumed.draws, place), with_examples=False)
        for place in range(count)
    )


def _each(shown: Sequence[Sequence[str] | None], place: int) -> Digests:
    return [each[place] if each is not None and place < len(each) else None for each in shown]


def _path(control: Run, resumed: Run, ours: Digests, theirs: Digests, *, with_examples: bool) -> Path:
    start, count = control.position, min(len(ours) - control.position, len(theirs))
    parted = [index for index in range(count) if ours[start + index] != theirs[index]]
    if not parted:
        return Path()
    first = parted[0]
    if _is_by_step(control, resumed, ours, theirs, first):
        return Path(BY_STEP, control.steps[start + first])
    source = _source(ours, theirs, start + first, first, control.facts.schedule.steps_per_epoch)
    if source is not None:
        what = _named(start + first, source, control.facts.schedule.steps_per_epoch, at_once=first == 0)
        return Path(what, control.steps[start + first], control.steps[source])
    if with_examples:
        return _by_examples(control, resumed, first)
    return Path(OTHER, control.steps[start + first])


def _is_by_step(control: Run, resumed: Run, ours: Digests, theirs: Digests, first: int) -> bool:
    """Return whether each step had what the control had at the step of that number, and the numbers are others."""
    if resumed.steps[first] == control.steps[control.position + first]:
        return False
    known = dict(zip(control.steps, ours, strict=True))
    both = [(known[step], found) for step, found in zip(resumed.steps, theirs, strict=True) if step in known]
    return bool(both) and all(left == right for left, right in both)


def _source(ours: Digests, theirs: Digests, at: int, first: int, epoch: int) -> int | None:
    """Return the place in the control from which the resumed run went on, instead of place `at`."""
    if theirs[first] is None:
        return None
    found = [place for place, each in enumerate(ours) if each == theirs[first] and place != at]
    found = [place for place in found if _goes_on(ours, theirs, place, at, first, epoch)]
    # The beginning of an epoch, or its own place in another one, are no chance; else the nearest.
    return min(
        found, key=lambda place: (place not in (0, at - at % epoch), (place - at) % epoch != 0, abs(place - at)), default=None
    )


def _goes_on(ours: Digests, theirs: Digests, place: int, at: int, first: int, epoch: int) -> bool:
    """Return whether the resumed run went on from a place, to the next end of an epoch at least."""
    length = min(epoch - place % epoch, epoch - at % epoch, len(theirs) - first, len(ours) - place)
    return list(ours[place : place + length]) == list(theirs[first : first + length])


def _named(at: int, source: int, epoch: int, *, at_once: bool) -> str:
    if source % epoch == at % epoch:
        return ORDER
    return RESTARTED if at_once and source in (0, at - at % epoch) else SHIFTED


def _by_examples(control: Run, resumed: Run, first: int) -> Path:
    """Tell by the examples of the rest of the epoch what other batches these are."""
    at = control.position + first
    step = control.steps[at]
    length = control.facts.schedule.steps_per_epoch - at % control.facts.schedule.steps_per_epoch
    ours, theirs = control.examples[at : at + length], resumed.examples[first : first + length]
    read = Counter(example for each in theirs[: len(ours)] for example in each or ())
    wanted = Counter(example for each in ours[: len(theirs)] for example in each or ())
    known = {example for each in control.examples for example in each or ()}
    if not read or not wanted:
        return Path(OTHER, step)
    if not any(example in known for example in read):
        return Path(STRANGE, step)
    if read == wanted:
        return Path(ORDER, step)
    if all(example in known for example in read):
        return Path(EXAMPLES, step, lost=(wanted - read).total(), repeated=(read - wanted).total())
    return Path(OTHER, step)
