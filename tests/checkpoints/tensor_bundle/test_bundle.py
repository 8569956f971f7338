"""Forged bundles lead to a clear refusal, never to wrong values, other exceptions or much memory."""

from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

from tests.checkpoints import bundles
from tests.checkpoints.bundles import (
    NUMBERS,
    Row,
    changed,
    field,
    index,
    rows_and_data,
    sliced,
    write,
)
from tests.checkpoints.refusals import ROW, TENSOR, read, refusal


def test_an_intact_bundle_is_read(tmp_path: Path) -> None:
    small = np.array([1, -2], ml_dtypes.int4)
    found = read(
        write(
            tmp_path / "whole",
            {**TENSOR, "texts": [b"one", b""], "small": small, "step": np.array(7)},
        )
    )
    assert found["weight"].tolist() == TENSOR["weight"].tolist()
    assert (found["texts"].tolist(), found["small"].tolist(), found["step"].tolist()) == (
        [b"one", b""],
        [1, -2],
        7,
    )


ENTRIES: dict[str, tuple[Row | bytes, str]] = {
    "another shape": (
        changed(ROW, shape=[3, 3]),
        "P.index, tensor weight: its 24 bytes do not fit float32 of shape [3, 3].",
    ),
    "a huge shape": (
        changed(ROW, shape=[1 << 40, 1 << 20]),
        "P.index, tensor weight: its 24 bytes do not fit float32 of shape [1099511627776, 1048576].",
    ),
    "a huge tensor": (
        changed(ROW, shape=[1 << 40], size=1 << 42),
        "P.data-00000-of-00001, tensor weight: the file ends at byte 24, but 4,398,046,511,104 bytes are expected at byte 0.",
    ),
    "a negative dimension": (
        changed(ROW, shape=[-2, -3]),
        "P.index, tensor weight: its entry is malformed: [-2, -3] is not a valid shape.",
    ),
    "a negative size": (
        changed(ROW, size=-24),
        "P.index, tensor weight: its entry is malformed: an offset, a size or a data file number is negative.",
    ),
    "an offset beyond the end": (
        changed(ROW, offset=1),
        "P.data-00000-of-00001, tensor weight: the file ends at byte 24, but 24 bytes are expected at byte 1.",
    ),
    "another element type": (
        changed(ROW, dtype=NUMBERS["int32"], checksum=ROW.checksum ^ 1),
        "P.data-00000-of-00001, byte 0, tensor weight: the checksum of its 24 bytes does not match the index: "
        "the data are corrupt, or from a different save.",
    ),
    "no element type": (
        changed(ROW, dtype=0),
        "P.index, tensor weight: its element type, number 0, is unknown.",
    ),
    "an unknown element type": (
        changed(ROW, dtype=99),
        "P.index, tensor weight: its element type, number 99, is unknown.",
    ),
    "another data file": (
        changed(ROW, shard=3),
        "P.index, tensor weight: its data file has number 3, but the index counts 1.",
    ),
    "a text of its numbers": (
        changed(ROW, dtype=bundles.STRING),
        "P.data-00000-of-00001, byte 0, tensor weight: the lengths of its elements do not add up to its size.",
    ),
    "more texts than bytes": (
        changed(ROW, dtype=bundles.STRING, shape=[1 << 50]),
        "P.index, tensor weight: its 24 bytes cannot hold 1,125,899,906,842,624 elements of string.",
    ),
    "no message": (
        b"\xff\xff\xff",
        "P.index, tensor weight: its entry is malformed: a number has no end.",
    ),
    "a field that is none": (
        b"\x07",
        "P.index, tensor weight: its entry is malformed: a field has the number 0.",
    ),
    "a text where a number is": (
        field(1, b"text"),
        "P.index, tensor weight: its entry is malformed: a number field holds bytes.",
    ),
    "slices without slices": (
        changed(ROW, slices=[((0, 1), (0, 3)), ((1, 1), (0, 3))]),
        "P.index, tensor weight: its slice (0+1, 0+3) is missing or does not fit the tensor.",
    ),
    "a slice beyond it": (
        changed(ROW, slices=[((1, 2), (0, 3))]),
        "P.index, tensor weight: its slice (1+2, 0+3) is missing or does not fit the tensor.",
    ),
}


@pytest.mark.parametrize("what", ENTRIES)
def test_a_forged_entry(what: str, tmp_path: Path) -> None:
    forged, sentence = ENTRIES[what]
    assert refusal(write(tmp_path / "forged", TENSOR, weight=forged)) == sentence


HEADS = {
    "none": (
        b"",
        "P.index, tensor (header): its entry is malformed: it claims 0 data files and byte order 0.",
    ),
    "no data file": (
        bundles.header(0),
        "P.index, tensor (header): its entry is malformed: it claims 0 data files and byte order 0.",
    ),
    "too many": (
        bundles.header(1 << 40),
        "P.index, tensor (header): its entry is malformed: it claims 1099511627776 data files and byte order 0.",
    ),
}


@pytest.mark.parametrize("what", HEADS)
def test_a_forged_header(what: str, tmp_path: Path) -> None:
    head, sentence = HEADS[what]
    prefix = write(tmp_path / "forged", TENSOR)
    Path(f"{prefix}.index").write_bytes(index({"weight": ROW}, head))
    assert refusal(prefix) == sentence


def test_values_in_the_opposite_byte_order(tmp_path: Path) -> None:
    prefix, swapped = tmp_path / "big", TENSOR["weight"].astype(">f4")
    rows, _ = rows_and_data({"weight": swapped.view("<f4")})
    Path(f"{prefix}.data-00000-of-00001").write_bytes(swapped.tobytes())
    Path(f"{prefix}.index").write_bytes(index(rows, bundles.header(big_endian=True)))
    assert read(prefix)["weight"].tolist() == TENSOR["weight"].tolist()


def test_more_texts_than_fit_in_memory(tmp_path: Path) -> None:
    row = Row(bundles.STRING, [50_000_000], size=50_000_004)
    prefix = write(tmp_path / "texts", {}, texts=row)
    with Path(f"{prefix}.data-00000-of-00001").open("wb") as file:
        file.truncate(50_000_004)
    assert (
        refusal(prefix)
        == "P.index, tensor texts: 50,000,000 elements of string are too many to read."
    )


VALUE = np.arange(12, dtype="float32").reshape(4, 3)


def test_slices_that_overlap_and_leave_a_gap(tmp_path: Path) -> None:
    """The slices have as many elements as the tensor, but two rows twice and two never."""
    prefix = bundles.write_sliced(
        tmp_path / "cut", "cut", VALUE, [((0, 2), (0, 3)), ((0, 2), (0, 3))]
    )
    assert refusal(prefix) == "P.index, tensor cut: its slices overlap or leave gaps."


def test_slices_that_leave_a_gap(tmp_path: Path) -> None:
    prefix = bundles.write_sliced(
        tmp_path / "cut", "cut", VALUE, [((0, 2), (0, 3)), ((3, 1), (0, 3))]
    )
    assert refusal(prefix) == "P.index, tensor cut: its slices overlap or leave gaps."


def test_slices_of_a_grid_that_overlap(tmp_path: Path) -> None:
    cuts = [((0, 2), (0, 2)), ((1, 2), (1, 2)), ((0, 4), (2, 1))]
    assert "overlap or leave gaps" in refusal(
        bundles.write_sliced(tmp_path / "cut", "cut", VALUE, cuts)
    )


def test_a_slice_of_a_different_type(tmp_path: Path) -> None:
    rows, data = sliced("cut", VALUE, [((0, 2), (0, 3)), ((2, 2), (0, 3))])
    second = max(rows)
    rows[second] = changed(rows[second], dtype=NUMBERS["int32"])
    rows[min(rows, key=len)] = rows[min(rows, key=len)]
    prefix = tmp_path / "cut"
    Path(f"{prefix}.data-00000-of-00001").write_bytes(data)
    Path(f"{prefix}.index").write_bytes(index(rows))
    assert "is missing or does not fit the tensor" in refusal(prefix)
