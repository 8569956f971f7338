"""The kind of a variable in a Keras file, which only numbers its layers' and optimizer's variables.

Keras fixes the order in which variables are created. Batch norm creates gamma and beta, if enabled,
then the moving mean and variance. An optimizer creates its iteration count and learning rate, then
weight averages (`use_ema`), accumulated gradients (`gradient_accumulation_steps`), and its slots.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ckptcheck.checkpoints.checkpoint import Entry
from ckptcheck.checkpoints.classify import by_name, is_counter
from ckptcheck.kinds import Kind

OPTIMIZER = ("optimizer/", "optimizer_weights/")
_BATCH_NORM = "BatchNormalization"
OUTER, INNER = "optimizer/vars/", "optimizer/inner_optimizer/"
# The numbers of the own variables of LossScaleOptimizer, and of its inner optimizer's first.
_FINITE_STEPS, _SCALE, OF_WRAPPER = 2, 3, 4


def kinds(entries: Mapping[str, Entry], names: Mapping[str, str], config: Any) -> dict[str, Kind]:
    """Return the kind of each variable.

    `names` maps groups to layer names; `config` is the model's, or None.
    """
    parts = list(_parts(config))
    layers = {
        each["config"]["name"]: each["class_name"]
        for each in parts
        if isinstance(each["config"].get("name"), str)
    }
    found = {
        key: _of_layer(each, entries, names, layers)
        for key, each in entries.items()
        if not key.startswith(OPTIMIZER)
    }
    weights = [entries[key] for key, kind in found.items() if kind is Kind.WEIGHT]
    optimizer = {key: each for key, each in entries.items() if key.startswith(OPTIMIZER)}
    return found | _of_optimizer(optimizer, weights, [each["config"] for each in parts])


def _parts(config: Any) -> Iterator[Mapping[str, Any]]:
    """Yield every object in a config that has its own class and config."""
    waiting = [config]
    while waiting:
        each = waiting.pop()
        if isinstance(each, dict):
            if isinstance(each.get("class_name"), str) and isinstance(each.get("config"), dict):
                yield each
            waiting += each.values()
        elif isinstance(each, list):
            waiting += each


def _of_layer(
    entry: Entry, entries: Mapping[str, Entry], names: Mapping[str, str], layers: Mapping[str, str]
) -> Kind:
    group, _, which = entry.key.rpartition("/")
    if not which.isdecimal():  # before Keras 3, files store variable names
        return by_name(entry, entry.key.removesuffix(":0"))
    if "metrics" in entry.key.split("/")[0]:
        return Kind.METRIC
    # The group of a layer may have the name of a model's attribute; an HDF5 attribute has its own.
    layer = names.get(group) or group.removesuffix("/vars").rpartition("/")[2]
    if layers.get(layer) == _BATCH_NORM or (
        layer not in layers and layer.startswith("batch_normalization")
    ):
        count = sum(each.rpartition("/")[0] == group for each in entries)
        return Kind.MOVING_STATISTIC if int(which) >= count - 2 else Kind.WEIGHT
    return by_name(entry, f"{group}/")


def _of_optimizer(
    entries: Mapping[str, Entry], weights: Sequence[Entry], configs: Sequence[Mapping[str, Any]]
) -> dict[str, Kind]:
    found = {key: _of_number(each) for key, each in entries.items()}
    if any(key.startswith(INNER) for key in entries):
        found |= {key: _of_wrapper(key, each) for key, each in entries.items() if _is_outer(key)}
    numbered = numbered_slots(found)
    for option, kind in (
        ("use_ema", Kind.SHADOW),
        ("gradient_accumulation_steps", Kind.ACCUMULATOR),
    ):
        if any(each.get(option) for each in configs) and _are_of(
            numbered[: len(weights)], entries, weights
        ):
            found |= dict.fromkeys(numbered[: len(weights)], kind)
            numbered = numbered[len(weights) :]
    return found


def _of_number(entry: Entry) -> Kind:
    """Return the kind of an optimizer variable, by number and shape; slots are rarely scalars."""
    which = entry.key.rpartition("/")[2].removesuffix(":0")
    if entry.shape or (which.isdecimal() and which not in ("0", "1")):
        return Kind.SLOT
    if not which.isdecimal() and by_name(entry, which) is Kind.COUNTER:
        return Kind.COUNTER
    return Kind.COUNTER if is_counter(entry) else Kind.HYPERPARAMETER


def _is_outer(key: str) -> bool:
    return key.startswith(OUTER) and key.rpartition("/")[2].isdecimal()


def _of_wrapper(key: str, entry: Entry) -> Kind:
    """Return the kind of a variable of LossScaleOptimizer.

    After its own counter, rate, count of finite steps and scale come the inner optimizer's.
    """
    which = int(key.rpartition("/")[2])
    if which in (_FINITE_STEPS, _SCALE):
        return Kind.LOSS_SCALE
    if entry.shape or which not in (0, 1, OF_WRAPPER, OF_WRAPPER + 1):
        return Kind.SLOT
    return Kind.COUNTER if is_counter(entry) else Kind.HYPERPARAMETER


def numbered_slots(kinds: Mapping[str, Kind]) -> list[str]:
    """Return the keys of an optimizer's numbered slots, averages and accumulators, in order.

    LossScaleOptimizer lists those of its inner optimizer, too: these are left out.
    """
    of_optimizer = (Kind.SLOT, Kind.SHADOW, Kind.ACCUMULATOR)
    keys = [
        key
        for key, kind in kinds.items()
        if kind in of_optimizer and key.startswith(OPTIMIZER) and key.rpartition("/")[2].isdecimal()
    ]
    inner = [key for key in keys if key.startswith(INNER)]
    return sorted(inner or keys, key=_number)


def _are_of(keys: Sequence[str], entries: Mapping[str, Entry], weights: Sequence[Entry]) -> bool:
    return Counter(entries[key].shape for key in keys) == Counter(each.shape for each in weights)


def _number(key: str) -> tuple[str, int]:
    group, _, which = key.rpartition("/")
    return group, int(which)
