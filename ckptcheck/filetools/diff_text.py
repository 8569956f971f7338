"""What `diff` prints: the verdict, then every tensor that differs, the worst first, then sums by kind."""

import math
from collections.abc import Iterator, Sequence

from ckptcheck.checkpoints import Entry
from ckptcheck.filetools.diff import VALUE, WORDS, Difference, Pair
from ckptcheck.filetools.tables import PLURALS, columns, counted, shaped
from ckptcheck.filetools.wording import heading, number

_COLUMNS = ("name", "kind", "differ", "absolute", "at", "of largest", "relative", "ULP")


def text(found: Difference, wide: int | None) -> Iterator[str]:
    """Yield the lines; `wide`: see `columns`."""
    yield from heading(found.a, "A  ")
    yield from heading(found.b, "B  ")
    yield ""
    yield _verdict(found)
    yield from _tolerance(found)
    if found.same:
        return
    yield from _only("A", found.only_a, wide)
    yield from _only("B", found.only_b, wide)
    if found.renamed:
        yield ""
        yield "the same value under another name:"
        yield from columns(("A", "B"), [[each.a.shown, each.b.shown] for each in found.renamed], 2, wide)
    yield from _unlike([pair for pair in found.different if pair.what != VALUE], wide)
    yield from _values([pair for pair in found.different if pair.what == VALUE], wide)
    yield ""
    rows = [[PLURALS[kind], *(f"{counts[word]:,}" for word in WORDS)] for kind, counts in found.of_kinds().items()]
    yield from columns(("by kind", *WORDS), rows, 1, wide)


def _verdict(found: Difference) -> str:
    if found.same:
        return f"Same: {counted(len(found.pairs), 'tensor')}."
    parts = [
        (len(found.different), f"{len(found.different):,} of {counted(len(found.pairs), 'tensor')} that both have"),
        (len(found.renamed), f"{counted(len(found.renamed), 'tensor')} under another name"),
        (len(found.only_a), f"{counted(len(found.only_a), 'tensor')} only in A"),
        (len(found.only_b), f"{counted(len(found.only_b), 'tensor')} only in B"),
    ]
    return f"Different: {', '.join(told for count, told in parts if count)}."


def _tolerance(found: Difference) -> Iterator[str]:
    """Say what was tolerated."""
    asked = [
        f"{'all' if kind is None else PLURALS[kind]} {each.text}{' NaN=NaN' if each.equal_nan else ''}".replace("  ", " ")
        for kind, each in found.tolerance.items()
        if each.text or each.equal_nan
    ]
    if asked:
        yield f"Values count as equal within: {'; '.join(asked)}."


def _only(letter: str, entries: Sequence[Entry], wide: int | None) -> Iterator[str]:
    if entries:
        yield ""
        yield f"only in {letter}:"
        rows = [[each.shown, each.kind.value, shaped(each.type, each.shape)] for each in entries]
        yield from columns(("name", "kind", "type"), rows, 3, wide)


def _unlike(pairs: Sequence[Pair], wide: int | None) -> Iterator[str]:
    if pairs:
        yield ""
        yield "another type or shape:"
        rows = [[pair.a.shown, shaped(pair.a.type, pair.a.shape), shaped(pair.b.type, pair.b.shape)] for pair in pairs]
        yield from columns(("name", "A", "B"), rows, 3, wide)


def _values(pairs: Sequence[Pair], wide: int | None) -> Iterator[str]:
    if not pairs:
        return
    yield ""
    yield "other values, the worst first. Largest differences: absolute, and where; that as a share of the largest number"
    yield "in A; relative to A's number at the same place; in units in the last place (ULP):"
    yield from columns(_COLUMNS, [_row(pair) for pair in pairs], 2, wide)
    for pair in pairs:
        if pair.instead:
            yield f"{pair.a.shown} has in B the value that {pair.instead} has in A."


def _row(pair: Pair) -> list[str]:
    found = pair.apart
    assert found is not None
    where = f"[{','.join(map(str, found.at))}]" if found.at else ""
    absolute = f"{found.nan:,} NaN" if found.nan else number(found.absolute).replace("inf", "∞") or "–"
    ulp = "" if found.ulp is None else f"{found.ulp:,}" if found.ulp < 10**7 else f"{found.ulp:.1e}"
    differ = f"{found.differing:,}/{pair.a.elements:,}"
    return [pair.a.shown, pair.a.kind.value, differ, absolute, where, _share(found.share), _share(found.relative), ulp]


def _share(value: float | None) -> str:
    return "" if value is None or math.isnan(value) else "∞" if math.isinf(value) else f"{value:.2g}"
