"""Experiments: repeat a restore with one thing taken from the control, to find the cause.

A difference may come from the order of a set or from the state of Python objects; only an
experiment can show it. The catalogue says which causes an experiment may settle, and which cause it
shows. A further experiment shows whether a run recovers only because of our evaluation at the
boundary, which a training run does not make.
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
    """Return the useful experiments by name, each with the control's attributes to insert."""
    experiments = {
        name for cause in names_of(diagnoses) & set(CAUSES) for name in CAUSES[cause].settled_by
    }
    wanted: dict[str, Mapping[str, float]] = {SAME_HASH: {}} if SAME_HASH in experiments else {}
    if REMEMBERED in experiments and comparison.attributes:
        wanted[REMEMBERED] = {name: control for name, (control, _) in comparison.attributes.items()}
    return wanted


def made_good_by_evaluation(control: Run, resumed: Run) -> list[str]:
    """Return the differing attributes that our evaluation at the boundary changed unequally.

    An equal change, as of a counter of calls, keeps the difference as it was.
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
    """Return whether both runs had the same value before, or changed it by the same amount."""
    (ours, ours_after), (theirs, theirs_after) = control or (None, None), resumed or (None, None)
    if repr(ours) == repr(theirs):
        return True
    if ours is None or theirs is None or ours_after is None or theirs_after is None:
        return False
    return math.isclose(ours_after - ours, theirs_after - theirs)


def explained(
    found: list[Diagnosis], comparison: Comparison, tried: Mapping[str, Comparison]
) -> list[Diagnosis]:
    """Replace diagnoses with what experiments show of them, by comparison with the control."""
    if SAME_HASH in tried:
        found = _by_hash(found, tried[SAME_HASH])
    if REMEMBERED in tried:
        found = _by_attributes(found, comparison, tried[REMEMBERED])
    return found


def settles(accepted: Sequence[Diagnosis], tried: Mapping[str, Comparison]) -> bool:
    """Return whether an experiment shows that only accepted causes keep the run from recovering."""
    shown_by = {CAUSES[each.cause].shown_by for each in accepted if each.cause in CAUSES}
    return any(comparison.equal for name, comparison in tried.items() if name in shown_by)


def _by_hash(found: list[Diagnosis], tried: Comparison) -> list[Diagnosis]:
    settled = {cause for cause in _settled(found, tried, SAME_HASH) if _is_fixed(cause, tried)}
    if not settled:
        return found
    return [
        diagnosis("depends-on-hash-order", recovers=_result(settled, tried)),
        *_left(found, settled, tried),
    ]


def _by_attributes(
    found: list[Diagnosis], comparison: Comparison, tried: Comparison
) -> list[Diagnosis]:
    settled = _settled(found, tried, REMEMBERED)
    if _rates_settle(comparison, tried):
        settled |= {"learning-rate-differs"} & names_of(found)
    if not settled:
        return found
    experiment = f"With the control's values inserted, the resumed run {_result(settled, tried)}."
    lost = diagnosis(
        "python-state-lost", example=some(attributes(comparison), 2), experiment=experiment
    )
    return [lost, *_left(found, settled, tried)]


def _settled(found: list[Diagnosis], tried: Comparison, experiment: str) -> set[str]:
    """Return the causes that an experiment may settle, and that are not found in it.

    An unexplained difference is settled only if nothing differs any more.
    """
    remaining = names_of(diagnose(tried)) | (set() if tried.equal else {"unexplained"})
    absent = names_of(found) & set(CAUSES) - remaining
    return {cause for cause in absent if experiment in CAUSES[cause].settled_by}


def _is_fixed(cause: str, tried: Comparison) -> bool:
    """Return whether a cause is absent because all data are equal, not because they differ anew."""
    return not CAUSES[cause].about_the_data or all(step.batch_equal for step in tried.steps)


def _left(found: list[Diagnosis], settled: set[str], tried: Comparison) -> list[Diagnosis]:
    """Return the unsettled diagnoses; if the run recovers, only those about the control."""
    return [
        each
        for each in found
        if not is_of_restore(each) or not (tried.equal or each.cause in settled)
    ]


def _rates_settle(comparison: Comparison, tried: Comparison) -> bool:
    """Return whether only the experiment makes the rates equal, from the second step on.

    A callback may set the first rate before anything can be inserted.
    """
    with_it, without = (
        [step.rate_equal for step in each.steps[1:]] for each in (tried, comparison)
    )
    return len(with_it) > 0 and all(with_it) and not all(without)


def _result(settled: set[str], tried: Comparison) -> str:
    return "recovers" if tried.equal else f"no longer shows {' or '.join(sorted(settled))}"
