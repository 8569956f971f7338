"""Check that TensorFlow finds the checkpoints of a folder by their paths."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from ckptcheck.checkpoints import Location
from ckptcheck.filetools.fsck_findings import WRONG, Finding
from ckptcheck.text_safety import shown

# TensorFlow looks for a prefix with `Env::GetMatchingPaths`, which reads it as a pattern. `*` and
# `?` match themselves. A class of characters matches one, never its own brackets.
_PATTERN = re.compile(r"\[[!^]?.[^\]/]*\]|\\")


def check_paths(folder: Path, locations: Sequence[Location]) -> Iterator[Finding]:
    """Report a folder, or else prefixes in it, that TensorFlow reads as a pattern."""
    prefixes = [location.path for location in locations if location.format.state_file]
    if prefixes and _PATTERN.search(str(folder)):
        yield _finding(folder, "folder")
        return
    for prefix in prefixes:
        if _PATTERN.search(prefix.name):
            yield _finding(prefix, "files")


def _finding(path: Path, what: str) -> Finding:
    found = _PATTERN.search(str(path))
    assert found is not None
    return Finding(
        WRONG,
        f"TensorFlow reads {shown(found[0])} in the path as a pattern, and finds no checkpoint",
        str(path),
        "tf.train.latest_checkpoint returns None, and a restore raises",
        f"rename the {what}: use no brackets and no backslash",
    )
