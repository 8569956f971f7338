"""What `diff` prints: the verdict, then every tensor that differs, the worst first, then sums by kind."""

import math
from collections.abc import Iterator, Sequence

from ckptcheck.checkpoints import Entry
from ckptcheck.filetools.diff import VALUE, WORDS, CheckpointDiff, TensorDiff
from ckptcheck.filetools.tables import PLURALS, columns, counted, heading, number, shaped

_COLUMNS = ("name", "kind", "differ", "absolute", "at", "of largest", "relative", "ULP")


def text(diff: CheckpointDiff, wide: int | None) -> Iterator[str]:
    """Yield the lines; `wide`: see `columns`."""
    yield from heading(diff.a, "A  ")
    yield from heading(diff.b, "B  ")
    yield ""
    yield _verdict(diff)
    yield from _tolerance(diff)
    if diff.same:
        return
    yield from _only("A", diff.only_a, wide)
    yield from _only("B", diff.only_b, wide)
    if diff.renamed:
        yield ""
        yield "the same value under another name:"
        yield from columns(("A", "B"), [[pair.a.shown, pair.b.shown] for pair in diff.renamed], 2, wide)
    yield from _unlike([pair for pair in diff.different if pair.what != VALUE], wide)
    yield from _values([pair for pair in diff.different if pair.what == VALUE], wide)
    yield ""
    rows = [[PLURALS[kind], *(f"{counts[word]:,}" for word in WORDS)] for kind, counts in diff.of_kinds().items()]
    yield from columns(("by kind", *WORDS), rows, 1, wide)


def _verdict(diff: CheckpointDiff) -> str:
    if diff.same:
        return f"Same: {counted(len(diff.pairs), 'tensor')}."
    parts = [
        (len(diff.different), f"{len(diff.different):,} of {counted(len(diff.pairs), 'tensor')} that both have"),
        (len(diff.renamed), f"{counted(len(diff.renamed), 'tensor')} under another name"),
        (len(diff.only_a), f"{counted(len(diff.only_a), 'tensor')} only in A"),
        (len(diff.only_b), f"{counted(len(diff.only_b), 'tensor')} only in B"),
    ]
    return f"Different: {', '.join(part for count, part in parts if count)}."


def _tolerance(diff: CheckpointDiff) -> Iterator[str]:
    """Say what was tolerated."""
    asked = [
        f"{'all' if kind is None else PLURALS[kind]} {own.text}{' NaN=NaN' if own.equal_nan else ''}".replace("  ", " ")
        for kind, own in diff.tolerance.items()
        if own.text or own.equal_nan
    ]
    if asked:
        yield f"Values count as equal within: {'; '.join(asked)}."


def _only(letter: str, entries: Sequence[Entry], wide: int | None) -> Iterator[str]:
    if entries:
        yield ""
        yield f"only in {letter}:"
        rows = [[entry.shown, entry.kind.value, shaped(entry.type, entry.shape)] for entry in entries]
        yield from columns(("name", "kind", "type"), rows, 3, wide)


def _unlike(pairs: Sequence[TensorDiff], wide: int | None) -> Iterator[str]:
    if pairs:
        yield ""
        yield "another type or shape:"
        rows = [[pair.a.shown, shaped(pair.a.type, pair.a.shape), shaped(pair.b.type, pair.b.shape)] for pair in pairs]
        yield from columns(("name", "A", "B"), rows, 3, wide)


def _values(pairs: Sequence[TensorDiff], wide: int | None) -> Iterator[str]:
    if not pairs:
        return
    yield ""
    yield "other values, the worst first. Largest differences: absolute, and where; that as a share of the largest number"
    yield "in A; relative to A's number at the same place; in units in the last place (ULP):"
    yield from columns(_COLUMNS, [_row(pair) for pair in pairs], 2, wide)
    for pair in pairs:
        if pair.value_origin:
            yield f"{pair.a.shown} has in B the value that {pair.value_origin} has in A."


def _row(pair: TensorDiff) -> list[str]:
    difference = pair.difference
    assert difference is not None
    where = f"[{','.join(map(str, difference.at))}]" if difference.at else ""
    absolute = f"{difference.nan:,} NaN" if difference.nan else number(difference.absolute).replace("inf", "∞") or "–"
    ulp = "" if difference.ulp is None else f"{difference.ulp:,}" if difference.ulp < 10**7 else f"{difference.ulp:.1e}"
    differ = f"{difference.differing:,}/{pair.a.elements:,}"
    shares = [_share(difference.share), _share(difference.relative)]
    return [pair.a.shown, pair.a.kind.value, differ, absolute, where, *shares, ulp]


def _share(value: float | None) -> str:
    return "" if value is None or math.isnan(value) else "∞" if math.isinf(value) else f"{value:.2g}"
