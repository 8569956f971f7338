"""Random generators that no compared step draws from, or that it draws from for nothing.

Their state reaches nothing that was seen, so a difference in it is no loss. A run that was cut
shows less: its next epoch may draw the order of the data.
"""

from dataclasses import replace

from ckptcheck.arrays import Array, same
from ckptcheck.comparison.comparison import Comparison
from ckptcheck.job.protocol import RANDOM
from ckptcheck.kinds import Kind
from ckptcheck.run.run import Run
from ckptcheck.run.snapshots import FINAL, INITIAL, Snapshot, boundary_point

# The first word of a Mersenne Twister that was seeded from a list of words, as one is that no
# program seeds, and the position at which it then begins. A first draw changes either.
_SEEDED = 0x80000000
_BEGINS_AT = {f"{RANDOM}python": 624, f"{RANDOM}numpy": 623}
_POSITION = 624  # of the position, after the words; behind it, whether a number is kept


def is_undrawn(name: str, control: Run, resumed: Run) -> bool:
    """Return whether a tensor is a random generator that neither run draws from.

    A draw changes the state of a generator; the value of one without draws reaches nothing.
    """
    held = control.boundary.get(name)
    return (
        held is not None
        and held.kind is Kind.RNG
        and _is_constant(name, control.initial, control.boundary, control.final)
        and _is_constant(name, resumed.boundary, resumed.final)
    )


def without_idle_generators(comparison: Comparison) -> Comparison:
    """Count generators that a program may draw from for nothing as equal, if no step differs.

    A loader of PyTorch's draws a seed for its workers, whether it has any or not.
    """
    rows = tuple(
        replace(row, equal=True, unread=True) if row.name.startswith(RANDOM) else row
        for row in comparison.tensors
    )
    without = replace(comparison, tensors=rows)
    same_course = all(each.equal and each.inputs_equal for each in comparison.steps) and all(
        each.equal for each in comparison.evaluations
    )
    return without if without.equal or same_course else comparison


def undecided(control: Run, resumed: Run) -> tuple[str, ...]:
    """Return the generators that a later step than those of a run that was cut may draw from.

    They differ at the boundary, the control does not draw from them after it, and something drew
    from them before: the program, or the first epoch.
    """
    if not control.facts.is_cut:
        return ()
    found = tuple(
        name
        for name, ours in control.boundary.items()
        if ours.kind is Kind.RNG
        and name in resumed.boundary
        and not same(ours.value, resumed.boundary[name].value)
        and _is_constant(name, control.boundary, control.final)
        and not _is_fresh(name, ours.value)
    )
    has_them = any(name.startswith(RANDOM) for name in control.boundary)
    return found if has_them else (*found, *_of_digests(control, resumed))


def _of_digests(control: Run, resumed: Run) -> tuple[str, ...]:
    """Return those of Python's and NumPy's global generators, where they are known by digests.

    Whether a program seeds them is not known: the control's own steps have to draw from them.
    """
    ours, point = control.facts.generators, boundary_point(control.facts.schedule.boundary)
    theirs = resumed.facts.generators.get(point, {})
    first, here, last = (ours.get(each, {}) for each in (INITIAL, point, FINAL))
    return tuple(
        name
        for name, state in here.items()
        if theirs.get(name, state) != state
        and first.get(name, state) != state
        and last.get(name) == state
    )


def _is_constant(name: str, *snapshots: Snapshot) -> bool:
    return all(
        name in snapshot and same(snapshots[0][name].value, snapshot[name].value)
        for snapshot in snapshots
    )


def _is_fresh(name: str, state: Array) -> bool:
    """Return whether nothing has drawn from a generator since it was seeded, where that shows."""
    if name in _BEGINS_AT:
        if state.size <= _POSITION + 1:
            return False  # a different algorithm
        place, keeps = state[_POSITION : _POSITION + 2]
        return bool(state[0] == _SEEDED and place == _BEGINS_AT[name] and not keeps)
    if state.shape == (2,):  # a seed of Keras, and how often it was drawn from
        return not state[1]
    return state.shape == (3,) and not state[:2].any()  # tf.random.Generator: its count, its key
