"""Objects of one test are no state of the next: a program's are found wherever they are."""

import gc
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    from ckptcheck.adapters.torch.observer import made

    made.watch()
    gc.collect()
    yield
    if recording := sys.modules.get("ckptcheck.adapters.torch.recording"):
        recording._readers.clear()


@pytest.fixture
def main(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The main module of a program; what its variables hold is gone when the test ends."""
    module = ModuleType("__main__")
    monkeypatch.setitem(sys.modules, "__main__", module)
    yield module
    vars(module).clear()
