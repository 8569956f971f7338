"""Scalars in event files, whole and not."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ckptcheck.command.event_files import scalars
from tests.command.events import VERSION, event, losses, message, record, simple, tensor, varint


@pytest.mark.parametrize(
    ("value", "read"),
    [
        (simple(0.5), [0.5]),
        # tf.summary.scalar writes a tensor: its bytes, or its elements, packed or not.
        (tensor(1, message(4, struct.pack("<f", 0.5))), [0.5]),
        (tensor(1, message(5, struct.pack("<f", 0.5))), [0.5]),
        (tensor(1, varint(5 << 3 | 5) + struct.pack("<f", 0.5)), [0.5]),
        (tensor(2, message(4, struct.pack("<d", 0.1))), [0.1]),
        (tensor(2, message(6, struct.pack("<d", 0.1))), [0.1]),
        # Text, whole numbers and histograms are no scalars.
        (tensor(7, message(8, b"text")), []),
        (tensor(3, message(4, struct.pack("<i", 1))), []),
        (tensor(1, message(4, struct.pack("<ff", 0.5, 1))), []),
        (message(5, b""), []),
        (b"", []),
    ],
)
def test_the_forms_of_a_scalar(value: bytes, read: list[float]) -> None:
    data = VERSION + record(event(300, "loss", value))
    assert list(scalars(data)) == [(300, "loss", each) for each in read]


@given(st.dictionaries(st.integers(0, 1 << 40), st.floats(width=32, allow_nan=False), max_size=5))
def test_every_scalar_is_read(values: dict[int, float]) -> None:
    assert list(scalars(losses(values))) == [(step, "loss", each) for step, each in values.items()]


@given(st.integers(0, len(losses({0: 1.0, 1: 2.0}))))
def test_a_file_that_is_still_written_ends_before_its_last_record(size: int) -> None:
    whole = list(scalars(losses({0: 1.0, 1: 2.0})))
    found = list(scalars(losses({0: 1.0, 1: 2.0})[:size]))
    assert found == whole[: len(found)]


@given(st.integers(0, len(losses({0: 1.0, 1: 2.0})) - 1), st.integers(1, 255))
def test_a_damaged_record_is_not_read(at: int, change: int) -> None:
    data = bytearray(losses({0: 1.0, 1: 2.0}))
    data[at] ^= change
    whole = list(scalars(losses({0: 1.0, 1: 2.0})))
    found = list(scalars(bytes(data)))
    assert found == whole[: len(found)]
    assert len(found) < 2


@given(st.binary(max_size=200))
def test_a_record_of_anything_raises_nothing(content: bytes) -> None:
    list(scalars(record(content)))
