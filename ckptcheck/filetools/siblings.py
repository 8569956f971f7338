"""Constants of paired layers: a bias of zeros, whose kernel is known under a different name.

A constant may be equal by chance. It is paired only within its layer, and only if no other tensor
of the layer, on either side, has its kind, type, shape and value. A layer is known by its tensors
that are paired, or by how the names of such layers differ: `layers/*/vars` and `model/*`.
"""

from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from ckptcheck.checkpoints import Checkpoint, Entry
from ckptcheck.filetools.equality import Pair
from ckptcheck.filetools.prefixes import parts
from ckptcheck.filetools.same_value import has_value, mark

Layer = tuple[str, ...]
# The tensors of each layer by kind and mark.
_Layers = Mapping[Layer, Mapping[Hashable, list[Entry]]]

# Ways in which names of layers differ: those tried, the most frequent first.
_WAYS = 4
# Parts of the longest name that is compared with others.
_DEPTH = 32


def siblings(
    a: Checkpoint,
    b: Checkpoint,
    only_a: Sequence[Entry],
    only_b: Sequence[Entry],
    known: Sequence[Pair],
) -> Iterator[Pair]:
    """Pair the tensors that are alike in one layer; `known` are the pairs of others."""
    same = _same_layers(set(map(_layer, only_a)), set(map(_layer, only_b)), known)
    left = _by_layer(a, only_a, {one for one, _ in same}, only_b)
    right = _by_layer(b, only_b, {other for _, other in same}, only_a)
    pairs: list[Pair] = []
    times: Counter[tuple[str, str]] = Counter()  # in A or B, by key: in how many pairs
    for layer, its in sorted(same):
        for value in filter(right[its].__contains__, left[layer]):
            ones, others = left[layer][value], right[its][value]
            pairs.append((ones[0], others[0]))
            times.update(("a", one.key) for one in ones for _ in others[:2])
            times.update(("b", other.key) for other in others for _ in ones[:2])
    for one, other in pairs:
        unique = times["a", one.key] == times["b", other.key] == 1
        if unique and has_value(a, one, b, other):
            yield one, other


@dataclass(frozen=True)
class _Way:
    """How the names of a layer differ: what stands before and after a part that they share."""

    a: tuple[Layer, Layer]
    b: tuple[Layer, Layer]

    def renamed(self, layer: Layer) -> Layer | None:
        """Return the name in B of a layer of A; None: its name is not of this form."""
        head, tail = self.a
        middle = layer[len(head) : len(layer) - len(tail)]
        if not middle or (*head, *middle, *tail) != layer:
            return None
        return (*self.b[0], *middle, *self.b[1])


def _same_layers(
    left: set[Layer], right: set[Layer], known: Sequence[Pair]
) -> set[tuple[Layer, Layer]]:
    """Return the layers of `left` with those of `right` that may be the same."""
    seen = {(_layer(one), _layer(other)) for one, other in known}
    ways = Counter(filter(None, (_way(*layers) for layers in seen)))
    new_a, new_b = left - {one for one, _ in seen}, right - {other for _, other in seen}
    guessed = {
        (layer, its)
        for way, _ in ways.most_common(_WAYS)
        for layer in new_a
        if (its := way.renamed(layer)) in new_b and its is not None
    }
    return {
        (one, other)
        for one, other in seen | guessed
        if one and other and one in left and other in right
    }


def _way(one: Layer, other: Layer) -> _Way | None:
    if max(len(one), len(other)) > _DEPTH:
        return None
    run = SequenceMatcher(None, one, other, autojunk=False).find_longest_match()
    if not run.size:
        return None
    end_a, end_b = run.a + run.size, run.b + run.size
    return _Way((one[: run.a], one[end_a:]), (other[: run.b], other[end_b:]))


def _by_layer(
    checkpoint: Checkpoint, entries: Iterable[Entry], layers: set[Layer], like: Iterable[Entry]
) -> _Layers:
    """Return the tensors of some layers, if their kind, type and shape occur in `like`."""
    wanted = {(entry.kind, entry.type, entry.shape) for entry in like}
    found: dict[Layer, dict[Hashable, list[Entry]]] = {layer: {} for layer in layers}
    for entry in entries:
        layer = _layer(entry)
        if layer in layers and (entry.kind, entry.type, entry.shape) in wanted:
            value = entry.kind, mark(checkpoint, entry)
            found[layer].setdefault(value, []).append(entry)
    return found


def _layer(entry: Entry) -> Layer:
    return tuple(parts(entry.name)[:-1])
