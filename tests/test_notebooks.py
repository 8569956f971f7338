"""Every notebook is executed from top to bottom; an error in a cell fails."""

import json
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

# What each notebook must have shown when it has been run.
WORDS = {
    "recovery.ipynb": ("'pass'", "NotFoundError", "image/png", "3 of 6 cases did not recover."),
    "study.ipynb": (
        "'seeds in which bn-nn is earlier at 98 %': 12, 'seeds in which bn-nn ends higher': 11}",
        "43 humps in 180 runs; in 37 of them the training loss rises at the same time by more than 50 %.",
        "9 different trainings have these 37 humps, of the seeds [3, 5, 6].",
        "image/png",
        "With 1 seed no difference can be supported",
    ),
}


@pytest.mark.parametrize(
    "path", sorted((ROOT / "notebooks").glob("*.ipynb")), ids=lambda path: path.name
)
def test_notebook(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import nbformat
    from nbclient import NotebookClient

    spec = {
        "argv": [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        "display_name": "",
        "language": "python",
    }
    kernel = tmp_path / "kernels" / "here"
    kernel.mkdir(parents=True)
    (kernel / "kernel.json").write_text(json.dumps(spec))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    notebook = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    NotebookClient(
        notebook, timeout=200, kernel_name="here", resources={"metadata": {"path": path.parent}}
    ).execute()
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(cell.execution_count for cell in cells)
    printed = "".join(json.dumps(cell.outputs, ensure_ascii=False) for cell in cells)
    shown = " ".join(printed.replace("\\n", " ").split())
    for words in WORDS[path.name]:
        assert words in shown


def test_notebooks_are_kept_without_output() -> None:
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        for cell in json.loads(path.read_text())["cells"]:
            assert not cell.get("outputs"), path
