"""Names for the numbered variables of a Keras optimizer: the weight that each belongs to.

An optimizer creates its variables for the model's trainable weights, in their order, which is that
of the layers in the config. Names are given only where the config has that order, and every shape
agrees with it.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ckptcheck.checkpoints.checkpoint import Entry
from ckptcheck.checkpoints.keras.classify import INNER, OF_WRAPPER, OUTER, numbered_slots
from ckptcheck.kinds import Kind

# The variables of each weight, side by side, in blocks: see `build` in keras/src/optimizers.
_ADAM = (("momentum", "velocity"), ("velocity hat",))
_BLOCKS: Mapping[str, Sequence[Sequence[str]]] = {
    "Adadelta": (("accumulated gradient", "accumulated delta"),),
    "Adagrad": (("accumulator",),),
    "Adam": _ADAM,
    "AdamW": _ADAM,
    "Adamax": (("momentum", "norm"),),
    "Ftrl": (("accumulator", "linear"),),
    "Lamb": _ADAM[:1],
    "Lion": (("momentum",),),
    "Nadam": _ADAM[:1],
    "RMSprop": (("velocity",), ("momentum",), ("average gradient",)),
    "SGD": (("momentum",),),
}
_OPTIONS = {"velocity hat": "amsgrad", "average gradient": "centered"}


def slot_names(
    entries: Mapping[str, Entry], names: Mapping[str, str], config: Any
) -> dict[str, str]:
    """Return the names of an optimizer's variables that belong to weights, by key.

    `entries` have their kinds; `names` maps groups to layer names; `config` is the model's or None.
    """
    if not isinstance(config, dict):
        return {}
    weights = _trained(entries, names, config)
    optimizer = _optimizer(config)
    keys = numbered_slots({key: each.kind for key, each in entries.items()})
    roles = list(_roles(optimizer, weights))
    # Nadam, and no other, has a number after all others.
    given = list(zip(keys, roles, strict=False))
    fits = all(entries[key].shape == entries[weight].shape for key, (weight, _) in given)
    if not roles or not fits or len(keys) - len(roles) not in (0, optimizer[0] == "Nadam"):
        return {}
    found = {key: f"{weight} (optimizer: {role})" for key, (weight, role) in given}
    return found | dict(_again(found, entries))


def _again(found: Mapping[str, str], entries: Mapping[str, Entry]) -> Iterator[tuple[str, str]]:
    """Yield the names of the inner optimizer's variables where LossScaleOptimizer lists them."""
    for key, name in found.items():
        if key.startswith(INNER):
            outer = f"{OUTER}{int(key.rpartition('/')[2]) + OF_WRAPPER}"
            if outer in entries and entries[outer].shape == entries[key].shape:
                yield outer, f"{name}, again"


def _trained(
    entries: Mapping[str, Entry], names: Mapping[str, str], config: Mapping[str, Any]
) -> list[str]:
    """Return the keys of the trainable weights in the model's order; empty: it is unknown."""
    order = {name: at for at, name in enumerate(_layers(config, is_trained=True))}
    every = set(_layers(config, is_trained=None))
    found = []
    for key, entry in entries.items():
        group, _, which = key.rpartition("/")
        if entry.kind is Kind.WEIGHT:
            if names.get(group) not in every or not which.isdecimal():
                return []
            if names[group] in order:
                found.append((order[names[group]], int(which), key))
    return [key for _, _, key in sorted(found)]


def _layers(config: Mapping[str, Any], is_trained: bool | None) -> Iterator[str]:
    """Yield the names of all layers in the config of a model, in order; or of the trained ones."""
    own = config.get("config")
    if not isinstance(own, dict) or (is_trained and own.get("trainable") is False):
        return
    layers = own.get("layers")
    if isinstance(layers, list):
        for layer in layers:
            if isinstance(layer, dict):
                yield from _layers(layer, is_trained)
    elif isinstance(own.get("name"), str):
        yield own["name"]


def _optimizer(config: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    """Return the class and config of the optimizer, inside LossScaleOptimizer if there is one."""
    compiled = config.get("compile_config")
    found = compiled.get("optimizer") if isinstance(compiled, dict) else None
    while isinstance(found, dict) and isinstance(found.get("config"), dict):
        inner = found["config"].get("inner_optimizer")
        if not isinstance(inner, dict):
            return str(found.get("class_name")), found["config"]
        found = inner
    return "", {}


def _roles(
    optimizer: tuple[str, Mapping[str, Any]], weights: Sequence[str]
) -> Iterator[tuple[str, str]]:
    """Yield the weight and the role of each numbered variable, in the order of creation."""
    name, options = optimizer
    if name not in _BLOCKS:
        return
    blocks = [block for block in _BLOCKS[name] if options.get(_OPTIONS.get(block[0], ""), True)]
    if not options.get("momentum", True):
        blocks = [block for block in blocks if block != ("momentum",)]
    if options.get("use_ema"):
        blocks.insert(0, ("average",))
    if options.get("gradient_accumulation_steps"):
        blocks.insert(int(bool(options.get("use_ema"))), ("gradient accumulator",))
    for block in blocks:
        yield from ((weight, role) for weight in weights for role in block)
