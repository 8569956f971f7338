"""Saves that change the run, and restores that read other files than the checkpoint."""

import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from base import Array, Clean
from planting import planted

from ckptcheck import Restored

BESIDE = Path(tempfile.gettempdir()) / "ckptcheck-tests-beside.npz"


@planted(refused=[("restore-raised", None)])
class Missing(Clean):
    """The restore asks for a key that was never saved."""

    def wanted(self, held: Iterable[str]) -> dict[str, str]:
        return {name: name for name in held} | {"w": "nowhere"}


@planted(diverged=[("older-checkpoint", None)])
class OlderCheckpoint(Clean):
    """Restores the weights from an older save, and the counter from the newest."""

    def save(self, folder: Path, step: int) -> None:
        super().save(folder, step)
        held: dict[str, Any] = {name.replace("/", "|"): value for name, value in self.live.items()}
        np.savez(folder / f"{step}.npz", **held)

    def restore(self, folder: Path, restore: str) -> Restored | None:
        restored = super().restore(folder, restore)
        oldest = min(int(each.stem) for each in folder.glob("[0-9]*.npz"))
        with np.load(folder / f"{oldest}.npz") as file:
            self.live |= {
                name: file[name.replace("/", "|")] for name in self.live if name != "step"
            }
        return restored


@planted(diverged=[("updated-after-save", None)])
class UpdatedAfterSave(Clean):
    """A save writes the moving mean as it was at the save before: it is updated too late."""

    def save(self, folder: Path, step: int) -> None:
        newest = self.live["mean"]
        self.live["mean"] = getattr(self, "before", newest)
        super().save(folder, step)
        self.live["mean"] = self.before = newest


@planted(diverged=[("updated-after-save", None)])
class UpdatedAfterSaveUnreported(UpdatedAfterSave):
    """The same, of a restore that reports nothing: the crash image holds the older value."""

    def restore(self, folder: Path, restore: str) -> None:
        super().restore(folder, restore)


@planted(diverged=[("older-checkpoint", None)])
class OneOlderFile(Clean):
    """The moving mean is read from an older file, all else from the newest; nothing is reported."""

    def save(self, folder: Path, step: int) -> None:
        super().save(folder, step)
        np.save(folder / f"{step}.npy", self.live["mean"])

    def restore(self, folder: Path, restore: str) -> None:
        super().restore(folder, restore)
        oldest = min(folder.glob("[0-9]*.npy"), key=lambda each: int(each.stem))
        self.live["mean"] = np.load(oldest)


@planted(
    inconclusive=(
        "The checkpoint is missing: the control's save wrote no file into the folder it was given."
    )
)
class SavesElsewhere(Clean):
    """Saves to and restores from a folder of its own: the crash image is empty."""

    elsewhere = Path(tempfile.gettempdir()) / "ckptcheck-tests-elsewhere"

    def save(self, folder: Path, step: int) -> None:
        self.elsewhere.mkdir(exist_ok=True)
        super().save(self.elsewhere, step)

    def restore(self, folder: Path, restore: str) -> Restored | None:
        return super().restore(self.elsewhere, restore)


@planted(recovered=[])
class PointsToItsFolder(Clean):
    """Exact; the checkpoint holds the absolute path of its folder."""

    def save(self, folder: Path, step: int) -> None:
        super().save(folder, step)
        (folder / "checkpoint").write_text(str(folder / "state.npz"))

    def restore(self, folder: Path, restore: str) -> Restored | None:
        return super().restore(Path((folder / "checkpoint").read_text()).parent, restore)


@planted(
    inconclusive="The resumed run did not finish: its checkpoint file 'checkpoint' names the original folder by an absolute path, "
    "so the restore would read that folder instead of the crash image. Save paths relative to the folder."
)
class PointsInBinary(PointsToItsFolder):
    """The same path in a binary file."""

    def save(self, folder: Path, step: int) -> None:
        super().save(folder, step)
        pointer = folder / "checkpoint"
        pointer.write_bytes(b"\xff" + pointer.read_bytes())


@planted(recovered=[])
class UnpacksTheCheckpoint(Clean):
    """Exact; the restore reads a copy that it made itself, and a file in /proc."""

    def restore(self, folder: Path, restore: str) -> Restored | None:
        Path("/proc/self/status").read_text()
        with tempfile.TemporaryDirectory() as unpacked:
            (Path(unpacked) / "state.npz").write_bytes((folder / "state.npz").read_bytes())
            return super().restore(Path(unpacked), restore)


@planted(
    inconclusive=f"The resumed run did not finish: its restore read {BESIDE}, which was written during this "
    "verification but is not part of the checkpoint, so it may not survive a crash. Save it with the checkpoint."
)
class ReadsBeside(Clean):
    """The momentum is saved outside the checkpoint."""

    def save(self, folder: Path, step: int) -> None:
        super().save(folder, step)
        np.savez(BESIDE, momentum=self.live["w/momentum"])

    def saved(self) -> list[str]:
        return [name for name in self.live if name != "w/momentum"]

    def restore(self, folder: Path, restore: str) -> Restored | None:
        restored = super().restore(folder, restore)
        with np.load(BESIDE) as file:
            self.live["w/momentum"] = file["momentum"]
        return restored


@planted(recovered=[])
class WritesBeside(Clean):
    """Exact; its restore appends to a log outside the checkpoint."""

    def restore(self, folder: Path, restore: str) -> Restored | None:
        with (Path(tempfile.gettempdir()) / "ckptcheck-tests.log").open("a") as log:
            log.write("restored")
        return super().restore(folder, restore)


class RepairsTheCheckpoint(Clean):
    """One restore repairs the checkpoint; the other loses the mean, unless it reads the repaired one."""

    restores = ("repair", "plain")

    def saved(self) -> list[str]:
        return [name for name in self.live if name != "mean"]

    def save(self, folder: Path, step: int) -> None:
        super().save(folder, step)
        np.save(folder / "mean.npy", self.live["mean"])

    def restore(self, folder: Path, restore: str) -> Restored | None:
        if restore == "repair":
            with np.load(folder / "state.npz") as file:
                repaired = dict(file) | {"mean": np.load(folder / "mean.npy")}
            np.savez(folder / "state.npz", **repaired)
        else:
            time.sleep(0.4)
        return super().restore(folder, restore)


@planted(
    inconclusive="The control did not finish: it reached a limit of the machine: No space left on device."
)
class DiskFull(Clean):
    def save(self, folder: Path, step: int) -> None:
        raise OSError(28, "No space left on device")


@planted(recovered=[("saving-changes-the-run", None)])
class SavesAverages(Clean):
    """The averages are swapped into the weights for the save, and stay there."""

    def save(self, folder: Path, step: int) -> None:
        self.live["w"] = self.live["w/average"].copy()
        super().save(folder, step)


@planted(recovered=[("saving-changes-the-run", None)])
class SavingTakesABatch(Clean):
    """The save consumes a batch, and training continues with the next one."""

    taken = 0

    def batch(self, step: int) -> Array:
        return super().batch(step + self.taken)

    def save(self, folder: Path, step: int) -> None:
        super().save(folder, step)
        (folder / "taken").write_text(str(self.taken + 1))
        self.taken += 1

    def restore(self, folder: Path, restore: str) -> Restored | None:
        self.taken = int((folder / "taken").read_text())
        return super().restore(folder, restore)
