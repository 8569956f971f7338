"""Text tables and sizes."""

from ckptcheck.filetools.tables import columns, size


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
