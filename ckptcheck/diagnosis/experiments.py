"""Trials: a restore is tried again with one thing of the control's, to see whether that is what the two runs are apart by.

What the cases show may come of the order of a set, or of what objects of the program remember; only an experiment can tell.
"""

from collections.abc import Mapping, Sequence

from ckptcheck.comparison.compare import Comparison
from ckptcheck.diagnosis.cause import Diagnosis, diagnosis
from ckptcheck.diagnosis.diagnose import is_of_restore, of_comparison
from ckptcheck.outcomes import DIVERGED
from ckptcheck.report.report import Case
from ckptcheck.run.run import REMEMBERED, SAME_HASH

# What may come of the order of a set, which is another one in each process.
_MAYBE_HASHED = {
    "batches-differ",
    "examples-lost",
    "data-order",
    "data-shifted",
    "weights-swapped",
    "slots-swapped",
    "tensors-swapped",
    "tensors-missing",
    "unexplained",
}
_OF_DATA = ("batches-differ", "examples-lost", "data-order", "data-shifted")
# What may come of attributes: whatever a program computes from them.
_MAYBE_REMEMBERED = {"learning-rate-differs", "hyperparameters-differ", "unexplained"}


def needed(case: Case) -> dict[str, Mapping[str, float]]:
    """Return the trials that may say more of a case: their names, and the attributes to put in, with the control's values."""
    if case.outcome != DIVERGED or case.expected == DIVERGED or case.comparison is None:
        return {}
    causes = {each.cause for each in case.diagnoses}
    found: dict[str, Mapping[str, float]] = {SAME_HASH: {}} if causes & _MAYBE_HASHED else {}
    attributes = {name: ours for name, (ours, _) in case.comparison.attributes.items()}
    if causes & _MAYBE_REMEMBERED and attributes:
        found[REMEMBERED] = attributes
    return found


def explained(found: list[Diagnosis], comparison: Comparison, tried: Mapping[str, Comparison]) -> list[Diagnosis]:
    """Put what trials show in the place of what they explain.

    Args:
        found: what the case's comparison shows.
        comparison: that comparison.
        tried: the comparison of the control and each trial, by its name.
    """
    if SAME_HASH in tried:
        found = _by_hash(found, tried[SAME_HASH])
    if REMEMBERED in tried:
        found = _by_attributes(found, comparison, tried[REMEMBERED])
    return found


def settles(allowed: Sequence[Diagnosis], tried: Mapping[str, Comparison]) -> bool:
    """Return whether a trial shows that the run recovers but for causes that are allowed."""
    shown = {"depends-on-hash-order": SAME_HASH, "python-state-lost": REMEMBERED}
    return any(tried[shown[each.cause]].equal for each in allowed if shown.get(each.cause) in tried)


def _by_hash(found: list[Diagnosis], tried: Comparison) -> list[Diagnosis]:
    gone = {cause for cause in _gone(found, tried) & _MAYBE_HASHED if _is_made_good(cause, tried)}
    if not gone:
        return found
    return [diagnosis("depends-on-hash-order", recovers=_effect(gone, tried)), *_left(found, gone, tried)]


def _by_attributes(found: list[Diagnosis], comparison: Comparison, tried: Comparison) -> list[Diagnosis]:
    gone = _gone(found, tried) & _MAYBE_REMEMBERED
    if _rates_settle(comparison, tried):
        gone |= {"learning-rate-differs"} & {each.cause for each in found}
    if not gone:
        return found
    example = f"{_values(comparison.attributes)}. With the control's values put in, the resumed run {_effect(gone, tried)}"
    return [diagnosis("python-state-lost", example=example), *_left(found, gone, tried)]


def _gone(found: list[Diagnosis], tried: Comparison) -> set[str]:
    """Return the causes that a trial does not show; what had no reason is gone only where nothing differs any more."""
    gone = {each.cause for each in found} - {each.cause for each in of_comparison(tried)}
    return gone if tried.equal else gone - {"unexplained"}


def _is_made_good(cause: str, tried: Comparison) -> bool:
    """Return whether it is not another cause of its sort that a trial shows: other data by chance are no help."""
    return cause not in _OF_DATA or bool(tried.losses["batch_equal"].all())


def _left(found: list[Diagnosis], gone: set[str], tried: Comparison) -> list[Diagnosis]:
    """Return what is not explained; where the trial recovers, that is what the control does by itself, and nothing else."""
    return [each for each in found if not is_of_restore(each) or not (tried.equal or each.cause in gone)]


def _rates_settle(comparison: Comparison, tried: Comparison) -> bool:
    """Return whether the rates are the control's from the second step on, which they were not without the trial.

    For its first step a callback may have set the rate before anything could be put in.
    """
    with_it, without = (each.losses["rate_equal"].astype(bool).iloc[1:] for each in (tried, comparison))
    return len(with_it) > 0 and bool(with_it.all()) and not bool(without.all())


def _values(attributes: Mapping[str, tuple[float, float]]) -> str:
    told = [f"{name} is {theirs:g}, the control's {ours:g}" for name, (ours, theirs) in list(attributes.items())[:4]]
    return "; ".join(told) + (f"; and {len(attributes) - 4} more" if len(attributes) > 4 else "")


def _effect(gone: set[str], tried: Comparison) -> str:
    return "recovers" if tried.equal else f"shows no {' and no '.join(sorted(gone))}"
