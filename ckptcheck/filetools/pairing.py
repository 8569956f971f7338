"""Which tensors of two checkpoints are the same although their names differ."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from ckptcheck.checkpoints import Checkpoint, Entry
from ckptcheck.filetools.equality import Pair
from ckptcheck.filetools.prefixes import Prefix, common_prefixes
from ckptcheck.filetools.renumbered import renumbered
from ckptcheck.filetools.rounded_values import rounded_values
from ckptcheck.filetools.same_value import Alike, has_value, same_values
from ckptcheck.filetools.siblings import siblings


@dataclass(frozen=True)
class Pairing:
    """The pairs of tensors whose names differ, and the tensors without a partner."""

    equal: tuple[Pair, ...]  # of one type, shape and value
    others: tuple[Pair, ...]  # known by their names or after rounding, to be compared
    only_a: tuple[Entry, ...]
    only_b: tuple[Entry, ...]
    prefixes: tuple[Prefix, ...]  # in which most of the names differ

    def with_equal(self, pairs: Iterable[Pair]) -> "Pairing":
        """Return the pairing with more pairs of equal value."""
        return self._with((*self.equal, *pairs), self.others)

    def with_others(self, pairs: Iterable[Pair]) -> "Pairing":
        """Return the pairing with more pairs to be compared."""
        return self._with(self.equal, (*self.others, *pairs))

    def _with(self, equal: tuple[Pair, ...], others: tuple[Pair, ...]) -> "Pairing":
        pairs = (*equal, *others)
        return Pairing(
            equal,
            others,
            _without(self.only_a, {one.key for one, _ in pairs}),
            _without(self.only_b, {other.key for _, other in pairs}),
            self.prefixes,
        )


def paired(
    a: Checkpoint,
    b: Checkpoint,
    only_a: Sequence[Entry],
    only_b: Sequence[Entry],
    both: Iterable[str],
) -> Pairing:
    """Pair tensors of A alone with those of B alone; `both` are the keys of all others."""
    groups = list(same_values(a, b, only_a, only_b))
    sure = [(one.a[0], one.b[0]) for one in groups if len(one.a) == len(one.b) == 1]
    rounded = list(
        rounded_values(
            a,
            b,
            _without(only_a, {entry.key for one in groups for entry in one.a}),
            _without(only_b, {entry.key for one in groups for entry in one.b}),
        )
    )
    prefixes = common_prefixes(only_a, only_b, [*sure, *rounded])
    equal = [
        (one, other)
        for group in groups
        for one, other in _matched(group, prefixes)
        if has_value(a, one, b, other)
    ]
    pairing = Pairing((), (), tuple(only_a), tuple(only_b), prefixes)
    pairing = pairing.with_equal(equal).with_others(rounded)
    pairing = pairing.with_others(renumbered(pairing.only_a, pairing.only_b, both))
    for prefix in prefixes:
        pairing = pairing.with_others(prefix.pairs(pairing.only_a, pairing.only_b))
    known = [*equal, *rounded]
    return pairing.with_equal(siblings(a, b, pairing.only_a, pairing.only_b, known))


def _matched(group: Alike, prefixes: Iterable[Prefix]) -> Iterator[Pair]:
    """Pair tensors of one value: by a prefix, then in their order."""
    ones, others = group.a, group.b
    for prefix in prefixes:
        pairs = list(prefix.pairs(ones, others))
        yield from pairs
        ones = _without(ones, {one.key for one, _ in pairs})
        others = _without(others, {other.key for _, other in pairs})
    yield from zip(ones, others, strict=False)


def _without(entries: Sequence[Entry], keys: set[str]) -> tuple[Entry, ...]:
    return tuple(entry for entry in entries if entry.key not in keys)
