"""The text of `diff`: the verdict, every tensor that differs, worst first, and counts by kind."""

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import TypeVar

from ckptcheck.counts import counted
from ckptcheck.filetools.casts import CastDifference
from ckptcheck.filetools.diff import VALUE, WORDS, CheckpointDiff, Renamed, TensorDiff
from ckptcheck.filetools.prefixes import Prefix
from ckptcheck.filetools.tables import PLURALS, columns, heading, number, shaped, wrapped
from ckptcheck.text_safety import shown

_Pair = TypeVar("_Pair", Renamed, TensorDiff)

_COLUMNS = ("name", "kind", "differ", "|B−A|", "at", "÷ max |A|", "÷ |A|", "ULP")
_NUMBERS = """\
The same shapes in the same order under different numbers, compared below by
their names in A:"""
_NAMES = """\
Equal after rounding under different names, compared below by their names in A:"""
_VALUES = """\
Different values, worst first. Largest difference over all elements: |B−A|, and
its index; as a share of the largest |A|; as a share of |A| at the same index;
in units in the last place (ULP)."""


def text(diff: CheckpointDiff, wide: int | None) -> Iterator[str]:
    """Yield the lines; for `wide` see `columns`."""
    yield from heading(diff.a, wide, "A  ")
    yield from heading(diff.b, wide, "B  ")
    yield ""
    yield from wrapped(_verdict(diff), wide)
    for line in _tolerance(diff):
        yield from wrapped(line, wide)
    if diff.same:
        return
    for letter, entries, copies in (
        ("A", diff.only_a, diff.copies_a),
        ("B", diff.only_b, diff.copies_b),
    ):
        rows = [
            [entry.shown, entry.kind.value, shaped(entry.type, entry.shape)] for entry in entries
        ]
        yield from _section(f"Only in {letter}:", ("name", "kind", "type"), rows, 3, wide)
        for entry in entries:
            if entry.key in copies:
                line = f"{entry.shown} is a copy of {copies[entry.key]} in {letter}."
                yield from wrapped(line, wide, 4)
    renamed, elsewhere = list(diff.renamed), diff.elsewhere
    for prefix in diff.prefixes:
        same, renamed = _split(prefix, renamed)
        different, elsewhere = _split(prefix, elsewhere)
        if same or different:
            yield ""
            yield from wrapped(_by_prefix(prefix, same, different), wide)
    for title, pairs in (
        ("Renamed, with the same value:", renamed),
        (_NUMBERS, diff.renumbered),
        (_NAMES, elsewhere),
    ):
        names = [[pair.a.shown, pair.b.shown] for pair in pairs]
        yield from _section(title, ("A", "B"), names, 2, wide)
    unlike = [pair for pair in diff.different if pair.what != VALUE]
    types = [
        [pair.a.shown, *(shaped(entry.type, entry.shape) for entry in (pair.a, pair.b))]
        for pair in unlike
        if pair.cast is None
    ]
    yield from _section("Different type or shape:", ("name", "A", "B"), types, 3, wide)
    for title, casts in _by_types(unlike).items():
        rows = [[pair.a.shown, shaped("", pair.a.shape), _values(cast)] for pair, cast in casts]
        yield from _section(f"Different type: {title}.", ("name", "shape", "values"), rows, 3, wide)
    values = [pair for pair in diff.different if pair.what == VALUE]
    yield from _section(_VALUES, _COLUMNS, [_row(pair) for pair in values], 2, wide)
    for pair in values:
        if pair.value_origin:
            line = f"In B, {pair.a.shown} has the value that {pair.value_origin} has in A."
            yield from wrapped(line, wide, 4)
    yield ""
    rows = [
        [PLURALS[kind], *(f"{counts[word]:,}" for word in WORDS)]
        for kind, counts in diff.of_kinds().items()
    ]
    yield from columns(("kind", *WORDS), rows, 1, wide)


def _section(
    title: str, headers: Sequence[str], rows: Sequence[Sequence[str]], left: int, wide: int | None
) -> Iterator[str]:
    if rows:
        yield ""
        yield from title.splitlines()
        yield from columns(headers, rows, left, wide)


def _split(prefix: Prefix, pairs: Sequence[_Pair]) -> tuple[list[_Pair], list[_Pair]]:
    """Split pairs into those whose names differ by a prefix, and the rest."""
    explained: list[_Pair] = []
    others: list[_Pair] = []
    for pair in pairs:
        (explained if prefix.joins(pair.a, pair.b) else others).append(pair)
    return explained, others


def _by_prefix(prefix: Prefix, same: Sequence[Renamed], different: Sequence[TensorDiff]) -> str:
    first: Renamed | TensorDiff = same[0] if same else different[0]
    names = first.a.shown, first.b.shown
    what = "prefix" if prefix.a or prefix.b else "separator"
    if names[0] == names[1]:
        what, names = "key", (shown(first.a.key), shown(first.b.key))
    example = f"{names[0]} in A and {names[1]} in B"
    tensors = counted(len(same) + len(different), "tensor")
    below = "compared below by their names in A."
    if not different:
        rest = f"{tensors} with the same value."
    elif not same:
        rest = f"{tensors}, {below}"
    else:
        rest = f"{tensors}. The same type and value: {len(same):,}. The others are {below}"
    return f"Under a different {what}, as {example}: {rest}"


def _by_types(unlike: Sequence[TensorDiff]) -> dict[str, list[tuple[TensorDiff, CastDifference]]]:
    """Return the tensors that differ in type alone by a title that names both types."""
    found: dict[str, list[tuple[TensorDiff, CastDifference]]] = defaultdict(list)
    for pair in unlike:
        if pair.cast is not None:
            found[_types(pair)].append((pair, pair.cast))
    return found


def _types(pair: TensorDiff) -> str:
    return f"{pair.a.type} in A, {pair.b.type} in B"


def _values(cast: CastDifference) -> str:
    if cast.rounds:
        return "equal after rounding" if cast.absolute else "equal"
    if not cast.absolute:
        return "equal but for the sign of zero"
    if math.isnan(cast.absolute):
        return "differ in NaN"
    return f"differ by {number(cast.absolute).replace('inf', '∞')}"


def _verdict(diff: CheckpointDiff) -> str:
    if diff.same:
        return f"Same: {counted(len(diff.pairs), 'tensor')} compared, all equal."
    places = (
        (diff.renamed, "renamed"),
        (diff.renumbered, "under different numbers"),
        (diff.elsewhere, "under different names"),
        (diff.only_a, "only in A"),
        (diff.only_b, "only in B"),
    )
    parts = [f"{len(tensors):,} {where}" for tensors, where in places if tensors]
    if diff.different:
        both = f"{counted(len(diff.pairs), 'tensor')} in both checkpoints"
        parts.insert(0, f"{len(diff.different):,} of {both}{_only_types(diff.different)}")
    if not diff.pairs and not diff.renamed:
        parts.insert(0, "no tensor in common")
    return f"Different: {', '.join(parts)}."


def _only_types(different: Sequence[TensorDiff]) -> str:
    """Return what to add if no more than types differ, and the values are equal."""
    casts = [pair.cast for pair in different if pair.cast is not None and pair.cast.rounds]
    if len(casts) < len(different):
        return ""
    types = {_types(pair) for pair in different}
    equal = "equal" if all(cast.is_exact for cast in casts) else "equal after rounding"
    return f" ({types.pop() if len(types) == 1 else 'in type only'}, {equal})"


def _tolerance(diff: CheckpointDiff) -> Iterator[str]:
    asked = [
        " ".join(
            filter(
                None,
                [
                    "all tensors" if kind is None else PLURALS[kind],
                    own.text,
                    "NaN=NaN" if own.equal_nan else "",
                ],
            )
        )
        for kind, own in diff.tolerance.items()
        if own.text or own.equal_nan
    ]
    if asked:
        yield f"Tolerance: {'; '.join(asked)}."


def _row(pair: TensorDiff) -> list[str]:
    difference = pair.difference
    assert difference is not None
    where = f"[{','.join(map(str, difference.at))}]" if difference.at else ""
    absolute = (
        f"{difference.nan:,} NaN"
        if difference.nan
        else number(difference.absolute).replace("inf", "∞") or "–"
    )
    ulp = (
        ""
        if difference.ulp is None
        else f"{difference.ulp:,}"
        if difference.ulp < 10**7
        else f"{difference.ulp:.1e}"
    )
    differ = f"{difference.differing:,}/{pair.a.elements:,}"
    shares = [_share(difference.share), _share(difference.relative)]
    return [pair.a.shown, pair.a.kind.value, differ, absolute, where, *shares, ulp]


def _share(value: float | None) -> str:
    return (
        "" if value is None or math.isnan(value) else "∞" if math.isinf(value) else f"{value:.2g}"
    )
