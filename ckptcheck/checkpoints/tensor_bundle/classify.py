"""What a tensor of a bundle is called, and its kind, as far as keys and the object graph can tell."""

import re
from collections import Counter
from collections.abc import Mapping

from ckptcheck import kinds
from ckptcheck.checkpoints.checkpoint import Entry
from ckptcheck.checkpoints.classify import by_name, is_counter
from ckptcheck.checkpoints.tensor_bundle.object_graph import Tracked
from ckptcheck.kinds import Kind

AVERAGE = "/ExponentialMovingAverage"
_SLOT = ".OPTIMIZER_SLOT"
_ATTRIBUTES = ".ATTRIBUTES"
_PRIVATE = re.compile(r"_|layer(_with_weights)?-\d+")
_PRIVATE_ITEM = re.compile(r"_\w+\[")
_BETA_POWER = re.compile(r"beta[12]_power(_\d+)?")
_VARIABLE = "VARIABLE_VALUE"
# What LossScaleOptimizer of Keras has of its own.
_LOSS_SCALE = ("dynamic_scale", "step_counter")


def named(entries: Mapping[str, Entry], tracked: Mapping[str, Tracked]) -> dict[str, Entry]:
    """Return the tensors of a bundle with names for people and with kinds; `tracked` is what an object graph tells of keys."""
    known = {
        key: each for key in entries if (each := tracked.get(key) or _of_its_object(key, tracked))
    }
    names = Counter(each.variable for each in known.values() if _is_made_up(each.path))
    classified = {}
    for key, entry in entries.items():
        if key in known:
            name, kind = _name(known[key], names) or key, _of_tracked(entry, known[key])
        else:
            name, kind = entry.name, _of_saver(entry, entries)
        # What dataclasses.replace does, in a quarter of the time: there are checkpoints with ten thousands of tensors.
        classified[key] = Entry(key, name, kind, entry.type, entry.dtype, entry.shape, entry.pieces)
    return classified


def _name(known: Tracked, names: Mapping[str, int]) -> str:
    name = known.variable if names[known.variable] == 1 and _is_made_up(known.path) else known.path
    return (
        name
        if known.attribute == _VARIABLE
        else f"{name} ({known.attribute.lower().replace('_', ' ')})"
    )


def _of_its_object(key: str, tracked: Mapping[str, Tracked]) -> Tracked | None:
    """Return what is known of a value whose object has written it under another key, as iterators do."""
    place, _, attribute = key.rpartition("/")
    paths = (each.path for other, each in tracked.items() if other.rpartition("/")[0] == place)
    path = next(paths, None) if place.endswith(_ATTRIBUTES) else None
    return None if path is None else Tracked(path, attribute, "", frozenset())


def _is_made_up(path: str) -> bool:
    """Return whether no person wrote a path, for it leads through what is private to a library.

    That a layer keeps its own variable in a private attribute is no reason to call it otherwise.
    """
    *above, last = path.split(".")
    return any(_PRIVATE.match(each) for each in above) or bool(_PRIVATE_ITEM.match(last))


def _of_tracked(entry: Entry, known: Tracked) -> Kind:
    if known.attribute != _VARIABLE:
        return Kind.OTHER
    if _SLOT in entry.key:
        return Kind.SLOT
    if "_model_variables_moving_average" in known.via:
        return Kind.SHADOW
    if "_accumulated_gradients" in known.via:
        return Kind.ACCUMULATOR
    last = known.variable.rpartition("/")[2]
    of_optimizer = "_variables" in known.via and "_trainable_variables" not in known.via
    if last in _LOSS_SCALE or known.path.rpartition(".")[2] in _LOSS_SCALE:
        return Kind.LOSS_SCALE
    if (
        of_optimizer
        and last != "learning_rate"
        and not (kinds.is_moving_statistic(last) or is_counter(entry))
    ):
        return Kind.SLOT
    return by_name(
        entry, f"{known.path.replace('.', '/')}/{known.variable or known.path.rpartition('.')[2]}"
    )


def _of_saver(entry: Entry, entries: Mapping[str, Entry]) -> Kind:
    if AVERAGE in entry.key:
        # Averages are kept of variables, and of what is computed: there is no variable of that name then.
        return Kind.SHADOW if entry.key.partition(AVERAGE)[0] in entries else Kind.MOVING_STATISTIC
    above = entry.key.rpartition("/")[0]
    if (above in entries and entries[above].shape == entry.shape) or _BETA_POWER.fullmatch(
        entry.key.rpartition("/")[2]
    ):
        return Kind.SLOT
    return by_name(entry, entry.key)
