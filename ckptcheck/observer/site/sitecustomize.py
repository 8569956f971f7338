"""Install the observer's import hooks, then do what the environment's own sitecustomize does."""

import importlib.machinery
import importlib.util
import os
import sys

_HERE = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120  # pathlib is slow to load


def _run_the_hidden_one() -> None:
    """Run the sitecustomize that this one hides, if there is one."""
    path = [place for place in sys.path if os.path.abspath(place or ".") != _HERE]  # noqa: PTH100
    spec = importlib.machinery.PathFinder.find_spec("sitecustomize", path)
    if spec is not None and spec.loader is not None:
        module = importlib.util.module_from_spec(spec)
        sys.modules["sitecustomize"] = module
        spec.loader.exec_module(module)


def _install_hooks() -> None:
    """Load the hooks by their file: the environment of the program need not have ckptcheck."""
    file = os.path.join(os.path.dirname(_HERE), "hooks.py")  # noqa: PTH118, PTH120
    spec = importlib.util.spec_from_file_location("_ckptcheck_hooks", file)
    if spec is not None and spec.loader is not None:
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        module.install()


if "CKPTCHECK_OBSERVER" in os.environ:
    _install_hooks()
_run_the_hidden_one()
