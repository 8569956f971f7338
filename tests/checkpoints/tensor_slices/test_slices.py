"""Forged V1 checkpoints lead to a clear refusal, never to wrong values, other exceptions or much memory."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ckptcheck import UsageError
from ckptcheck.checkpoints import DamagedError, open_checkpoint
from ckptcheck.checkpoints.tensor_bundle.messages import Extent, slice_key
from ckptcheck.checkpoints.tensor_slices import messages
from ckptcheck.filetools.fsck import fsck
from tests.checkpoints.bundles import field, table, write_state
from tests.checkpoints.refusals import read, refusal

FLOAT, INT, TEXT = 1, 3, 7
WHOLE = (Extent(0, -1),)
FLOATS = field(5, np.arange(3, dtype="<f4").tobytes())


def listed(
    name: bytes = b"x", shape: Sequence[int] = (3,), dtype: int = FLOAT, slices: int = 1
) -> bytes:
    sizes = b"".join(field(2, field(1, size)) for size in shape)
    cuts = field(4, field(1, b"")) * slices
    return field(1, field(1, name) + field(2, sizes) + field(3, dtype) + cuts)


def row(values: bytes = FLOATS, name: bytes = b"x") -> tuple[bytes, bytes]:
    return slice_key(name, WHOLE), field(2, field(1, name) + field(2, b"") + field(3, values))


def write(path: Path, tensors: bytes, *rows: tuple[bytes, bytes]) -> Path:
    path.write_bytes(table([(b"", field(1, tensors)), *sorted(rows)]))
    return path


def test_an_intact_file(tmp_path: Path) -> None:
    assert read(write(tmp_path / "model.ckpt-1", listed(), row()))["x"].tolist() == [0, 1, 2]
    whole = read(write(tmp_path / "model.ckpt-1", listed(dtype=INT), row(field(7, b"\1\x80\1\3"))))
    assert whole["x"].tolist() == [1, 128, 3]


FORGED: dict[str, tuple[bytes, list[tuple[bytes, bytes]], str]] = {
    "no values": (listed(), [], "P, tensor x: its values are missing from the file."),
    "fewer values": (
        listed(shape=[4]),
        [row()],
        "P, tensor x: its 14 bytes cannot hold shape [4].",
    ),
    "more values": (
        listed(shape=[2]),
        [row()],
        "P, tensor x: its values are malformed: its 12 bytes are not 2 of float32.",
    ),
    "a huge shape": (
        listed(shape=[1 << 40, 1 << 20]),
        [row()],
        "P, tensor x: its slice (0+-1) does not fit the tensor.",
    ),
    "a huge size": (
        listed(shape=[1 << 40]),
        [row()],
        "P, tensor x: its 14 bytes cannot hold shape [1099511627776].",
    ),
    "values of a different type": (
        listed(dtype=INT),
        [row()],
        "P, tensor x: its values are malformed: it does not hold 3 numbers.",
    ),
    "a number without an end": (
        listed(shape=[1], dtype=INT),
        [row(field(7, b"\x80" * 11 + b"\x01"))],
        "P, tensor x: its values are malformed: a number has no end.",
    ),
    "a number after the last": (
        listed(shape=[1], dtype=INT),
        [row(field(7, b"\x01\x80"))],
        "P, tensor x: its values are malformed: it does not hold 1 numbers.",
    ),
    "fewer texts": (
        listed(dtype=TEXT),
        [row(field(8, b"some") + field(8, b"text"))],
        "P, tensor x: its values are malformed: it holds 2 elements, not 3.",
    ),
    "an unknown type": (
        listed(dtype=99),
        [row()],
        "P, tensor x: its element type, number 99, is not one of V1 checkpoints.",
    ),
    "two slices that overlap": (
        listed(slices=2),
        [row()],
        "P, tensor x: its slices overlap or leave gaps.",
    ),
    "no slice": (listed(slices=0), [row()], "P, tensor x: its slices overlap or leave gaps."),
    "text in slices": (
        listed(dtype=TEXT, slices=2),
        [row()],
        "P, tensor x: text in 2 slices is not supported.",
    ),
    "no message": (
        b"\xff\xff",
        [row()],
        "P: the list of tensors is malformed: a number has no end.",
    ),
    "a row that is none": (
        listed(),
        [(slice_key(b"x", WHOLE), b"\x12\x00")],
        "P, tensor x: its values are malformed: it has no field 3.",
    ),
}


@pytest.mark.parametrize("what", FORGED)
def test_a_forged_file(what: str, tmp_path: Path) -> None:
    tensors, rows, sentence = FORGED[what]
    assert refusal(write(tmp_path / "forged", tensors, *rows)) == sentence


def test_a_file_under_the_ending_of_keras(tmp_path: Path) -> None:
    """`saver.save(session, "model.h5")` wrote V1 under this very name: the content decides."""
    path = write(tmp_path / "model.h5", listed(), row())
    for each in (path, tmp_path):
        assert open_checkpoint(each).format == "TensorFlow, tf.train.Saver (V1)"
    assert [str(each) for each in fsck(tmp_path).checkpoints] == [str(path)]


def test_shards_that_differ(tmp_path: Path) -> None:
    write(tmp_path / "m-00000-of-00002", listed(), row())
    write(tmp_path / "m-00001-of-00002", listed(shape=[4]), row())
    assert (
        refusal(tmp_path / "m")
        == "P-00001-of-00002, tensor x: its type or shape differs from that in m-00000-of-00002."
    )


def test_a_missing_shard(tmp_path: Path) -> None:
    write(tmp_path / "m-00000-of-00002", listed(), row())
    with pytest.raises(DamagedError, match=r"m-00001-of-00002: the file is missing\.$"):
        open_checkpoint(tmp_path)
    write_state(tmp_path, "m-?????-of-00002")
    (finding,) = [each for each in fsck(tmp_path).findings if each.grade == "wrong"][:1]
    assert finding.what == "The file is missing"


def test_a_torn_file_is_still_known(tmp_path: Path) -> None:
    path = write(tmp_path / "model.ckpt-1", listed(), row())
    path.write_bytes(path.read_bytes()[:-10])
    assert refusal(path).endswith(
        "the file does not end as TensorFlow's do: it is truncated, or a different file."
    )


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    tensors=st.binary(max_size=40) | st.just(listed()) | st.just(listed(dtype=INT)),
    values=st.binary(max_size=40),
)
def test_any_bytes_with_right_checksums(tensors: bytes, values: bytes, tmp_path: Path) -> None:
    path = write(tmp_path / "any", tensors, row(values))
    try:
        read(path)
    except (DamagedError, UsageError):
        return


def test_numbers_of_every_length() -> None:
    numbers = [0, 1, 127, 128, (1 << 32) - 1, 1 << 40, -1, -(1 << 63), (1 << 63) - 1]
    packed = b"".join(_varint(number) for number in numbers)
    assert messages.elements(field(10, packed), 9, len(numbers)).tolist() == numbers


def _varint(number: int) -> bytes:
    number &= (1 << 64) - 1
    parts = b""
    while number >= 0x80:
        parts, number = parts + bytes([number & 0x7F | 0x80]), number >> 7
    return parts + bytes([number])
