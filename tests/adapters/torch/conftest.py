"""Objects of one test are no state of the next: a program's are found wherever they are."""

import gc
import sys
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    gc.collect()
    yield
    if recording := sys.modules.get("ckptcheck.adapters.torch.recording"):
        recording._readers.clear()
