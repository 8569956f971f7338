"""Tensors whose names differ in a prefix or in separators: `model/fc.weight` and `fc.weight`.

Names alone decide only if one prefix is all that most names of one checkpoint have in excess, and
all shapes agree. Tensors of equal value decide between several, as a model and its average. The
tensors that are left may have a different prefix, as those of an optimizer.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile

from ckptcheck.checkpoints import Entry
from ckptcheck.filetools.equality import Pair

_SEPARATORS = re.compile(r"[/.]")
# Parts of the longest prefix that is tried.
_DEPTH = 8
# Prefixes of one checkpoint.
_MOST = 4


@dataclass(frozen=True)
class Prefix:
    """What the names of one checkpoint begin with where the other's begin with something else.

    All separators are slashes.
    """

    a: str
    b: str

    def pairs(self, ones: Iterable[Entry], others: Iterable[Entry]) -> Iterator[Pair]:
        """Pair the tensors of A and of B that have one name after the prefix."""
        left, right = _by_name(ones), _by_name(others)
        for name, one in left.items():
            other = right.get(self.b + name.removeprefix(self.a))
            if name.startswith(self.a) and other is not None:
                yield one, other

    def joins(self, one: Entry, other: Entry) -> bool:
        """Return whether two tensors have one name after the prefix."""
        mine, its = _slashed(one), _slashed(other)
        return mine.startswith(self.a) and its == self.b + mine.removeprefix(self.a)


def common_prefixes(
    only_a: Sequence[Entry], only_b: Sequence[Entry], equal: Sequence[Pair]
) -> tuple[Prefix, ...]:
    """Return the prefixes in which most names differ; `equal` are pairs of tensors of one value."""
    found: list[Prefix] = []
    while len(found) < _MOST and (prefix := _common(only_a, only_b, equal)):
        found.append(prefix)
        pairs = list(prefix.pairs(only_a, only_b))
        done_a, done_b = {one.key for one, _ in pairs}, {other.key for _, other in pairs}
        only_a = [one for one in only_a if one.key not in done_a]
        only_b = [other for other in only_b if other.key not in done_b]
        equal = [
            (one, other)
            for one, other in equal
            if one.key not in done_a and other.key not in done_b
        ]
    return tuple(found)


def _common(
    only_a: Sequence[Entry], only_b: Sequence[Entry], equal: Sequence[Pair]
) -> Prefix | None:
    seen = Counter(filter(None, (_between(*pair) for pair in equal)))
    made = _made(_by_name(only_a), _by_name(only_b))
    for prefix, _ in seen.most_common(1):
        made[prefix] = list(prefix.pairs(only_a, only_b))
    most = min(len(only_a), len(only_b)) / 2
    scores = {
        prefix: (seen[prefix], len(pairs))
        for prefix, pairs in made.items()
        if len(pairs) > most and all(one.shape == other.shape for one, other in pairs)
    }
    best = max(scores, key=lambda prefix: scores[prefix], default=None)
    if best is None or list(scores.values()).count(scores[best]) > 1:
        return None
    return best if seen[best] or (len(scores) == 1 and len(made[best]) > 1) else None


def parts(name: str) -> list[str]:
    """Return the parts of a name between separators."""
    return _SEPARATORS.split(name)


def _made(left: dict[str, Entry], right: dict[str, Entry]) -> dict[Prefix, list[Pair]]:
    """Return the pairs that removing a prefix from names of one side makes, by prefix."""
    made: dict[Prefix, list[Pair]] = defaultdict(list)
    for name, one in left.items():
        for cut in _cuts(name):
            if name[cut:] in right:
                made[Prefix(name[:cut], "")].append((one, right[name[cut:]]))
    for name, other in right.items():
        for cut in _cuts(name):
            if cut and name[cut:] in left:
                made[Prefix("", name[:cut])].append((left[name[cut:]], other))
    return made


def _cuts(name: str) -> Iterator[int]:
    yield 0
    cut = 0
    for _ in range(_DEPTH):
        cut = name.find("/", cut) + 1
        if not cut:
            return
        yield cut


def _between(one: Entry, other: Entry) -> Prefix | None:
    """Return the prefix in which two names differ; None: their last parts differ."""
    left, right = parts(one.name), parts(other.name)
    ends = zip(reversed(left), reversed(right), strict=False)
    same = len(list(takewhile(lambda end: end[0] == end[1], ends)))
    return Prefix(*(_joined(own[: len(own) - same]) for own in (left, right))) if same else None


def _joined(parts: Sequence[str]) -> str:
    return "".join(f"{part}/" for part in parts)


def _by_name(entries: Iterable[Entry]) -> dict[str, Entry]:
    """Return the tensors by names that only one of them has."""
    entries = list(entries)
    counts = Counter(map(_slashed, entries))
    return {name: entry for entry in entries if counts[name := _slashed(entry)] == 1}


def _slashed(entry: Entry) -> str:
    return _SEPARATORS.sub("/", entry.name)
