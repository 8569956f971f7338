"""Bitwise equality of tensors in two checkpoints, compared as bytes on all cores.

Equal pieces need only one checksum.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ckptcheck.arrays import Array, may_be_nan
from ckptcheck.checkpoints import CHUNK, Checkpoint, Entry, Piece
from ckptcheck.checkpoints.checksums import checksum, joined, masked
from ckptcheck.checkpoints.reader import Bytes
from ckptcheck.filetools.parallel import over
from ckptcheck.filetools.progress import Progress
from ckptcheck.filetools.value_diff import in_step

# Bytes of one task: enough to be worth a thread, few enough that two cores share one large tensor.
SPAN = 32 * CHUNK

Pair = tuple[Entry, Entry]


@dataclass(frozen=True)
class _Span:
    """The same elements of a tensor in both checkpoints, and the whole pieces `of_a` and `of_b`."""

    pair: Pair
    a: Piece
    b: Piece
    of_a: Piece
    of_b: Piece


def equal(
    a: Checkpoint,
    b: Checkpoint,
    pairs: Sequence[Pair],
    equal_nan: Callable[[Entry], bool],
    progress: Progress,
) -> frozenset[str]:
    """Return the keys in A of the tensors that are bitwise equal, with matching checksums.

    The two of a pair have one type and shape. A tensor with NaN is equal only with `equal_nan`.
    Compare the other pairs by value: they may differ, be cut into different pieces, or be damaged.
    """
    pairs = [pair for pair in pairs if _is_comparable(*pair)]
    spans = [span for pair in pairs for span in _spans(pair)]
    progress.expect(sum(map(_size, spans)))
    equal_keys = {left.key for left, _ in pairs}
    sums: dict[int, int] = {}  # by id of the piece
    for span, sum_ in over(
        spans, lambda span: _compare(a, b, span, equal_nan(span.pair[0]), progress), _size, progress
    ):
        if sum_ is None:
            equal_keys.discard(span.pair[0].key)
            continue
        for piece in (id(span.of_a), id(span.of_b)):
            sums[piece] = joined(sums[piece], sum_, span.a.size) if piece in sums else sum_
    for left, right in pairs:
        if left.key in equal_keys and any(
            _is_wrong(piece, sums) for piece in (*left.pieces, *right.pieces)
        ):
            equal_keys.discard(left.key)
    return frozenset(equal_keys)


def _size(span: _Span) -> int:
    return span.a.size + span.b.size


def _is_comparable(left: Entry, right: Entry) -> bool:
    """Return whether both tensors store the same elements in the same byte order and sequence."""
    if left.dtype is None or left.dtype != right.dtype:
        return False
    if len(left.pieces) == len(right.pieces) == 1 or left.cut == right.cut:
        return True
    in_files = all(piece.offset is not None for piece in (*left.pieces, *right.pieces))
    return in_files and left.rows is not None and right.rows is not None


def _spans(pair: Pair) -> Iterator[_Span]:
    """Cut two tensors into spans that lie within one piece of each."""
    left, right = pair
    if left.rows is not None and right.rows is not None:
        yield from _of_pieces(pair, left.rows, right.rows)
    else:
        for one, two in zip(left.pieces, right.pieces, strict=True):
            yield from _of_pieces(pair, [one], [two])


def _of_pieces(pair: Pair, left: Sequence[Piece], right: Sequence[Piece]) -> Iterator[_Span]:
    mine, other = [piece for piece in left if piece.size], [piece for piece in right if piece.size]
    at_a = at_b = 0
    while mine and other:
        one, two = mine[0], other[0]
        size = min(one.size - at_a, two.size - at_b)
        if one.offset is not None and two.offset is not None:
            size = min(size, SPAN)
        yield _Span(pair, _part(one, at_a, size), _part(two, at_b, size), one, two)
        at_a, at_b = at_a + size, at_b + size
        if at_a == one.size:
            mine, at_a = mine[1:], 0
        if at_b == two.size:
            other, at_b = other[1:], 0


def _part(piece: Piece, at: int, size: int) -> Piece:
    if size == piece.size:
        return piece
    assert piece.offset is not None
    return replace(piece, offset=piece.offset + at, size=size)


def _compare(
    a: Checkpoint, b: Checkpoint, span: _Span, equal_nan: bool, progress: Progress
) -> int | None:
    """Return the checksum of both parts; None: they differ, or hold NaN without `equal_nan`."""
    left, right = span.pair
    if (
        span.of_a.size == span.of_b.size
        and None not in (sums := {span.of_a.checksum, span.of_b.checksum})
        and len(sums) > 1
    ):
        return None
    dtype = left.dtype
    assert dtype is not None
    has_nan = _has_nan if not equal_nan and may_be_nan(dtype) else lambda values: False
    sum_ = 0
    for one, two in in_step(
        a.chunks(left, span.a, verify=False), b.chunks(right, span.b, verify=False)
    ):
        if not _same(one, two) or has_nan(one.view(dtype)):
            return None
        sum_ = checksum(one, sum_)
        progress.advance(2 * len(one))
    return sum_


def _has_nan(values: Array) -> bool:
    # The minimum is NaN if any element is: twice as fast as a test of each.
    return bool(
        np.isnan(values.min() if values.dtype.kind == "f" and values.size else values).any()
    )


def _same(left: Bytes, right: Bytes) -> bool:
    whole = len(left) // 8 * 8
    # Comparing words of 8 bytes is several times as fast as comparing bytes.
    words = np.array_equal(left[:whole].view(np.uint64), right[:whole].view(np.uint64))
    return bool(words and (whole == len(left) or np.array_equal(left[whole:], right[whole:])))


def _is_wrong(piece: Piece, sums: dict[int, int]) -> bool:
    return piece.checksum is not None and masked(sums.get(id(piece), 0)) != piece.checksum
