"""Every notebook is run from top to bottom, and shows what it was committed with."""

import json
from pathlib import Path

import pytest

from tests.documents import masked
from tests.notebooks import NOTEBOOKS, executed, shown

# What each notebook must have shown when it has been run.
WORDS = {
    "recovery.ipynb": ("'pass'", "NotFoundError", "image/png", "3 of 6 cases did not recover."),
    "study.ipynb": (
        "'seeds in which bn-nn is earlier at 98 %': 12, 'seeds in which bn-nn ends higher': 11}",
        "43 humps in 180 runs.",
        "In 37 of them the training loss rises, too, by more than 50 %.",
        "9 different trainings have these 37 humps.",
        "Their seeds: [3, 5, 6]",
        "image/png",
        "With 1 seed no difference can be supported",
    ),
}


# They train as the pages of docs/ do: `python -m pytest -m cards` runs them, as .ci/run does.
@pytest.mark.cards
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_notebook(path: Path) -> None:
    now = executed(path)
    before = json.loads(path.read_text(encoding="utf-8"))
    cells = [cell for cell in now.cells if cell.cell_type == "code"]
    assert all(cell.execution_count for cell in cells)
    printed = "".join(json.dumps(cell.outputs, ensure_ascii=False) for cell in cells)
    text = " ".join(printed.replace("\\n", " ").split())
    for words in WORDS[path.name]:
        assert words in text
    kept = [cell for cell in before["cells"] if cell["cell_type"] == "code"]
    for cell, committed in zip(cells, kept, strict=True):
        assert [comparable(each) for each in cell.outputs] == [
            comparable(each) for each in committed["outputs"]
        ], "Record the outputs again: python -m tests.refresh_docs " + path.name


def comparable(output: object) -> tuple[str, str, bool]:
    """An output without its numbers, some of which differ between processors."""
    kind, text, has_figure = shown(output)
    return kind, masked("".join(text)), has_figure


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_a_notebook_is_committed_with_its_outputs(path: Path) -> None:
    assert path.stat().st_size < 1_000_000
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        assert cell["cell_type"] != "code" or cell["execution_count"], cell["source"]
