"""The import hooks, in processes of their own, with a framework that the test makes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import ckptcheck
from ckptcheck.observer import hooks

SITE = Path(hooks.__file__).with_name("site")
EDGE = """
def observe(request):
    print("observed", request["role"])
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Return a folder with a framework of two packages, and an adapter for it."""
    (tmp_path / "framework.py").write_text("import layers\nprint('framework')\n")
    (tmp_path / "layers.py").write_text("print('layers')\n")
    (tmp_path / "edge.py").write_text(EDGE)
    return tmp_path


def run(place: Path, program: str, *, target: str = "edge:observe") -> str:
    edge = {"module": "framework", "packages": ["framework", "layers"], "target": target}
    request = {"edges": [edge], "home": str(Path(ckptcheck.__file__).parents[1])}
    file = place / "request.json"
    file.write_text(json.dumps(request | {"role": "control", "folder": str(place)}))
    path = os.pathsep.join((str(SITE), str(place)))
    ended = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {hooks.ENVIRONMENT: str(file), "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    assert not ended.stderr
    return ended.stdout


@pytest.mark.parametrize(
    ("program", "printed"),
    [
        ("import framework", "layers\nframework\nobserved control\n"),
        ("import layers; import framework", "layers\nframework\nobserved control\n"),
        ("import framework; import framework", "layers\nframework\nobserved control\n"),
        ("import layers", "layers\n"),
        ("print('nothing')", "nothing\n"),
    ],
)
def test_the_edge_is_put_in_place_once_the_framework_is_whole(
    place: Path, program: str, printed: str
) -> None:
    assert run(place, program) == printed


def test_a_framework_that_a_part_of_it_imports_is_whole_only_at_the_end(place: Path) -> None:
    (place / "layers.py").write_text("import framework\nprint('layers')\n")
    (place / "framework.py").write_text("print('framework')\n")
    assert run(place, "import layers") == "framework\nlayers\nobserved control\n"


def test_a_framework_is_found_as_its_loader_left_it(place: Path) -> None:
    program = (
        "import framework; print(type(framework.__loader__).__name__, framework.__file__ != None)"
    )
    assert run(place, program).endswith("SourceFileLoader True\n")


def test_the_hidden_sitecustomize_runs(place: Path) -> None:
    (place / "sitecustomize.py").write_text("print('hidden')\n")
    assert run(place, "import framework") == "hidden\nlayers\nframework\nobserved control\n"


def test_an_edge_that_fails_does_not_fail_the_program(place: Path) -> None:
    assert run(place, "import framework", target="edge:missing") == "layers\nframework\n"
    noted = (place / "trouble.txt").read_text()
    assert noted == (
        "The command could not be observed: AttributeError: module 'edge' has no attribute 'missing'. "
        f"Is ckptcheck installed for {sys.executable}?\n"
    )


def test_a_process_without_a_framework_imports_nothing_of_ckptcheck(place: Path) -> None:
    program = "import sys; print([name for name in sys.modules if 'ckptcheck.' in name])"
    assert run(place, program) == "[]\n"


def test_a_framework_that_is_missing_is_missing(place: Path) -> None:
    (place / "framework.py").unlink()
    program = "try:\n    import framework\nexcept ModuleNotFoundError as error: print(error)"
    assert run(place, program) == "No module named 'framework'\n"
