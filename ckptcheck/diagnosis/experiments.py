"""Experiments: a restore is tried again with one thing of the control's, to see whether the two runs are apart by that.

What the cases show may come of the order of a set, or of what objects of the program remember; only an experiment can tell.
Which causes an experiment may settle, and which cause it shows, stands in the catalogue. Another one tells whether a run that
recovers owes that to our evaluation at the boundary, which no training makes there.
"""

import math
from collections.abc import Mapping, Sequence

from ckptcheck.comparison.comparison import Comparison
from ckptcheck.diagnosis.catalogue import CAUSES, diagnosis
from ckptcheck.diagnosis.cause import Diagnosis, names_of
from ckptcheck.diagnosis.diagnose import diagnose, is_of_restore
from ckptcheck.diagnosis.findings import attributes, some
from ckptcheck.run.python_state import Change
from ckptcheck.run.run import Run
from ckptcheck.run.snapshots import boundary_point
from ckptcheck.run.task import REMEMBERED, SAME_HASH


def needed(
    diagnoses: Sequence[Diagnosis], comparison: Comparison
) -> dict[str, Mapping[str, float]]:
    """Return the experiments that may say more: their names, and the attributes to put in, with the control's values."""
    experiments = {
        name for cause in names_of(diagnoses) & set(CAUSES) for name in CAUSES[cause].settled_by
    }
    wanted: dict[str, Mapping[str, float]] = {SAME_HASH: {}} if SAME_HASH in experiments else {}
    if REMEMBERED in experiments and comparison.attributes:
        wanted[REMEMBERED] = {name: control for name, (control, _) in comparison.attributes.items()}
    return wanted


def made_good_by_evaluation(control: Run, resumed: Run) -> list[str]:
    """Return the attributes that were others in the two runs, and that our evaluation at the boundary changed otherwise.

    What it changes equally, such as a counter of its calls, it leaves as far apart as it was.
    """
    point = boundary_point(resumed.facts.schedule.boundary)
    ours, theirs = (
        run.facts.attributes_changed_by_evaluation.get(point, {}) for run in (control, resumed)
    )
    all_ours, all_theirs = (
        _unchanged(run.facts.attributes.get(point, {})) for run in (control, resumed)
    )
    all_ours, all_theirs = all_ours | ours, all_theirs | theirs
    return [
        name
        for name in sorted({*ours, *theirs})
        if not _changes_alike(all_ours.get(name), all_theirs.get(name))
    ]


def _unchanged(values: Mapping[str, float]) -> dict[str, Change]:
    return {name: (value, value) for name, value in values.items()}


def _changes_alike(control: Change | None, resumed: Change | None) -> bool:
    """Return whether two runs had one value before, or whether it was changed by the same amount."""
    (ours, ours_after), (theirs, theirs_after) = control or (None, None), resumed or (None, None)
    if repr(ours) == repr(theirs):
        return True
    if ours is None or theirs is None or ours_after is None or theirs_after is None:
        return False
    return math.isclose(ours_after - ours, theirs_after - theirs)


def explained(
    found: list[Diagnosis], comparison: Comparison, tried: Mapping[str, Comparison]
) -> list[Diagnosis]:
    """Put what experiments show, by their comparisons with the control, in the place of what they explain."""
    if SAME_HASH in tried:
        found = _by_hash(found, tried[SAME_HASH])
    if REMEMBERED in tried:
        found = _by_attributes(found, comparison, tried[REMEMBERED])
    return found


def settles(accepted: Sequence[Diagnosis], tried: Mapping[str, Comparison]) -> bool:
    """Return whether an experiment shows that the run recovers but for causes that are accepted."""
    shown_by = {CAUSES[each.cause].shown_by for each in accepted if each.cause in CAUSES}
    return any(comparison.equal for name, comparison in tried.items() if name in shown_by)


def _by_hash(found: list[Diagnosis], tried: Comparison) -> list[Diagnosis]:
    gone = {cause for cause in _gone(found, tried, SAME_HASH) if _is_made_good(cause, tried)}
    if not gone:
        return found
    return [
        diagnosis("depends-on-hash-order", recovers=_result(gone, tried)),
        *_left(found, gone, tried),
    ]


def _by_attributes(
    found: list[Diagnosis], comparison: Comparison, tried: Comparison
) -> list[Diagnosis]:
    gone = _gone(found, tried, REMEMBERED)
    if _rates_settle(comparison, tried):
        gone |= {"learning-rate-differs"} & names_of(found)
    if not gone:
        return found
    experiment = f"With the control's values put in, the resumed run {_result(gone, tried)}."
    lost = diagnosis(
        "python-state-lost", example=some(attributes(comparison), 2), experiment=experiment
    )
    return [lost, *_left(found, gone, tried)]


def _gone(found: list[Diagnosis], tried: Comparison, experiment: str) -> set[str]:
    """Return the causes that an experiment may settle and does not show.

    What had no reason is gone only where nothing differs any more.
    """
    gone = names_of(found) - names_of(diagnose(tried)) - (set() if tried.equal else {"unexplained"})
    return {cause for cause in gone if cause in CAUSES and experiment in CAUSES[cause].settled_by}


def _is_made_good(cause: str, tried: Comparison) -> bool:
    """Return whether it is not another cause of its sort that an experiment shows: other data by chance are no help."""
    return not CAUSES[cause].about_the_data or all(step.batch_equal for step in tried.steps)


def _left(found: list[Diagnosis], gone: set[str], tried: Comparison) -> list[Diagnosis]:
    """Return what is not explained; where the run recovers, that is what the control does by itself, and nothing else."""
    return [
        each for each in found if not is_of_restore(each) or not (tried.equal or each.cause in gone)
    ]


def _rates_settle(comparison: Comparison, tried: Comparison) -> bool:
    """Return whether the rates are the control's from the second step on, which they were not without the experiment.

    For its first step a callback may have set the rate before anything could be put in.
    """
    with_it, without = (
        [step.rate_equal for step in each.steps[1:]] for each in (tried, comparison)
    )
    return len(with_it) > 0 and all(with_it) and not all(without)


def _result(gone: set[str], tried: Comparison) -> str:
    return "recovers" if tried.equal else f"shows no {' and no '.join(sorted(gone))}"
