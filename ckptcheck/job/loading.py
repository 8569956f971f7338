"""How a job is found by name: `package.module:name` or `path/to/file.py:name`."""

import importlib
import importlib.util
import sys
from pathlib import Path
from typing import Any

from ckptcheck.errors import UsageError


def load(target: str) -> Any:
    """Import what `target` names: `package.module:name` or `path/to/file.py:name`.

    Raises:
        UsageError: the target has no name, or the file, the module or the name is not there.
    """
    place, _, name = target.rpartition(":")
    if not place or not name:
        raise UsageError(f"{target!r} names no job: write package.module:name or path/to/file.py:name.")
    module = _from_file(Path(place)) if place.endswith(".py") else _from_name(place)
    try:
        return getattr(module, name)
    except AttributeError:
        raise UsageError(f"{place} has nothing called {name!r}.") from None


def _from_file(path: Path) -> Any:
    if not path.is_file():
        raise UsageError(f"There is no file {path} to take a job from.")
    name = path.stem
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise UsageError(f"{path} cannot be imported as Python.")
    module = importlib.util.module_from_spec(spec)
    # A file may import its neighbours, as it does when it is run as a script.
    sys.path.insert(0, str(path.resolve().parent))
    sys.modules.setdefault(name, module)
    spec.loader.exec_module(module)
    return module


def _from_name(place: str) -> Any:
    try:
        return importlib.import_module(place)
    except ModuleNotFoundError as error:
        if error.name and (place == error.name or place.startswith(error.name + ".")):
            raise UsageError(f"There is no module {place} to take a job from.") from None
        raise
