"""Text tables and sizes."""

from ckptcheck.filetools.tables import columns, size, wrapped


def test_numbers_go_below_the_text_in_a_narrow_terminal() -> None:
    rows = [["conv1/kernel", "float32[3,3]", "1", "22"], ["b", "float32", "333", "4"]]
    assert columns(("name", "type", "bytes", "max"), rows, 2, 32) == [
        "name  type",
        "    bytes  max",
        "conv1/kernel  float32[3,3]",
        "        1   22",
        "b  float32",
        "      333    4",
    ]
    assert (
        columns(("name", "type", "bytes", "max"), rows, 2, 38)[1]
        == "conv1/kernel  float32[3,3]      1   22"
    )


def test_texts_that_do_not_fit_side_by_side() -> None:
    rows = [["conv1/kernel", "conv10/kernel"], ["b", "b_1"]]
    assert columns(("A", "B"), rows, 2, 20) == [
        "A  B",
        "conv1/kernel",
        "    conv10/kernel",
        "b  b_1",
    ]
    assert columns(("A", "B", "n"), [["conv1/kernel", "conv10/kernel", "3"]], 2, 20)[2:] == [
        "conv1/kernel",
        "    conv10/kernel",
        "    3",
    ]


def test_long_lines_break_between_words_on_a_terminal() -> None:
    line = "    fix:    rename it to model-with-a-long-name.index, or restore an older checkpoint"
    assert wrapped(line, 50, 12) == [
        "    fix:    rename it to",
        "            model-with-a-long-name.index, or",
        "            restore an older checkpoint",
    ]
    assert wrapped(line, None, 12) == [line]
    path = f"    where:  {'x' * 90}"
    assert wrapped(path, 80, 12) == ["    where:", f"            {'x' * 90}"]


def test_sizes() -> None:
    counts = (0, 999, 1000, 9_940, 9_960, 999_499, 999_500, 123_456_789, 5_000_000_000_000)
    assert [size(each) for each in counts] == [
        "0 B",
        "999 B",
        "1.0 kB",
        "9.9 kB",
        "10 kB",
        "999 kB",
        "1.0 MB",
        "123 MB",
        "5,000 GB",
    ]
