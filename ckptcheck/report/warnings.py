"""What a verdict does not say, in a sentence each: restores that leave state out, and what nothing could show."""

from collections.abc import Iterator, Sequence

from ckptcheck.report.case import Case
from ckptcheck.report.sentences import some
from ckptcheck.run.run import RECORDED


def of_cases(cases: Sequence[Case]) -> list[str]:
    """Return the warnings of all cases; what holds at every boundary, and what came about in no case, is said once."""
    kinds = (_of_evaluation, _of_hash_seed, _of_names, _of_saving, _of_coverage)
    texts = (
        f"{case.job} × {case.restore}: {text}"
        for case in cases
        for kind in kinds
        for text in kind(case)
    )
    return [
        *dict.fromkeys(texts),
        *(f"{text} is allowed, and nothing of that kind was found." for text in _not_needed(cases)),
    ]


def _not_needed(cases: Sequence[Case]) -> list[str]:
    compared = [case.not_needed for case in cases if case.comparison is not None]
    return [
        text
        for text in (compared[0] if compared else ())
        if all(text in others for others in compared)
    ]


def _of_evaluation(case: Case) -> Iterator[str]:
    if case.comparison is not None and not case.comparison.evaluations:
        yield (
            "no evaluation loss was recorded by both runs: state that only evaluation reads is compared by its tensors alone."
        )


def _of_hash_seed(case: Case) -> Iterator[str]:
    if case.control is None or case.resumed is None or case.control.facts.role != RECORDED:
        return
    seeds = {run.facts.hash_seed for run in (case.control, case.resumed)}
    if len(seeds) == 1 and seeds != {"random"}:
        yield (
            f"both runs had PYTHONHASHSEED={seeds.pop()}, so what depends on the order of sets would not show. "
            "Set it to another value for the resumed run."
        )


def _of_names(case: Case) -> Iterator[str]:
    renamed = case.comparison.renamed if case.comparison else {}
    for ours, theirs in list(renamed.items())[:1]:
        yield (
            f"{len(renamed)} tensors have other names in the resumed run ({theirs} for {ours}); they are compared as the same."
        )


def _of_saving(case: Case) -> Iterator[str]:
    if case.parted_without_saves and case.noise is not None:
        yield (
            f"whether saving changes the run cannot be told: without saves, {case.parted_without_saves}, but the job does not "
            "reproduce itself with them either."
        )


def _of_coverage(case: Case) -> Iterator[str]:
    changed = tuple(case.control.facts.changed_by_evaluation) if case.control else ()
    if changed:
        yield (
            f"the evaluation changes {some(changed)}, and with it the training after the boundary, where a training run may "
            "not evaluate."
        )
    if case.not_shown and case.comparison is not None:
        yield (
            f"{len(case.not_shown)} of {len(case.comparison.boundary)} tensors have at the boundary the value they "
            f"start with, so nothing shows that they come back: {some(case.not_shown)}. Try another --boundary."
        )
    if case.not_covered and case.control:
        yield (
            f"the restore does not cover {len(case.not_covered)} of {len(case.control.boundary)} tensors, which keep their "
            f"initial values: {some(case.not_covered)}."
        )
