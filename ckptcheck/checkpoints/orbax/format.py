"""The format of Orbax: a step, one of its items, or the root of a CheckpointManager.

The reader is imported on first use: its imports take a tenth of a command's start-up time.
"""

from collections.abc import Iterator
from pathlib import Path

from ckptcheck.checkpoints.checkpoint import Checkpoint
from ckptcheck.checkpoints.format import Format, Location
from ckptcheck.checkpoints.orbax import layout

_OWN = (layout.TREE, layout.STEP, layout.MANIFEST)


def _open(folder: Path) -> Checkpoint:
    from ckptcheck.checkpoints.orbax.file import open_folder  # see above

    return open_folder(folder)


class _Orbax(Format):
    @property
    def patterns(self) -> tuple[str, ...]:
        return (f"a folder of Orbax with {layout.TREE}",)

    def recognises(self, name: str) -> bool:
        return name in _OWN

    def of_file(self, file: Path) -> Location | None:
        if not self.recognises(file.name):
            return None
        folders = (file.parent, file.parent.parent)  # each process has a manifest, too
        return next((Location(each, self) for each in folders if layout.is_step(each)), None)

    def at(self, path: Path) -> Location | None:
        if not path.is_dir():
            return None
        return Location(path, self) if self.holds(path) else self._newest(path)

    def holds(self, folder: Path) -> bool:
        return layout.is_step(folder)

    def _newest(self, root: Path) -> Location | None:
        """Return the newest complete step of a CheckpointManager, else the newest."""
        found = layout.steps(root)
        if not found:
            return None
        whole = [each for each in found if not layout.lacks(each)] or found
        newer = ", ".join(each.name for each in found[found.index(whole[-1]) + 1 :])
        but = f"; incomplete: {newer}" if newer else ""
        return Location(whole[-1], self, f"the newest complete step in {root}{but}")

    def in_folder(self, folder: Path) -> Iterator[Path]:
        if layout.is_step(folder):
            yield folder

    def files(self, checkpoint: Path) -> Iterator[Path]:
        return layout.files(checkpoint)

    def is_temporary(self, path: Path) -> bool:
        return layout.is_temporary(path)


ORBAX = _Orbax(
    "Orbax",
    (layout.TREE,),
    _open,
    has_checksums=False,
    is_folder=True,
    index_ending=layout.MANIFEST,
    on_damage="a restore raises, or loads the wrong values silently",
)
