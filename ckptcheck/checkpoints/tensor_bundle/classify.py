"""The name and kind of a bundle's tensor, inferred from its key and the object graph."""

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
# A Keras model lists its variables under `variables`, too.
_PRIVATE_ITEM = re.compile(r"(_\w+|variables)\[")
_METRIC = re.compile(r"(.*\.)?(_?metrics|compile_metrics)\[\d+\]\..*")
# A variable of an optimizer, such as `optimizer.beta_1`.
_OF_OPTIMIZER = re.compile(r"(.*\.)?\w*optimizer\w*\.\w+")
_BETA_POWER = re.compile(r"beta[12]_power(_\d+)?")
_VARIABLE = "VARIABLE_VALUE"
# The variables of Keras's LossScaleOptimizer.
_LOSS_SCALE = ("dynamic_scale", "step_counter")


def named(entries: Mapping[str, Entry], tracked: Mapping[str, Tracked]) -> dict[str, Entry]:
    """Return a bundle's tensors with readable names and kinds; `tracked` is its object graph."""
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
        # Four times as fast as dataclasses.replace, for checkpoints with 10,000s of tensors.
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
    """Return the record of a value that its object saves under a further key, as iterators do."""
    place, _, attribute = key.rpartition("/")
    paths = (each.path for other, each in tracked.items() if other.rpartition("/")[0] == place)
    path = next(paths, None) if place.endswith(_ATTRIBUTES) else None
    return None if path is None else Tracked(path, attribute, "", frozenset())


def _is_made_up(path: str) -> bool:
    """Return whether a path leads through a library's private attributes, so that no user wrote it.

    The last part may be private: a layer may keep its own variable in a private attribute.
    """
    *above, last = path.split(".")
    return any(_PRIVATE.match(each) for each in above) or bool(_PRIVATE_ITEM.match(last))


def _of_tracked(entry: Entry, known: Tracked) -> Kind:
    if known.attribute != _VARIABLE:
        return Kind.OTHER
    if _SLOT in entry.key:
        return Kind.SLOT
    if _METRIC.fullmatch(known.path):
        return Kind.METRIC
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
    kind = by_name(
        entry, f"{known.path.replace('.', '/')}/{known.variable or known.path.rpartition('.')[2]}"
    )
    is_setting = not entry.shape and _OF_OPTIMIZER.fullmatch(known.path)
    return Kind.HYPERPARAMETER if kind is Kind.WEIGHT and is_setting else kind


def _of_saver(entry: Entry, entries: Mapping[str, Entry]) -> Kind:
    if AVERAGE in entry.key:
        # An average of a computed tensor has no variable of its name, one of a variable has.
        return Kind.SHADOW if entry.key.partition(AVERAGE)[0] in entries else Kind.MOVING_STATISTIC
    above = entry.key.rpartition("/")[0]
    if (above in entries and entries[above].shape == entry.shape) or _BETA_POWER.fullmatch(
        entry.key.rpartition("/")[2]
    ):
        return Kind.SLOT
    return by_name(entry, entry.key)
