"""Verify the scripts: `python -m tests.commands`, with any option of pytest behind it."""

import sys
from pathlib import Path

import pytest

if __name__ == "__main__":
    marked = "not torch"  # python -m tests.commands.torch runs those
    sys.exit(pytest.main([str(Path(__file__).parent), "-m", marked, *sys.argv[1:]]))
