"""Forged index files: tables and their blocks."""

from pathlib import Path

import pytest

from tests.checkpoints import bundles
from tests.checkpoints.bundles import footer, place, sealed, table, write
from tests.checkpoints.refusals import ROW, TENSOR, refusal

TABLES = {
    "empty": (
        b"",
        "P.index: the file is empty; copy or download it again; if a save was interrupted, restore an older checkpoint that is whole.",
    ),
    "of something else": (
        b"x" * 80,
        "P.index, byte 32: the file does not end as TensorFlow's do: it is truncated, or a different file.",
    ),
    "without rows": (
        table([(b"a", ROW.message())]),
        "P.index: the index has no header: TensorFlow did not write it.",
    ),
    "out of order": (
        table([(b"", bundles.header()), (b"b", ROW.message()), (b"a", ROW.message())]),
        "P.index: the keys are not in order.",
    ),
    "twice the same": (
        table([(b"", bundles.header()), (b"a", ROW.message()), (b"a", ROW.message())]),
        "P.index: the keys are not in order.",
    ),
}


@pytest.mark.parametrize("what", TABLES)
def test_a_forged_table(what: str, tmp_path: Path) -> None:
    content, sentence = TABLES[what]
    prefix = write(tmp_path / "forged", TENSOR)
    Path(f"{prefix}.index").write_bytes(content)
    assert refusal(prefix) == sentence


BLOCKS = {
    "beyond the file": (
        footer(place(0, 0), place(0, 1 << 40)),
        "a block of 1,099,511,627,776 bytes at byte 0 exceeds the file",
    ),
    "into the footer": (
        footer(place(0, 0), place(0, 40)),
        "a block of 40 bytes at byte 0 exceeds the file",
    ),
    "compressed in no known way": (
        bundles.COMPRESSED,
        "a block is compressed by the unknown method 9",
    ),
    "compressed wrongly": (
        sealed(bundles.block([]), 1) + footer(place(0, 8), place(0, 8)),
        "a block is malformed: it holds more bytes than it claims",
    ),
    "too many restart points": (
        sealed(b"\xff\xff\xff\x7f") + footer(place(0, 4), place(0, 4)),
        "a block is malformed: its restart points need more bytes than it has",
    ),
    "sharing more than there is": (
        sealed(b"\x05\x00\x00" + bytes(4)) + footer(place(0, 7), place(0, 7)),
        "a block is malformed: a row extends beyond its end",
    ),
    "shorter than its end": (
        sealed(b"\x00") + footer(place(0, 1), place(0, 1)),
        "a block is malformed: it is too short for its number of restart points",
    ),
}


@pytest.mark.parametrize("what", BLOCKS)
def test_a_forged_block(what: str, tmp_path: Path) -> None:
    content, sentence = BLOCKS[what]
    Path(f"{tmp_path / 'forged'}.index").write_bytes(content)
    assert sentence in refusal(tmp_path / "forged")


def test_an_index_that_points_to_itself(tmp_path: Path) -> None:
    """The index block lists itself as the only data block."""
    size = len(bundles.block([(b"", place(0, 19))]))
    content = sealed(bundles.block([(b"", place(0, size))])) + footer(
        place(0, size), place(0, size)
    )
    Path(f"{tmp_path / 'loop'}.index").write_bytes(content)
    assert (
        refusal(tmp_path / "loop")
        == "P.index: a block of 13 bytes at byte 0 overlaps its neighbours."
    )


def test_an_index_that_points_to_one_block_many_times(tmp_path: Path) -> None:
    """The block would be read and verified each time."""
    data = sealed(bundles.block([]))
    places = bundles.block([(b"%6d" % number, place(0, 8)) for number in range(1000)])
    content = data + sealed(places) + footer(place(0, 8), place(len(data), len(places)))
    Path(f"{tmp_path / 'loop'}.index").write_bytes(content)
    assert (
        refusal(tmp_path / "loop")
        == "P.index: a block of 8 bytes at byte 0 overlaps its neighbours."
    )


def test_keys_longer_than_the_file(tmp_path: Path) -> None:
    """Each key shares a long prefix with the one before: a small file holds huge keys."""
    long, body = 20_000, b""
    for number in range(2000):
        tail = b"%05d" % number
        shared = 0 if number == 0 else long
        own = b"x" * long + tail if number == 0 else tail
        body += bundles.varint(shared) + bundles.varint(len(own)) + bundles.varint(0) + own
    data = sealed(body + bytes(4) + (1).to_bytes(4, "little"))
    places = bundles.block([(b"y", place(0, len(data) - 5))])
    content = data + sealed(places) + footer(place(0, 8), place(len(data), len(places)))
    Path(f"{tmp_path / 'bomb'}.index").write_bytes(content)
    assert (
        refusal(tmp_path / "bomb")
        == "P.index, byte 0: a block is malformed: its keys share longer prefixes than any table's."
    )
