"""Folders of Orbax's CheckpointManager: whether its newest step can be restored.

`CheckpointManager.latest_step` takes the highest number of all folders with a step's name, whatever
they hold. On gs:// it takes only those with `commit_success.txt`, which is written last.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from ckptcheck.checkpoints.orbax import layout
from ckptcheck.filetools.fsck_findings import LOOK, WRONG, Finding


def check_steps(root: Path) -> Iterator[Finding]:
    """Report if the newest step is incomplete, and another is not; or if its save was not ended."""
    known = layout.steps(root)
    if not known:
        return
    for family in _families(root):
        complete = [each for each in family if each in known and not layout.lacks(each)]
        if complete and family[-1] is not complete[-1]:
            yield _incomplete(root, family[-1], complete[-1])
        yield from _uncommitted(complete)


def _families(root: Path) -> list[list[Path]]:
    """Return the folders that have the name of a step, by their prefix, the newest last."""
    found: dict[str, list[Path]] = {}
    for each in layout.numbered(root):
        found.setdefault(each.name.rstrip("0123456789"), []).append(each)
    return list(found.values())


def _incomplete(root: Path, newest: Path, complete: Path) -> Finding:
    lacking = layout.lacks(newest) or layout.STEP
    what = f"The newest step, {newest.name}, is incomplete: {lacking} is missing"
    effect = f"CheckpointManager.latest_step() returns {layout.number(newest)}, and restore raises"
    remedy = (
        f"move {newest.name} out of the folder: latest_step() then returns "
        f"{layout.number(complete)}, which is complete"
    )
    return Finding(WRONG, what, str(root), effect, remedy)


def _uncommitted(complete: Sequence[Path]) -> Iterator[Finding]:
    """Report a step whose save did not write its last file, which the saves before it did."""
    committed = [(each / layout.COMMITTED).is_file() for each in complete]
    if any(committed) and not committed[-1]:
        what = f"{layout.COMMITTED}, which a save writes last, is missing; older steps have it"
        effect = "on gs://, CheckpointManager ignores the step; elsewhere a restore reads it"
        remedy = "if the folder was copied from gs://, restore an older step, or copy it again"
        yield Finding(LOOK, what, str(complete[-1]), effect, remedy)
