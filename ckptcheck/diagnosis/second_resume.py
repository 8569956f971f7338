"""What a second resume shows: a run that recovers once may save less than it was restored from."""

from collections.abc import Sequence
from dataclasses import replace

from ckptcheck.comparison.comparison import Comparison
from ckptcheck.comparison.value_origin import OLDER, Origin
from ckptcheck.counts import filled
from ckptcheck.diagnosis.catalogue import CAUSES
from ckptcheck.diagnosis.cause import Diagnosis, Stage
from ckptcheck.diagnosis.diagnose import is_of_restore
from ckptcheck.diagnosis.findings import as_number
from ckptcheck.kinds import Kind
from ckptcheck.outcomes import INCONCLUSIVE, RECOVERED

# The first resume worked, so what the usual remedy says is done already.
SAVED_LESS = (
    "The uninterrupted run saves this, the resumed run does not. Let the restore fill the object "
    "that the next save reads: state.update(restored), then save(state)."
)
SAVED_OTHERWISE = (
    "The first resume restored this, so the resumed run saves it differently. Save it under the "
    "same name and from the same object in every run, resumed or not."
)
SAVED_AGAIN = (
    "The resumed run saved what it was restored from. Let each save read the present value, not "
    "that of the checkpoint that was loaded: content = current(), never content = loaded."
)
POSITION = (
    "Save the position counted from the start of the training, not from the resume: "
    "done = restored + steps_of_this_run. Apply a restored position once: to the loop or to the "
    "data, not again to what was saved."
)
NUMBERING = (
    "Let the resumed run save where the uninterrupted run does, and number its checkpoints by the "
    "total of steps, f'{total:08}.npz', so that the newest is the last by name."
)
SAVED_FEWER = (
    "The first resume found what the restore asks for, so the resumed run saves less than the "
    "uninterrupted one. Save the same keys from the same objects in every run, resumed or not."
)
# What the usual remedy does for a second resume as well as for the first.
AS_USUAL = (
    *("checkpoint-damaged", "resumed-run-raised", "not-finite", "rounding"),
    *("depends-on-hash-order", "mode-differs", "unexplained"),
)
ABOUT_KEYS = ("keys-not-in-checkpoint", "shadows-not-in-checkpoint", "restore-raised")
ABOUT_GENERATORS = ("generators-restarted", "generators-reseeded", "generators-shifted")
ABOUT_POSITION = (
    *("step-lost", "wrong-first-step", "wrong-last-step"),
    *("data-restarted", "data-shifted", "data-order", "examples-lost", "batches-differ"),
)


def counted_anew(comparison: Comparison, after: int) -> Comparison:
    """Take counters for what they are that count the steps since the first resume.

    Where saves have equal distances, such a count is that of an earlier save, too.

    Args:
        comparison: of a second resume with the control.
        after: the boundary of the first resume.
    """
    made = comparison.first_step[0] - after
    older = [row for row in comparison.boundary if row.origin.what == OLDER]
    if not all(row.kind is Kind.COUNTER and as_number(row.resumed_number) == made for row in older):
        return comparison
    rows = (replace(row, origin=Origin()) if row in older else row for row in comparison.tensors)
    return replace(comparison, tensors=tuple(rows)) if older else comparison


def why_unjudged(first: str) -> str:
    """Return why a second resume is not judged, given the outcome of the first; empty: it is."""
    if first == RECOVERED:
        return ""
    if first == INCONCLUSIVE:
        return "Whether the first resume recovers is unknown, so the second one is not judged."
    return (
        "The first resume does not recover, so the second one is not judged. Fix the first, then "
        "verify again."
    )


def reason(once: str | None, boundary: int | None) -> str:
    """Return what a second resume that fails shows, where the first one recovers.

    Args:
        once: the outcome of the same restore from the control's checkpoint of the same step.
        boundary: that step.
    """
    if once in (None, INCONCLUSIVE, RECOVERED):
        return "The first resume recovers; what it saved does not."
    return (
        f"The uninterrupted run's checkpoint of step {boundary} does not recover, either: the "
        "fault shows there in a first resume, too."
    )


def with_remedies(
    found: Sequence[Diagnosis],
    once: str | None,
    comparison: Comparison | None = None,
    after: int = 0,
) -> tuple[Diagnosis, ...]:
    """Return diagnoses with the remedies for what only a second resume loses.

    Args:
        found: the diagnoses of a second resume.
        once: the outcome of the same restore from the control's checkpoint of the same step.
        comparison: of the second resume with the control.
        after: the boundary of the first resume.
    """
    if once not in (None, INCONCLUSIVE, RECOVERED):
        return tuple(found)
    found = [_as_saved_again(each, comparison, after) for each in found]
    drawn = next((_remedy(each) for each in found if each.cause in ABOUT_GENERATORS), None)
    return tuple(
        replace(
            each, remedy=(drawn if CAUSES[each.cause].about_the_data else None) or _remedy(each)
        )
        if each.cause in CAUSES and is_of_restore(each)
        else each
        for each in found
    )


def _as_saved_again(found: Diagnosis, comparison: Comparison | None, after: int) -> Diagnosis:
    """Say of state from the first boundary that the resumed run saved it as it was restored."""
    rows = comparison.boundary if comparison else ()
    restored = {row.name for row in rows if row.origin.older == after}
    if found.cause != "updated-after-save" or not set(found.tensors) <= restored:
        return found
    sentence = filled(
        "The resumed run saved {count} of {total} {total:tensor|tensors} as {count:it was|they "
        "were} restored: the checkpoint holds {count:its value|their values} after {after} "
        "{after:step|steps}.",
        count=len(found.tensors),
        total=len(rows),
        after=after,
    )
    return replace(found, sentence=sentence)


def _remedy(found: Diagnosis) -> str:
    if found.cause in AS_USUAL:
        return found.remedy
    if found.cause == "older-checkpoint":
        return NUMBERING
    if found.cause == "updated-after-save":
        return SAVED_AGAIN
    if found.cause in ABOUT_KEYS:
        return SAVED_FEWER
    if found.cause in ABOUT_POSITION:
        return POSITION
    return SAVED_LESS if found.stage == Stage.OMITTED_AT_SAVE.value else SAVED_OTHERWISE
