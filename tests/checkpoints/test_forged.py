"""What is whole as far as checksums tell, and forged: a sentence, never other values, another exception, or much memory."""

import tracemalloc
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

from ckptcheck.checkpoints import DamagedError, open_checkpoint
from ckptcheck.checkpoints.errors import NotReadableError, TooShortError
from tests.checkpoints import bundles
from tests.checkpoints.bundles import NUMBERS, Row, changed, field, index, rows_and_data, sealed, sliced, table, write

TENSOR = {"weight": np.arange(6, dtype="float32").reshape(2, 3)}


def read(prefix: Path) -> dict[str, np.ndarray]:
    found = open_checkpoint(prefix)
    return {key: found.value(entry) for key, entry in found.entries.items()}


def refusal(prefix: Path) -> str:
    """Read a checkpoint that must be refused, with little memory."""
    tracemalloc.start()
    try:
        with pytest.raises(DamagedError) as caught:
            read(prefix)
        assert tracemalloc.get_traced_memory()[1] < 5e6
    finally:
        tracemalloc.stop()
    return str(caught.value).replace(str(prefix), "P")


def test_what_is_whole_is_read(tmp_path: Path) -> None:
    tensors = TENSOR | {"texts": [b"one", b""], "small": np.array([1, -2], ml_dtypes.int4), "step": np.array(7)}
    found = read(write(tmp_path / "whole", tensors))
    assert found["weight"].tolist() == TENSOR["weight"].tolist()
    assert (found["texts"].tolist(), found["small"].tolist(), found["step"]) == ([b"one", b""], [1, -2], 7)


ROW = rows_and_data(TENSOR)[0]["weight"]
ENTRIES = {
    "another shape": (
        changed(ROW, shape=[3, 3]),
        "P.index, tensor weight: 24 bytes are not the size of float32 of shape [3, 3].",
    ),
    "a huge shape": (
        changed(ROW, shape=[1 << 40, 1 << 20]),
        "P.index, tensor weight: 24 bytes are not the size of float32 of shape [1099511627776, 1048576].",
    ),
    "a huge tensor": (
        changed(ROW, shape=[1 << 40], size=1 << 42),
        "P.data-00000-of-00001, tensor weight: the file ends at byte 24; 4,398,046,511,104 bytes from byte 0 on should be there.",
    ),
    "a negative dimension": (
        changed(ROW, shape=[-2, -3]),
        "P.index, tensor weight: its entry is malformed: [-2, -3] is no shape.",
    ),
    "a negative size": (
        changed(ROW, size=-24),
        "P.index, tensor weight: its entry is malformed: an offset, a size or the number of a data file is negative.",
    ),
    "an offset beyond the end": (
        changed(ROW, offset=1),
        "P.data-00000-of-00001, tensor weight: the file ends at byte 24; 24 bytes from byte 1 on should be there.",
    ),
    "another element type": (
        changed(ROW, dtype=NUMBERS["int32"], checksum=ROW.checksum ^ 1),
        "P.data-00000-of-00001, byte 0, tensor weight: its 24 bytes do not have the checksum that the index holds: "
        "the data are corrupt, or of another save.",
    ),
    "no element type": (
        changed(ROW, dtype=0),
        "P.index, tensor weight: its element type is number 0, which is none that is known.",
    ),
    "an unknown element type": (
        changed(ROW, dtype=99),
        "P.index, tensor weight: its element type is number 99, which is none that is known.",
    ),
    "another data file": (changed(ROW, shard=3), "P.index, tensor weight: its data file is number 3 of 1."),
    "a text of its numbers": (
        changed(ROW, dtype=bundles.STRING),
        "P.data-00000-of-00001, byte 0, tensor weight: the lengths of its elements do not add up to its size.",
    ),
    "more texts than bytes": (
        changed(ROW, dtype=bundles.STRING, shape=[1 << 50]),
        "P.index, tensor weight: 24 bytes cannot be 1,125,899,906,842,624 elements of string.",
    ),
    "no message": (b"\xff\xff\xff", "P.index, tensor weight: its entry is malformed: a number does not end."),
    "a field that is none": (b"\x07", "P.index, tensor weight: its entry is malformed: a field has the number 0."),
    "a text where a number is": (
        field(1, b"text"),
        "P.index, tensor weight: its entry is malformed: a field that is a number holds bytes.",
    ),
    "slices without slices": (
        changed(ROW, slices=[((0, 1), (0, 3)), ((1, 1), (0, 3))]),
        "P.index, tensor weight: its slice (0+1, 0+3) is missing, or does not fit it.",
    ),
    "a slice beyond it": (
        changed(ROW, slices=[((1, 2), (0, 3))]),
        "P.index, tensor weight: its slice (1+2, 0+3) is missing, or does not fit it.",
    ),
}


@pytest.mark.parametrize("what", ENTRIES)
def test_a_forged_entry(what: str, tmp_path: Path) -> None:
    forged, sentence = ENTRIES[what]
    assert refusal(write(tmp_path / "forged", TENSOR, weight=forged)) == sentence


def test_a_huge_empty_shape_has_no_value_and_is_none_that_numpy_has(tmp_path: Path) -> None:
    prefix = write(tmp_path / "forged", {}, weight=Row(1, [0, 1 << 62]))
    assert refusal(prefix) == "P.data-00000-of-00001, tensor weight: NumPy has no arrays of shape [0, 4611686018427387904]."


def test_more_dimensions_than_numpy_has(tmp_path: Path) -> None:
    row = Row(1, [1] * 70, size=4, checksum=ROW.checksum)
    assert "NumPy has no arrays of shape [1, 1" in refusal(write(tmp_path / "forged", TENSOR, deep=row, weight=row))


HEADS = {
    "none": (b"", "P.index, tensor (header): its entry is malformed: it tells of 0 data files, of byte order 0."),
    "no data file": (
        bundles.header(0),
        "P.index, tensor (header): its entry is malformed: it tells of 0 data files, of byte order 0.",
    ),
    "too many": (
        bundles.header(1 << 40),
        "P.index, tensor (header): its entry is malformed: it tells of 1099511627776 data files, of byte order 0.",
    ),
}


@pytest.mark.parametrize("what", HEADS)
def test_a_forged_header(what: str, tmp_path: Path) -> None:
    head, sentence = HEADS[what]
    prefix = write(tmp_path / "forged", TENSOR)
    Path(f"{prefix}.index").write_bytes(index({"weight": ROW}, head))
    assert refusal(prefix) == sentence


def test_numbers_in_the_other_byte_order(tmp_path: Path) -> None:
    prefix, swapped = tmp_path / "big", TENSOR["weight"].astype(">f4")
    rows, _ = rows_and_data({"weight": swapped.view("<f4")})
    Path(f"{prefix}.data-00000-of-00001").write_bytes(swapped.tobytes())
    Path(f"{prefix}.index").write_bytes(index(rows, bundles.header(big_endian=True)))
    assert read(prefix)["weight"].tolist() == TENSOR["weight"].tolist()


TABLES = {
    "empty": (b"", "P.index: the file has 0 bytes, too few for an index; its writing was interrupted."),
    "of something else": (
        b"x" * 80,
        "P.index, byte 32: the file does not end like an index: it is cut off, or another kind of file.",
    ),
    "without rows": (
        table([(b"key", b"")])[:0] + table([(b"a", ROW.message())]),
        "P.index: it has no header: it is the index of something else.",
    ),
    "out of order": (
        table([(b"", bundles.header()), (b"b", ROW.message()), (b"a", ROW.message())]),
        "P.index: keys are not in order.",
    ),
    "twice the same": (
        table([(b"", bundles.header()), (b"a", ROW.message()), (b"a", ROW.message())]),
        "P.index: keys are not in order.",
    ),
}


@pytest.mark.parametrize("what", TABLES)
def test_a_forged_table(what: str, tmp_path: Path) -> None:
    content, sentence = TABLES[what]
    prefix = write(tmp_path / "forged", TENSOR)
    Path(f"{prefix}.index").write_bytes(content)
    assert refusal(prefix) == sentence


def footer(meta: bytes, blocks: bytes) -> bytes:
    return (meta + blocks).ljust(40, b"\0") + bundles.MAGIC.to_bytes(8, "little")


def place(offset: int, size: int) -> bytes:
    return bundles.varint(offset) + bundles.varint(size)


BLOCKS = {
    "beyond the file": (
        footer(place(0, 0), place(0, 1 << 40)),
        "a block of 1,099,511,627,776 bytes at byte 0 does not fit the file",
    ),
    "into the footer": (footer(place(0, 0), place(0, 40)), "a block of 40 bytes at byte 0 does not fit the file"),
    "compressed": (
        sealed(bundles.block([]), 1) + footer(place(0, 8), place(0, 8)),
        "a block is compressed (Snappy), which TensorFlow never writes",
    ),
    "compressed in no known way": (
        sealed(bundles.block([]), 9) + footer(place(0, 8), place(0, 8)),
        "a block is compressed (method 9), which TensorFlow never writes",
    ),
    "too many restart points": (
        sealed(b"\xff\xff\xff\x7f") + footer(place(0, 4), place(0, 4)),
        "a block is malformed: it has more restart points than bytes",
    ),
    "sharing more than there is": (
        sealed(b"\x05\x00\x00" + bytes(4)) + footer(place(0, 7), place(0, 7)),
        "a block is malformed: a row reaches beyond it",
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


def test_an_index_that_leads_to_itself_ends(tmp_path: Path) -> None:
    """The index block names itself as the only data block."""
    size = len(bundles.block([(b"", place(0, 19))]))
    content = sealed(bundles.block([(b"", place(0, size))])) + footer(place(0, size), place(0, size))
    Path(f"{tmp_path / 'loop'}.index").write_bytes(content)
    assert refusal(tmp_path / "loop") == "P.index: the block of 13 bytes at byte 0 is not where it should be."


def test_an_index_that_leads_to_one_block_many_times(tmp_path: Path) -> None:
    """Each time it would be read, and its checksum computed."""
    data = sealed(bundles.block([]))
    places = bundles.block([(b"%6d" % number, place(0, 8)) for number in range(1000)])
    content = data + sealed(places) + footer(place(0, 8), place(len(data), len(places)))
    Path(f"{tmp_path / 'loop'}.index").write_bytes(content)
    assert refusal(tmp_path / "loop") == "P.index: the block of 8 bytes at byte 0 is not where it should be."


def test_keys_that_are_longer_than_the_file(tmp_path: Path) -> None:
    """Each shares a long prefix with the one before it: a small file, and keys without end."""
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
    assert refusal(tmp_path / "bomb") == "P.index, byte 0: its keys share more than keys of an index do."


def test_a_long_name_is_cut_in_a_sentence(tmp_path: Path) -> None:
    assert len(refusal(write(tmp_path / "long", {}, **{"x" * 100_000: changed(ROW, dtype=0)}))) < 500


def test_more_texts_than_fit_memory(tmp_path: Path) -> None:
    row = Row(bundles.STRING, [50_000_000], size=50_000_004)
    prefix = write(tmp_path / "texts", {}, texts=row)
    with Path(f"{prefix}.data-00000-of-00001").open("wb") as file:
        file.truncate(50_000_004)
    assert refusal(prefix) == "P.index, tensor texts: 50,000,000 elements of string are more than fit memory."


def graph(*nodes: bytes) -> list[bytes]:
    return [b"".join(field(1, each) for each in nodes)]


def edge(to: int, name: bytes) -> bytes:
    return field(1, field(1, to) + field(2, name))


def held(key: bytes) -> bytes:
    return field(2, field(1, b"VARIABLE_VALUE") + field(2, b"") + field(3, key))


def with_graph(prefix: Path, *nodes: bytes) -> Path:
    tensors = {"_CHECKPOINTABLE_OBJECT_GRAPH": graph(*nodes), "k": np.zeros(2)}
    return write(prefix, tensors)


def test_an_object_graph_that_goes_round(tmp_path: Path) -> None:
    prefix = with_graph(tmp_path / "round", edge(1, b"a"), edge(0, b"up") + edge(1, b"self") + held(b"k"))
    assert open_checkpoint(prefix).entries["k"].name == "a"


def test_an_object_graph_that_leads_nowhere(tmp_path: Path) -> None:
    prefix = with_graph(tmp_path / "nowhere", edge(7, b"a"))
    assert "the object graph is malformed: it leads to node 7 of 1" in refusal(prefix)


def test_an_object_graph_that_is_no_text(tmp_path: Path) -> None:
    prefix = write(tmp_path / "odd", {"_CHECKPOINTABLE_OBJECT_GRAPH": np.zeros(2, "float32")})
    assert refusal(prefix) == (
        "P.data-00000-of-00001, byte 0, tensor _CHECKPOINTABLE_OBJECT_GRAPH: the object graph is float32, and no text."
    )


@pytest.mark.parametrize("shape", ["star", "chain"])
def test_an_object_graph_with_long_names(shape: str, tmp_path: Path) -> None:
    """A name of 100 kB, before 500 others: paths without end."""
    others = range(2, 500)
    first = edge(1, b"x" * 100_000)
    if shape == "star":
        nodes = [first, b"".join(edge(each, b"c") for each in others), *(held(b"k%d" % each) for each in others)]
    else:
        nodes = [first, edge(2, b"y"), *(edge(each + 1, b"z" * 500) + held(b"k%d" % each) for each in others), b""]
    prefix = with_graph(tmp_path / "long", *nodes)
    tracemalloc.start()
    try:
        open_checkpoint(prefix)
        assert tracemalloc.get_traced_memory()[1] < 5e6
    finally:
        tracemalloc.stop()


VALUE = np.arange(12, dtype="float32").reshape(4, 3)


def test_slices_that_overlap_and_leave_a_hole(tmp_path: Path) -> None:
    """As many elements as the whole has, but two rows twice and two never."""
    prefix = bundles.write_sliced(tmp_path / "cut", "cut", VALUE, [((0, 2), (0, 3)), ((0, 2), (0, 3))])
    assert refusal(prefix) == "P.index, tensor cut: its slices are not the whole of it, each element once."


def test_slices_that_leave_a_hole(tmp_path: Path) -> None:
    prefix = bundles.write_sliced(tmp_path / "cut", "cut", VALUE, [((0, 2), (0, 3)), ((3, 1), (0, 3))])
    assert refusal(prefix) == "P.index, tensor cut: its slices are not the whole of it, each element once."


def test_slices_of_a_grid_that_overlap(tmp_path: Path) -> None:
    cuts = [((0, 2), (0, 2)), ((1, 2), (1, 2)), ((0, 4), (2, 1))]
    assert "each element once" in refusal(bundles.write_sliced(tmp_path / "cut", "cut", VALUE, cuts))


def test_a_slice_of_another_type(tmp_path: Path) -> None:
    rows, data = sliced("cut", VALUE, [((0, 2), (0, 3)), ((2, 2), (0, 3))])
    second = max(rows)
    rows[second] = changed(rows[second], dtype=NUMBERS["int32"])
    rows[min(rows, key=len)] = rows[min(rows, key=len)]
    prefix = tmp_path / "cut"
    Path(f"{prefix}.data-00000-of-00001").write_bytes(data)
    Path(f"{prefix}.index").write_bytes(index(rows))
    assert "is missing, or does not fit it" in refusal(prefix)


def test_a_file_that_is_missing(tmp_path: Path) -> None:
    prefix = write(tmp_path / "whole", TENSOR)
    Path(f"{prefix}.data-00000-of-00001").unlink()
    assert refusal(prefix) == "P.data-00000-of-00001: the file is missing."
    Path(f"{prefix}.data-00000-of-00001").mkdir()
    assert refusal(prefix) == "P.data-00000-of-00001: it cannot be read: it is a folder."
    Path(f"{prefix}.index").unlink()
    Path(f"{prefix}.data-00000-of-00001").rmdir()
    Path(f"{prefix}.data-00000-of-00001").write_bytes(b"")
    assert refusal(prefix) == "P.index: the file is missing."


def test_a_pipe_in_place_of_a_file_does_not_hang(tmp_path: Path) -> None:
    import os

    prefix = write(tmp_path / "whole", TENSOR)
    Path(f"{prefix}.data-00000-of-00001").unlink()
    os.mkfifo(f"{prefix}.data-00000-of-00001")
    assert refusal(prefix) == "P.data-00000-of-00001: it cannot be read: it is no file."


def test_errors_tell_what_can_be_read_and_what_is_short(tmp_path: Path) -> None:
    prefix = write(tmp_path / "short", TENSOR, weight=changed(ROW, offset=4))
    with pytest.raises(TooShortError):
        read(prefix)
    Path(f"{prefix}.index").write_bytes(BLOCKS["compressed"][0])
    with pytest.raises(NotReadableError):
        read(prefix)


def test_names_that_would_move_the_cursor_are_escaped(tmp_path: Path) -> None:
    prefix = write(tmp_path / "odd", {"a\x1b[2Jb\nc": np.zeros(2, "float32"), "ü": np.zeros(1, "int8")})
    assert [each.shown for each in open_checkpoint(prefix).entries.values()] == ["a\\x1b[2Jb\\nc", "ü"]
    data = Path(f"{prefix}.data-00000-of-00001")
    data.write_bytes(b"\1" * 9)
    assert "tensor a\\x1b[2Jb\\nc: its 8 bytes" in refusal(prefix)
