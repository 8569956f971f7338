"""Blocks compressed with Snappy."""

import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ckptcheck.checkpoints.tensor_bundle.protobuf import MalformedError
from ckptcheck.checkpoints.tensor_bundle.snappy import decompressed
from tests.checkpoints.bundles import compressed

MOST = 1 << 20


@settings(deadline=None)
@given(parts=st.lists(st.sampled_from([b"a", b"abc", b"layer_1/kernel", bytes(70)]), max_size=60))
def test_compressible_text(parts: list[bytes]) -> None:
    content = b"".join(parts)
    assert decompressed(compressed(content), MOST) == content


def test_content_that_is_hardly_compressible() -> None:
    content = os.urandom(60_000)
    assert decompressed(compressed(content), MOST) == content


def test_every_element_of_the_format() -> None:
    """Literals with a length in the tag, in one and in two bytes; copies with an offset in one, two and four."""
    literals = bytes([9 << 2]) + b"0123456789" + bytes([60 << 2, 69]) + b"x" * 70
    copies = bytes([0 << 5 | 1 << 2 | 1, 80, 3 << 2 | 2, 10, 0, 3 << 2 | 3, 84, 0, 0, 0])
    overlapping = bytes([7 << 2 | 2, 2, 0])
    assert decompressed(bytes([101]) + literals + copies + overlapping, MOST) == (
        b"0123456789" + b"x" * 70 + b"01234" + b"xxxx" + b"5678" + b"78787878"
    )


BAD = {
    "too much": (b"\xff\xff\x7f\0a", "it claims to hold 2,097,151 bytes"),
    "a bomb": (b"\x80\x80\x04\0a", "it claims to hold 65,536 bytes"),
    "from before its start": (b"\x05\0a\x01\x02", "it copies from before its start"),
    "from nowhere": (b"\x05\0a\x01\x00", "it copies from before its start"),
    "cut off in a literal": (b"\x05\x10abc", "literal bytes extend beyond its end"),
    "cut off in a copy": (b"\x05\0a\x0e\x01", "an element extends beyond its end"),
    "too little": (b"\x05\0a", "it holds 1 bytes instead of 5"),
    "more than claimed": (b"\x01\x04ab", "it holds more bytes than it claims"),
    "nothing": (b"", "a number has no end"),
}


@pytest.mark.parametrize("what", BAD)
def test_malformed(what: str) -> None:
    data, sentence = BAD[what]
    with pytest.raises(MalformedError, match=sentence):
        decompressed(data, MOST)


@settings(max_examples=500, deadline=None)
@given(data=st.binary(max_size=200))
def test_any_bytes(data: bytes) -> None:
    """Right or refused: no other exception, and never more than 32 times the bytes."""
    try:
        content = decompressed(data, MOST)
    except MalformedError:
        return
    assert len(content) <= 32 * len(data)


@settings(max_examples=500, deadline=None)
@given(at=st.integers(0, 400), value=st.integers(0, 255))
def test_a_changed_byte(at: int, value: int) -> None:
    data = bytearray(
        compressed(b"".join(b"layer_%d/kernel" % (number % 7) for number in range(40)))
    )
    data[at % len(data)] = value
    test_any_bytes.hypothesis.inner_test(bytes(data))  # type: ignore[attr-defined]
