"""The notebooks: run from top to bottom in a kernel of this environment."""

import base64
import io
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any
from unittest import mock

from tests.documents import ROOT

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def executed(path: Path) -> Any:
    """Return a notebook with the outputs of all its cells; a cell that raises fails."""
    # Only two tests need what runs notebooks.
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    with tempfile.TemporaryDirectory() as folder:
        _make_kernel(Path(folder) / "kernels" / "here")
        environment = {"JUPYTER_PATH": folder, "IPYTHONDIR": f"{folder}/ipython"}
        with mock.patch.dict(os.environ, environment):
            resources = {"metadata": {"path": path.parent}}
            NotebookClient(notebook, timeout=200, kernel_name="here", resources=resources).execute()
    return notebook


def _make_kernel(folder: Path) -> None:
    folder.mkdir(parents=True)
    spec = {
        "argv": [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        "display_name": "",
        "language": "python",
    }
    (folder / "kernel.json").write_text(json.dumps(spec))


def refresh(path: Path) -> None:
    """Run a notebook, and write it with its outputs; what differs from run to run is left out."""
    import nbformat  # see above

    notebook = executed(path)
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        for output in cell.get("outputs", []):
            if "image/png" in output.get("data", {}):
                output.data["image/png"] = _smaller(output.data["image/png"])
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    nbformat.write(notebook, path)  # type: ignore[no-untyped-call]


def _smaller(png: str) -> str:
    """Reduce the colours of a figure: of curves nothing is lost."""
    from PIL import Image  # comes with Matplotlib

    reduced = io.BytesIO()
    image = Image.open(io.BytesIO(base64.b64decode(png))).convert("RGB")
    image.quantize(64).save(reduced, "PNG", optimize=True)
    return base64.b64encode(reduced.getvalue()).decode()


def shown(output: Any) -> tuple[str, str, bool]:
    """Return what matters of an output: its type, its text, and whether it has a figure."""
    data = output.get("data", {})
    return (
        output["output_type"],
        output.get("text", data.get("text/plain", "")),
        "image/png" in data,
    )
