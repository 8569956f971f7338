"""Verify the PyTorch scripts: `python -m tests.commands.torch`, with any option of pytest behind it.

It runs every test that needs PyTorch, those of its adapter and its files, too.
"""

import sys
from pathlib import Path

import pytest

if __name__ == "__main__":
    here = Path(__file__).parent
    others = ("adapters/torch", "checkpoints", "drills", "filetools")
    folders = [here, *(here.parents[1] / each for each in others)]
    sys.exit(pytest.main([*map(str, folders), "-m", "torch", *sys.argv[1:]]))
