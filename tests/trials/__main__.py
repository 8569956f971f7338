"""Run the trials: `python -m tests.trials`, with any option of pytest behind it."""

import sys
from pathlib import Path

import pytest

if __name__ == "__main__":
    sys.exit(pytest.main([str(Path(__file__).parent), "-m", "trials or not trials", *sys.argv[1:]]))
