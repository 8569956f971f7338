"""Tensors of the same layers under different numbers: `dense_1/kernel` and `dense_4/kernel`.

Keras numbers the layers of a process, not those of a model: a process's second model has names that
differ from the first's. Tensors are paired in the order of their numbers, if all types and shapes
agree, and no number occurs on both sides: that layer may be the same one.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from ckptcheck.checkpoints import Entry
from ckptcheck.checkpoints.find import by_number

_NUMBER = re.compile(r"_\d+(?=[/.: ]|$)")


def renumbered(
    only_a: Sequence[Entry], only_b: Sequence[Entry], both: Iterable[str]
) -> Iterator[tuple[Entry, Entry]]:
    """Pair tensors of A alone with those of B alone whose names differ in numbers of layers.

    `both` are the keys of all others.
    """
    left, right = _by_name(only_a), _by_name(only_b)
    common = {_NUMBER.sub("", key) for key in both}
    for name, ones in left.items():
        others = right.get(name, [])
        if name not in common and list(map(_form, ones)) == list(map(_form, others)):
            yield from zip(ones, others, strict=True)


def is_renumbered(one: Entry, other: Entry) -> bool:
    """Return whether two names differ, and in numbers of layers only."""
    return one.key != other.key and _NUMBER.sub("", one.key) == _NUMBER.sub("", other.key)


def _by_name(entries: Iterable[Entry]) -> dict[str, list[Entry]]:
    """Return the tensors by their names without numbers, in the order of the numbers."""
    found: dict[str, list[Entry]] = defaultdict(list)
    for entry in sorted(entries, key=lambda entry: by_number(entry.key)):
        found[_NUMBER.sub("", entry.key)].append(entry)
    return found


def _form(entry: Entry) -> tuple[str, tuple[int, ...]]:
    return entry.type, entry.shape
