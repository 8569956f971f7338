"""The runs of a command: the control, and for each kept save one that is started again from it."""

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ckptcheck.command.alignment import first_step
from ckptcheck.command.command import Command
from ckptcheck.command.launch import OUTPUT, Ended, launch
from ckptcheck.errors import UsageError
from ckptcheck.job.schedule import Schedule
from ckptcheck.observer.observation import OBSERVED
from ckptcheck.observer.request import Request
from ckptcheck.run.folder import amend, control_of, crash_image_of, read, resumed_of
from ckptcheck.run.task import CONTROL_HASH_SEED, RESUMED_HASH_SEED, SAME_HASH

RESTART = "restart"
# Called with the name of a run, and the number of steps that it has done.
Progress = Callable[[str, int], None]


@dataclass
class CommandRuns:
    """The runs of one command, in a folder of their own.

    Attributes:
        command: the command.
        folder: the folder of all runs.
        trouble: why a run did not finish, by the name of its folder.
        boundaries: the saves that runs are resumed from, as steps done.
        repeats: how often the control ran again.
    """

    command: Command
    folder: Path
    timeout: float
    progress: Progress
    trouble: dict[str, str] = field(default_factory=dict)
    boundaries: list[int] = field(default_factory=list)
    repeats: int = 0

    @property
    def place(self) -> Path:
        """The folder that the command writes into: the same path in every run."""
        return self.command.writes or self.folder / "run"

    def run_all(self) -> None:
        """Run the control, and the command again from each save that is kept."""
        _check_empty(self.place)
        self.run_control()
        for boundary in self.boundaries:
            self.resume(boundary)

    def run_control(self, repeat: int = 0) -> None:
        """Run the command from nothing to its end."""
        folder = control_of(self.folder, repeat)
        request = self._request(folder)
        if repeat:
            request = replace(request, saves=(0,), falls_back=False)  # keeps no image
        self.place.mkdir(parents=True, exist_ok=True)
        ended = self._launch(request, CONTROL_HASH_SEED, folder.name)
        trouble = self._trouble(folder, ended)
        if trouble:
            self.trouble[folder.name] = trouble
            return
        seen = observed(folder)
        if repeat:
            kept = list(self.boundaries)
        else:
            kept = self.boundaries = list(seen["kept"])
        reason = None if kept else _why_no_image(seen)
        if reason:
            self.trouble[folder.name] = reason
            return
        length = int(seen["steps_per_epoch"] or seen["steps"])
        schedule = Schedule(max(2, int(seen["steps"])), kept[0], length, tuple(kept))
        amend(folder, {"schedule": vars(schedule)})

    def resume(self, boundary: int, trial: str = "") -> None:
        """Start the command again from the crash image of a save."""
        folder = resumed_of(self.folder, RESTART, boundary, trial=trial)
        shutil.copytree(crash_image_of(self.folder, boundary), self.place, symlinks=True)
        request = replace(self._request(folder), restore=RESTART, role="resumed", boundary=boundary)
        seed = CONTROL_HASH_SEED if trial == SAME_HASH else RESUMED_HASH_SEED
        ended = self._launch(request, seed, folder.name)
        control = observed(control_of(self.folder))
        trouble = self._trouble(folder, ended)
        if not (folder / OBSERVED).exists():
            self.trouble[folder.name] = trouble or "it made no training step"
            return
        seen = observed(folder)
        steps = read(control_of(self.folder)).steps, read(folder).steps
        first = first_step(control, seen, boundary, steps)
        schedule = Schedule(max(2, control["steps"]), boundary, int(control["steps_per_epoch"] or control["steps"]))
        amend(folder, {"schedule": vars(schedule), "first_step": first}, first=first, boundary=boundary)

    def _request(self, folder: Path) -> Request:
        saves = self.command.saves
        return Request(
            "control",
            self.command.name,
            None,
            str(folder.resolve()),
            str(self.place),
            str(self.folder.resolve()),
            saves.numbers,
            saves.falls_back,
            0,
            self.command.max_steps,
        )

    def _launch(self, request: Request, hash_seed: str, name: str) -> Ended:
        folder = Path(request.folder)
        folder.mkdir(parents=True)
        words = self.command.words(self.place, is_resumed=request.restore is not None)
        try:
            return launch(
                words, request, hash_seed, self.timeout, lambda done: self.progress(name, done)
            )
        finally:
            # The next run writes into the same path; what this one wrote stays with its record.
            if self.place.exists():
                shutil.move(self.place, folder / "written")

    def _trouble(self, folder: Path, ended: Ended) -> str | None:
        if ended.is_silent:
            return (
                f"it made no step for {self.timeout:g} s and was killed. Raise --timeout if its "
                "steps take longer"
            )
        note = folder / "trouble.txt"
        if note.exists():
            return note.read_text(encoding="utf-8").strip().splitlines()[0]
        if (folder / OBSERVED).exists():
            seen = observed(folder)
            if seen["stopped"] or ended.status == 0:
                return None
        elif ended.status == 0:
            return _why_no_step(folder)
        return f"it exited with status {ended.status}{_last_words(folder)}"


def observed(folder: Path) -> Mapping[str, Any]:
    """Return what the observer noted of a run besides its record."""
    document: Mapping[str, Any] = json.loads((folder / OBSERVED).read_text(encoding="utf-8"))
    return document


def _check_empty(place: Path) -> None:
    if place.exists() and any(place.iterdir()):
        raise UsageError(
            f"{place} is not empty. The command is verified from nothing: name a folder that is "
            "new or empty, or move its files away."
        )


def _why_no_image(seen: Mapping[str, Any]) -> str | None:
    groups = seen["groups"]
    count = groups["known"] or groups["unknown"]
    if count:
        return f"it saved {count} times, so there is no save of the number asked for"
    if seen["saves"]:
        return "it saved only after its last step, so that there is no step left to compare"
    return "it saved no checkpoint"


def _why_no_step(folder: Path) -> str:
    if list(folder.glob("process-*.json")):
        return "no training step was seen in it"
    return "no process of it imported TensorFlow, so nothing was seen of its training"


def _last_words(folder: Path) -> str:
    """Return the last lines of what a run printed, to be added to a sentence."""
    printed = (folder / OUTPUT).read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return f": {printed[-1]}" if printed else ", and printed nothing"
