"""`diff`: compare two checkpoints, tensor by tensor."""

import json
from collections import Counter
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ckptcheck.checkpoints import Checkpoint, Entry, open_checkpoint
from ckptcheck.checkpoints.find import by_number
from ckptcheck.filetools.casts import CastDifference, cast_difference, is_cast
from ckptcheck.filetools.equality import Pair, equal
from ckptcheck.filetools.json_numbers import or_text
from ckptcheck.filetools.pairing import paired
from ckptcheck.filetools.parallel import over
from ckptcheck.filetools.prefixes import Prefix
from ckptcheck.filetools.progress import Progress
from ckptcheck.filetools.renumbered import is_renumbered
from ckptcheck.filetools.same_value import copied, origins
from ckptcheck.filetools.value_diff import ValueDifference, rank, value_difference
from ckptcheck.kinds import Kind
from ckptcheck.tolerance import EXACT, Tolerance

SAME, VALUE, SHAPE, DTYPE = "same", "value", "shape", "dtype"
# Columns of the counts by kind.
WORDS = ("same", "different", "renamed", "only in A", "only in B")


@dataclass(frozen=True)
class Renamed:
    """A tensor of A, and one of B with a different name and the same value."""

    a: Entry
    b: Entry


@dataclass(frozen=True)
class TensorDiff:
    """A tensor that both checkpoints have, under one name or under different names."""

    a: Entry
    b: Entry
    what: str  # `same`, or what differs: `value`, `shape` or `dtype`
    difference: ValueDifference | None = None
    cast: CastDifference | None = None  # of the values, if `dtype` differs
    value_origin: str = ""  # name of a different tensor, whose value in A this one has in B


@dataclass(frozen=True)
class CheckpointDiff:
    """The comparison of two checkpoints: tensors of one alone, renamed ones, and those in both."""

    a: Checkpoint
    b: Checkpoint
    only_a: tuple[Entry, ...]
    only_b: tuple[Entry, ...]
    renamed: tuple[Renamed, ...]
    pairs: tuple[TensorDiff, ...]
    # by kind; None: the default for all tensors
    tolerance: Mapping[Kind | None, Tolerance] = field(default_factory=dict)
    prefixes: tuple[Prefix, ...] = ()  # in which most of the names differ
    # By key of a tensor of one alone: the tensor of the same checkpoint that it is a copy of.
    copies_a: Mapping[str, str] = field(default_factory=dict)
    copies_b: Mapping[str, str] = field(default_factory=dict)

    @property
    def same(self) -> bool:
        """Whether names, types and shapes are equal, and values are within the tolerance."""
        others = (self.only_a, self.only_b, self.renamed, self.renumbered, self.different)
        return not any(others)

    @property
    def renumbered(self) -> list[TensorDiff]:
        """The tensors that are paired although the numbers of their layers differ."""
        return [pair for pair in self.pairs if is_renumbered(pair.a, pair.b)]

    @property
    def elsewhere(self) -> list[TensorDiff]:
        """The tensors that differ, and are paired although more than numbers differs in the names.

        They are known by a prefix, or by values that are equal after rounding.
        """
        return [pair for pair in self.pairs if _is_elsewhere(pair)]

    @property
    def different(self) -> list[TensorDiff]:
        """The common tensors that differ, worst first: type or shape, then NaN, then `share`."""
        return sorted((pair for pair in self.pairs if pair.what != SAME), key=_badness)

    @property
    def exit_code(self) -> int:
        """0: the checkpoints are the same; 1: they differ."""
        return 0 if self.same else 1

    def of_kinds(self) -> dict[Kind, dict[str, int]]:
        """Return the counts of `WORDS` for each kind of tensor."""
        words = [(pair.a.kind, "same" if pair.what == SAME else "different") for pair in self.pairs]
        words += [(pair.a.kind, "renamed") for pair in self.renamed]
        words += [(entry.kind, "only in A") for entry in self.only_a] + [
            (entry.kind, "only in B") for entry in self.only_b
        ]
        counts = Counter(words)
        present = {kind for kind, _ in words}
        return {
            kind: {word: counts[kind, word] for word in WORDS} for kind in Kind if kind in present
        }

    def to_dict(self) -> dict[str, Any]:
        """Return what `--json` prints; NaN and infinity are strings."""
        return {
            "same": self.same,
            "a": {"checkpoint": str(self.a.path), "format": self.a.format, "chosen": self.a.chosen},
            "b": {"checkpoint": str(self.b.path), "format": self.b.format, "chosen": self.b.chosen},
            "tolerance": {
                "all" if kind is None else kind.value: asdict(own)
                for kind, own in self.tolerance.items()
            },
            "kinds": {
                kind.value: {
                    word.replace(" ", "_").lower(): count for word, count in counts.items()
                }
                for kind, counts in self.of_kinds().items()
            },
            "only_in_a": [_only_dict(entry, self.copies_a) for entry in self.only_a],
            "only_in_b": [_only_dict(entry, self.copies_b) for entry in self.only_b],
            "renamed": [{"a": pair.a.shown, "b": pair.b.shown} for pair in self.renamed],
            "renumbered": [{"a": pair.a.shown, "b": pair.b.shown} for pair in self.renumbered],
            "under_different_names": [
                {"a": pair.a.shown, "b": pair.b.shown} for pair in self.elsewhere
            ],
            "different": [_pair_dict(pair) for pair in self.different],
        }

    def to_json(self) -> str:
        """Return `to_dict` as a JSON document."""
        return json.dumps(self.to_dict(), indent=2, allow_nan=False)


def _is_elsewhere(pair: TensorDiff) -> bool:
    """Return whether two names differ in more than numbers."""
    return pair.a.key != pair.b.key and not is_renumbered(pair.a, pair.b)


def _entry_dict(entry: Entry) -> dict[str, Any]:
    return {
        "name": entry.shown,
        "kind": entry.kind.value,
        "dtype": entry.type,
        "shape": list(entry.shape),
    }


def _only_dict(entry: Entry, copies: Mapping[str, str]) -> dict[str, Any]:
    return _entry_dict(entry) | {"copy_of": copies.get(entry.key)}


def _pair_dict(pair: TensorDiff) -> dict[str, Any]:
    common = _entry_dict(pair.a) | {"differs_in": pair.what}
    difference = pair.difference
    if difference is None:
        return (
            common
            | {"b": {"dtype": pair.b.type, "shape": list(pair.b.shape)}}
            | {"values": _cast_dict(pair.cast)}
        )
    return common | {
        "elements": pair.a.elements,
        "differing": difference.differing,
        "absolute": or_text(difference.absolute),
        "absolute_of_largest": or_text(difference.share),
        "relative": or_text(difference.relative),
        "ulp": difference.ulp,
        "at": None if difference.at is None else list(difference.at),
        "nan": difference.nan,
        "has_the_value_of": pair.value_origin or None,
    }


def _cast_dict(cast: CastDifference | None) -> dict[str, Any] | None:
    if cast is None:
        return None
    return {
        "equal": cast.is_exact,
        "equal_after_rounding": cast.rounds,
        "absolute": or_text(cast.absolute),
    }


def _badness(pair: TensorDiff) -> tuple[object, ...]:
    difference, cast = pair.difference, pair.cast
    if difference is None:
        grade, most = (0, 0.0) if cast is None or cast.rounds else rank(cast.absolute)
        return (0, pair.what, -grade, -most, pair.a.shown)
    grade, _ = rank(difference.absolute)
    return (1, -grade, -(difference.share or 0.0), -difference.differing, pair.a.shown)


def diff(
    a: Path | str,
    b: Path | str,
    *,
    tolerance: Tolerance = EXACT,
    by_kind: Mapping[Kind, Tolerance] | None = None,
    progress: Progress | None = None,
) -> CheckpointDiff:
    """Compare two checkpoints by the keys of their tensors.

    Args:
        a, b: prefixes, checkpoint files, or folders.
        tolerance: the difference to accept between floats: |B − A| ≤ atol + rtol · |A|. NaN equals
            NaN only with `equal_nan`.
        by_kind: tolerances for kinds of tensors, instead of `tolerance`.
        progress: receives the number of bytes read.

    Raises:
        UsageError: there is no such checkpoint.
        DamagedError: a checkpoint cannot be read, or the checksum of a tensor does not match.
    """
    left, right = open_checkpoint(a), open_checkpoint(b)
    tolerances: dict[Kind | None, Tolerance] = {None: tolerance}
    for kind, own in (by_kind or {}).items():
        tolerances[kind] = own
    both = [(one, right.entries[key]) for key, one in left.entries.items() if key in right.entries]
    pairing = paired(
        left,
        right,
        _without(left, right.entries),
        _without(right, left.entries),
        [one.key for one, _ in both],
    )
    compared = _pairs(
        left,
        right,
        [*both, *pairing.others],
        lambda entry: tolerances.get(entry.kind, tolerance),
        progress or Progress(),
    )
    same = [pair for pair in compared if pair.what == SAME and _is_elsewhere(pair)]
    renamed = [*pairing.equal, *((pair.a, pair.b) for pair in same)]
    return CheckpointDiff(
        left,
        right,
        pairing.only_a,
        pairing.only_b,
        tuple(Renamed(*pair) for pair in sorted(renamed, key=lambda pair: by_number(pair[0].name))),
        tuple(pair for pair in compared if pair.what != SAME or not _is_elsewhere(pair)),
        tolerances,
        pairing.prefixes,
        copied(left, pairing.only_a),
        copied(right, pairing.only_b),
    )


def _without(checkpoint: Checkpoint, keys: Container[str]) -> list[Entry]:
    """Return the tensors whose keys are not in `keys`, sorted by name."""
    entries = (entry for key, entry in checkpoint.entries.items() if key not in keys)
    return sorted(entries, key=lambda entry: by_number(entry.name))


def _pairs(
    a: Checkpoint,
    b: Checkpoint,
    both: Sequence[Pair],
    tolerance: Callable[[Entry], Tolerance],
    progress: Progress,
) -> list[TensorDiff]:
    alike = [(left, right) for left, right in both if not _unlike(left, right)]
    same = equal(a, b, alike, lambda entry: tolerance(entry).equal_nan, progress)
    others = [(left, right) for left, right in alike if left.key not in same]
    progress.expect(sum(map(_size, others)))

    def compare(pair: Pair) -> ValueDifference:
        return value_difference(a, b, *pair, tolerance(pair[0]), progress)

    compared = over(others, compare, _size, progress)
    differences = {
        left.key: difference for (left, _), difference in compared if difference.differing
    }
    casts = _casts(a, b, [pair for pair in both if is_cast(*pair)], progress)
    value_origins = origins(
        a, b, [(left, right) for left, right in others if left.key in differences]
    )
    diffs = []
    for left, right in both:
        what = _unlike(left, right) or (VALUE if left.key in differences else SAME)
        diffs.append(
            TensorDiff(
                left,
                right,
                what,
                differences.get(left.key),
                casts.get(left.key),
                value_origins.get(left.key, ""),
            )
        )
    return diffs


def _casts(
    a: Checkpoint, b: Checkpoint, pairs: Sequence[Pair], progress: Progress
) -> dict[str, CastDifference]:
    """Return, by key, how the values differ where only the element types do."""
    progress.expect(sum(map(_size, pairs)))

    def compare(pair: Pair) -> CastDifference:
        return cast_difference(a, b, *pair, progress)

    return {left.key: cast for (left, _), cast in over(pairs, compare, _size, progress)}


def _size(pair: Pair) -> int:
    return pair[0].bytes + pair[1].bytes


def _unlike(left: Entry, right: Entry) -> str:
    return SHAPE if left.shape != right.shape else DTYPE if left.type != right.type else ""
