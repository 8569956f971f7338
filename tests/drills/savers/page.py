"""The tables of docs/savers.md: `python -m tests.drills.savers.page study.json` writes them again.

The argument is what `ckptcheck drill --suite savers --json` printed.
"""

import json
import re
import sys
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.documents import ROOT

PATH = ROOT / "docs" / "savers.md"
CRASHES = ("kill", "power_failure")
COLUMNS = (("old", "new"), ("refused",), ("nothing",), ("wrong",))
_HEADS = "| saver | kill: kept | refused | none | wrong | power: kept | refused | none | wrong |"
_RULE = "|---" + "|--:" * 8 + "|"
_ROW = re.compile(r"^\| `([\w-]+)` \| ([\d |]+) \|$", re.MULTILINE)

Counts = list[int]


def counts(saver: Mapping[str, Any]) -> Counts:
    """Return the numbers of a row, in the order of the table."""
    return [sum(saver[crash][name] for name in names) for crash in CRASHES for names in COLUMNS]


def table(savers: Sequence[Mapping[str, Any]]) -> str:
    """Return the table of some savers."""
    rows = [
        f"| `{each['name']}` | {' | '.join(str(count) for count in counts(each))} |"
        for each in savers
    ]
    return "\n".join([_HEADS, _RULE, *rows]) + "\n"


def shown() -> dict[str, Counts]:
    """Return the rows that the page shows, by the name of the saver."""
    text = PATH.read_text(encoding="utf-8")
    return {name: [*map(int, row.split("|"))] for name, row in _ROW.findall(text)}


def lost(row: Sequence[int]) -> list[bool]:
    """Return which columns of what is lost are not zero: that is the same for each size."""
    return [bool(count) for count in (*row[1:4], *row[5:])]


def main(file: str) -> None:
    """Put both tables, and the versions, in the place of those of the page."""
    document = json.loads(Path(file).read_text(encoding="utf-8"))
    versions = ", ".join(f"{name} {value}" for name, value in document["versions"].items())
    tables = [
        table([each for each in document["savers"] if bool(each["fixes"]) is is_fixed])
        for is_fixed in (False, True)
    ]
    found = iter(tables)
    text = PATH.read_text(encoding="utf-8")
    pattern = re.escape(_HEADS) + r"\n(\|.*\n)*"
    text = re.sub(pattern, lambda _: next(found), text)
    lines = textwrap.fill(f"{versions}.", 100, break_on_hyphens=False)
    text = re.sub(r"(?<=<!-- versions -->\n)(.+\n)+", lambda _: f"{lines}\n", text)
    PATH.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
