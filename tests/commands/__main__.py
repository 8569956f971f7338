"""Verify the scripts: `python -m tests.commands`, with any option of pytest behind it."""

import sys
from pathlib import Path

import pytest

if __name__ == "__main__":
    marked = "commands or not commands"
    sys.exit(pytest.main([str(Path(__file__).parent), "-m", marked, *sys.argv[1:]]))
