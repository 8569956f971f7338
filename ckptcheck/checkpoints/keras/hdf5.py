"""HDF5 files, read in a child process (`hdf5_child.py`): libhdf5 can crash on a damaged file."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ckptcheck.checkpoints.child import Child

CHILD = Path(__file__).with_name("hdf5_child.py")

# Seconds to wait for an answer: it takes milliseconds, seconds on a slow disk.
PATIENCE = 60.0

# A part of an array: for each of its first dimensions an index, or the start and end of a range.
Where = Sequence[int | Sequence[int]]


class Hdf5:
    """An open HDF5 file: its attributes, data sets, and the groups' `name` attributes."""

    data: Mapping[str, Mapping[str, Any]]
    names: Mapping[str, str]
    attributes: Mapping[str, str]

    def __init__(self, path: Path, start: int, size: int) -> None:
        self._child = Child(CHILD, [str(path), str(start), str(size)], "HDF5", path, PATIENCE)
        self._process = self._child.process
        described = json.loads(self._child.answer())
        self.data, self.names = described["data"], described["names"]
        self.attributes = described["attributes"]

    def read(self, key: str, where: Where | None) -> bytes:
        """Return the bytes of a part of an array; None: a whole text array, see `hdf5_child`."""
        return self._child.ask({"key": key, "where": where}, key)
