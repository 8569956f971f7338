"""What a command printed, as a terminal would show it."""

from pathlib import Path

import pytest

from ckptcheck.report.outputs.command_output import MOST_LINES, last_lines, outputs_of


@pytest.mark.parametrize(
    ("printed", "lines"),
    [
        ("a\n\n  b\n", ["a", "  b"]),
        ("\x1b[1m1/8\x1b[0m loss: 2\x08\x08\x08\x1b[1m8/8\x1b[0m loss: 1\n", ["8/8 loss: 1"]),
        ("10 %\r100 %\r\nend", ["100 %", "end"]),
        ("\u00e9t\u00e9 \x07\n", ["\u00e9t\u00e9 \ufffd"]),
        ("\n", []),
    ],
)
def test_lines_are_as_a_terminal_shows_them(printed: str, lines: list[str], tmp_path: Path) -> None:
    file = tmp_path / "output.txt"
    file.write_bytes(printed.encode())
    assert last_lines(file) == lines


def test_a_long_output_is_cut(tmp_path: Path) -> None:
    long, short, empty = (tmp_path / name for name in ("long", "short", "empty"))
    long.write_text("".join(f"line {number}\n" for number in range(100_000)))
    short.write_text("one\n")
    empty.touch()
    shown = outputs_of([long, short, empty]).splitlines()
    assert shown[:2] == [f"The last {MOST_LINES} lines of {long}:", "  line 99980"]
    assert shown[MOST_LINES:] == [
        "  line 99999",
        "",
        f"All of {short}:",
        "  one",
        "",
        f"Nothing is in {empty}.",
    ]
