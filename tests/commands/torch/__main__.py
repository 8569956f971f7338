"""Verify the PyTorch scripts: `python -m tests.commands.torch`, with any option of pytest behind it.

It runs every test that needs PyTorch, those of its adapter, too.
"""

import sys
from pathlib import Path

import pytest

if __name__ == "__main__":
    here = Path(__file__).parent
    adapter = here.parents[1] / "adapters" / "torch"
    sys.exit(pytest.main([str(here), str(adapter), "-m", "torch", *sys.argv[1:]]))
