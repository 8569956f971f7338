"""Files of a checkpoint that are newer than the one that a save writes last."""

from collections.abc import Iterator

from ckptcheck.checkpoints import Location
from ckptcheck.counts import counted
from ckptcheck.filetools.fsck_findings import LOOK, Finding, some

# A copy gives its files the time of the copy, in any order. So short a copy is no reason to look.
_COPIED = 600.0  # seconds


def check_age(location: Location) -> Iterator[Finding]:
    """Report files that a later save has begun to overwrite, by the times at which they changed."""
    last = location.format.written_last(location.path)
    if last is None or not last.is_file():
        return
    finished = last.stat().st_mtime
    newer = [
        file
        for file in location.format.files(location.path)
        if file.is_file() and file.stat().st_mtime > finished + _COPIED
    ]
    if newer:
        verb = "is" if len(newer) == 1 else "are"
        what = (
            f"{counted(len(newer), 'file')} {verb} newer than {last.name}, which a save writes last"
        )
        effect = "a restore may mix the values of two saves, unless copying changed the times"
        remedy = (
            "if a save into this folder was interrupted, restore a different checkpoint; "
            "save each checkpoint into a new folder"
        )
        yield Finding(LOOK, what, some([str(file) for file in newer]), effect, remedy)
