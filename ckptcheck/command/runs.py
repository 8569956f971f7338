"""The runs of a command: the control, and for each kept save one that is started again from it."""

import itertools
import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from ckptcheck.command.choice_of_saves import kinds_at, next_alike, saved_in_all, with_first
from ckptcheck.command.command import Command
from ckptcheck.command.fallback import Fallback, ran_as
from ckptcheck.command.folder_watch import FolderWatch
from ckptcheck.command.launch import OUTPUT, Ended, launch
from ckptcheck.command.left_records import Ran
from ckptcheck.command.outside import lost_arrays
from ckptcheck.command.ranks import ranks_of, records, settle_all, why_not_all_seen
from ckptcheck.command.reasons import (
    NO_SECOND_SAVE,
    NOT_BY_FILES,
    NOT_OF_RANKS,
    SEEN_ONCE,
    how_to_resume,
    why_failed,
    why_no_image,
    why_no_step,
    why_not_observed,
    why_other_ranks,
    why_saved_elsewhere,
)
from ckptcheck.command.resumed import observed, schedule_of
from ckptcheck.errors import UsageError
from ckptcheck.job.plan import Settings
from ckptcheck.observer.observation import CLAIM, OBSERVED, TROUBLE
from ckptcheck.observer.request import Request
from ckptcheck.run.digests import digest
from ckptcheck.run.folder import (
    amend,
    control_of,
    crash_image_of,
    found_of,
    of_rank,
    read,
    resumed_of,
    tried_of,
)
from ckptcheck.run.task import CONTROL_HASH_SEED, RESUMED_HASH_SEED, SAME_HASH

RESTART = "restart"


class Progress(Protocol):
    """What is told how far a run has come."""

    def check(self) -> None:
        """Raise what ends the run, if its verification was given up."""

    def began(self, run: str, first: int, steps: int | None) -> None:
        """A run begins at a step, and ends at one, where that is known."""

    def stepped(self, run: str, done: int) -> None:
        """A run has done so many steps."""

    def ended(self, run: str, trouble: str | None) -> None:
        """A run has ended, and why not as it should."""


@dataclass
class CommandRuns:
    """The runs of one command, in a folder of their own.

    Attributes:
        command: the command.
        folder: the folder of all runs.
        reason: why nothing can be verified, though the command ran; None: it can.
        trouble: why a run did not finish, by the name of its folder.
        boundaries: the saves that runs are resumed from, as steps done.
        repeats: how often the control ran again.
        ranks: how many processes train together; each has a record of its own.
        done: the names of the folders of all runs so far.
        second: the save at which runs are resumed for the second time; None: there is none.
        not_twice: why no run is resumed twice, where that is asked for.
        points: further steps at which the control's state is recorded.
    """

    command: Command
    folder: Path
    settings: Settings
    progress: Progress
    reason: str | None = None
    trouble: dict[str, str] = field(default_factory=dict)
    boundaries: list[int] = field(default_factory=list)
    repeats: int = 0
    ranks: int = 1
    done: list[str] = field(default_factory=list)
    second: int | None = None
    not_twice: str | None = None
    points: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        self._fallback = Fallback(self.folder, self.command.metric)
        self._silent: set[str] = set()  # the names of the folders of runs that were killed for that
        self._kept: list[int] = []  # the saves of the control of which there is an image

    @property
    def place(self) -> Path:
        """The folder that the command writes into: the same path in every run."""
        return self.command.writes or self.folder / "run"

    def check_place(self) -> None:
        """Raise `UsageError` if the folder that the command writes into is not empty."""
        _check_empty(self.place)

    def make_place(self) -> None:
        """Make the folder that the command writes into."""
        _make(self.place)

    def look(self) -> bool:
        """Raise if the runs were given up; say that nothing was seen to be written."""
        self.progress.check()
        return False

    def run_all(self) -> None:
        """Run the control, and the command again from each save that is kept."""
        self.check_place()
        self.run_control()
        for boundary in self.boundaries:
            self.resume(boundary)
        if self.command.saves.falls_back and self.boundaries and self._fallback.left is None:
            self._choose()
        if self.settings.twice and self.boundaries:
            self.second = self._second_of(self.boundaries[0])
            self._name_both()
        kept = (*self.boundaries, *([] if self.second is None else [self.second]))
        for image in self.folder.glob("crash-image*"):
            if image not in [crash_image_of(self.folder, each) for each in kept]:
                shutil.rmtree(image)

    def _choose(self) -> None:
        """Choose a later save if the command did not resume from the first one, but from that.

        What it saved first may not be meant to resume from, such as the best weights.
        """
        seen = observed(control_of(self.folder))
        (first,) = self.boundaries
        if self._resumed_from(first):
            return
        for boundary in seen["kept"]:
            if boundary != first and kinds_at(seen, boundary) - kinds_at(seen, first):
                self.resume(boundary)
                if self._resumed_from(boundary):
                    self.boundaries = [boundary]
                    self._amend_control(control_of(self.folder), {})
                    return

    def _second_of(self, first: int) -> int | None:
        """Return the save at which a run resumed from the first one is resumed again, or None.

        It is the next one of the same kinds of files that is kept.
        """
        if self._fallback.left is not None or self.ranks > 1:
            return None
        return next_alike(observed(control_of(self.folder)), self._kept, first)

    def _name_both(self) -> None:
        """Note at which two saves runs are resumed, or why they are not resumed twice."""
        if self._fallback.left is not None:
            self.not_twice = NOT_BY_FILES
        elif self.ranks > 1:
            self.not_twice = NOT_OF_RANKS
        elif self.second is None:
            self.not_twice = NO_SECOND_SAVE
        else:
            control = control_of(self.folder)
            both = (*self.boundaries, self.second)
            amend(control, {"schedule": vars(schedule_of(observed(control), both))})

    def resume_again(self) -> None:
        """Start the command again from what the run saved that was resumed from the first save."""
        (first,) = self.boundaries
        if self.second is None or self.not_twice:
            return
        folder = resumed_of(self.folder, RESTART, first)
        began, saved = saved_in_all(observed(folder), first, len(read(folder).steps))
        if saved and self.second not in saved:
            self.not_twice = why_saved_elsewhere(self.second, saved)
            return
        crash_image_of(folder, self.second - began).rename(crash_image_of(folder, self.second))
        self.resume(self.second, after=first)
        if self.reason:  # it is no reason against the runs before
            self.not_twice, self.reason = self.reason, None

    def _resumed_from(self, boundary: int) -> bool:
        """Return whether a run restored something, and went on with the step after its save."""
        folder = resumed_of(self.folder, RESTART, boundary)
        if not (folder / OBSERVED).exists():
            return False
        begins = read(folder).facts.first_step
        return bool(observed(folder)["restores"]) and begins in (None, boundary)

    def run_control(self, repeat: int = 0) -> None:
        """Run the command from nothing to its end."""
        folder = control_of(self.folder, repeat)
        request = self.request(folder)
        if repeat:  # its images are not needed, but where the control took one, it is compared
            self.repeats += 1
            request = replace(request, images=request.folder)
        _make(self.place)
        self._run(request, CONTROL_HASH_SEED)
        if self.reason or folder.name in self.trouble:
            return
        seen = observed(folder)
        kept = list(seen["kept"])
        if not any(each["is_inside"] for each in seen["saves"]) and seen["saves"]:
            kept = []
        if not repeat:
            one = self.command.saves.falls_back or self.settings.twice
            twice = self.settings.twice and kept
            self._kept = with_first(self.folder, seen, kept) if twice else kept
            self.boundaries = self._kept[:1] if one else kept
        if not kept:
            self.reason = why_no_image(seen)
            return
        self._count_ranks(folder)
        facts: dict[str, Any] = {"first_step": 0}
        if not (self.command.saves.falls_back or self.settings.twice):
            facts["saves_missing"] = max(0, len(self.command.saves.numbers) - len(kept))
        self._amend_control(folder, facts)

    def _amend_control(self, folder: Path, facts: Mapping[str, Any]) -> None:
        for each in records(folder, self.ranks):
            schedule = schedule_of(observed(each), self.boundaries)
            amend(each, {**facts, "schedule": vars(schedule)})

    def _count_ranks(self, folder: Path) -> None:
        """Count the ranks of a run, which are those of the control."""
        count = ranks_of(folder)
        if folder.name == "control":
            self.ranks = count
            self.reason = why_not_all_seen(folder, count, self.boundaries)
        elif count != self.ranks:
            self.reason = why_other_ranks(self.ranks, count)

    def resume(
        self, boundary: int, trial: str = "", after: int = 0, restore: str = RESTART
    ) -> None:
        """Start the command again from the crash image of a save, or from what a kill left.

        `after` is the save from which the run was resumed that made this one; 0: the control made
        it. `restore` names the run; see `found_of`.
        """
        folder = resumed_of(self.folder, restore, boundary, after=after, trial=trial)
        found = found_of(self.folder, restore, boundary)
        if after:
            found = crash_image_of(resumed_of(self.folder, restore, after), boundary)
        shutil.copytree(found, self.place, symlinks=True)
        second = self._second_of(boundary) if self.settings.twice and not (after or trial) else None
        self._fallback.prepare(self.place)
        request = replace(
            self.request(folder),
            role="resumed",
            restore=restore,
            boundary=boundary,
            is_accumulating=boundary in observed(control_of(self.folder)).get("accumulating", ()),
            late_files=tuple(self._late_files(boundary)),
            restored=tuple(self._values_at(boundary)),
            # Counted from its own first step.
            max_steps=max(1, self.command.max_steps - boundary) if self.command.max_steps else 0,
            images=str(folder.resolve()),
            image_after=0 if second is None else second - boundary,
        )
        self._run(request, CONTROL_HASH_SEED if trial == SAME_HASH else RESUMED_HASH_SEED)
        recorded = list(records(folder, self.ranks))
        if not recorded or self.reason:
            return
        if recorded[0] == folder:
            self._count_ranks(folder)
        if folder.name in self._silent and not any(observed(each)["failure"] for each in recorded):
            return  # what a process that was killed would have done later is unknown
        trouble = self.trouble.pop(folder.name, "")
        self.trouble |= settle_all(self.folder, folder, self.ranks, boundary, trouble)

    def begin_anew(self, restore: str) -> Path:
        """Start the command again where a kill left no whole save; return the folder of its record.

        It is recorded as a control: it is to begin from nothing.
        """
        folder = resumed_of(self.folder, restore, 0)
        shutil.copytree(found_of(self.folder, restore, 0), self.place, symlinks=True)
        self._run(replace(self.request(folder), images=str(folder), saves=(0,)), CONTROL_HASH_SEED)
        return folder

    def try_again(self, boundary: int, trial: str, after: int = 0, restore: str = RESTART) -> None:
        """Resume once more for a trial, which the cases of all ranks share."""
        folder = resumed_of(self.folder, restore, boundary, after=after, trial=trial)
        if folder.name not in self.done:
            self.resume(boundary, trial, after, restore)

    def run_with(self, setting: str, number: int) -> tuple[Path, str | None]:
        """Run the control with a setting that may make it reproducible.

        Args:
            setting: the line that the program would set it with.
            number: the number of this run with it.

        Returns:
            The folder of its record, and why it did not end as it should.
        """
        folder = tried_of(self.folder, setting, number)
        request = replace(self.request(folder), images=str(folder), setting=setting)
        _make(self.place)
        self._run(request, CONTROL_HASH_SEED)
        return folder, self.trouble.pop(folder.name, None)

    def leave_out_noise(self) -> None:
        """Leave out the arrays that differ between two controls: they prove nothing."""
        resumed = [(each, resumed_of(self.folder, RESTART, each)) for each in self.boundaries]
        if self.second is not None:
            again = resumed_of(self.folder, RESTART, self.second, after=self.boundaries[0])
            resumed.append((self.second, again))
        controls = control_of(self.folder), control_of(self.folder, 1)
        for rank, (boundary, run) in itertools.product(range(self.ranks), resumed):
            folders = [of_rank(folder, rank) for folder in (*controls, run)]
            if all((folder / "run.json").exists() for folder in folders):
                control, repeat, resumed_run = map(read, folders)
                noisy = lost_arrays(control, repeat, boundary)
                kept = [name for name in resumed_run.facts.changed_arrays if name not in noisy]
                amend(folders[-1], {"changed_arrays": kept})

    def _values_at(self, boundary: int) -> Iterator[str]:
        """Yield the digest of each of the control's tensors at a save."""
        for record in records(control_of(self.folder), self.ranks):
            for tensor in read(record).snapshot_at(boundary).values():
                yield digest(tensor.value)

    def _late_files(self, boundary: int) -> Iterator[str]:
        """Yield the files elsewhere that the control wrote after a save and left."""
        image = crash_image_of(self.folder, boundary)
        if not image.exists():  # the state is known there, though the control did not save
            return
        taken = image.stat().st_mtime_ns
        controls = map(read, records(control_of(self.folder), self.ranks))
        for name in {name for control in controls for name in control.facts.wrote}:
            path = Path(name).absolute()
            if path.is_file() and path.stat().st_mtime_ns > taken:
                yield str(path)

    def request(self, folder: Path) -> Request:
        """Return what a run records in a folder: the request of a control, to be changed."""
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
            self.settings.kinds,
            points=self.points,
            reports_itself=self.command.reports_itself,
        )

    def _run(self, request: Request, hash_seed: str) -> None:
        """Run the command once; note why it did not end as it should."""
        folder = Path(request.folder)
        folder.mkdir(parents=True)
        words = self.command.words(self.place, request.restore is not None)
        steps = self.command.max_steps or None
        if request.restore is not None:
            steps = observed(control_of(self.folder))["steps"]
        name = _label(request, folder.name)
        self.progress.began(name, request.boundary, steps)
        started, takes = time.time(), folder.name == "control"
        watch = FolderWatch(request, folder / OUTPUT, folder / CLAIM, takes=takes)

        def look() -> bool:
            self.progress.check()
            return watch.look()

        def stepped(done: int) -> None:
            done += request.boundary
            # It may go on from an earlier save than is thought, and then makes more steps.
            self.progress.stepped(name, done if steps is None else min(done, steps))

        try:
            ended = launch(
                words,
                request,
                hash_seed,
                self.settings.timeout,
                stepped,
                look,
            )
            watch.ended()
        finally:
            # The next run writes into the same path; what this one wrote stays with its record.
            if self.place.exists():
                shutil.move(self.place, folder / "written")
        trouble = self._trouble(folder, ended)
        if trouble:
            self.trouble[folder.name] = trouble
        elif not (self.reason or (folder / OBSERVED).exists()):
            ran = ran_as(request, hash_seed, started, folder / OUTPUT)
            self.reason = self._why_not_by_leavings(ran, watch, request.boundary)
        shutil.rmtree(watch.images, ignore_errors=True)
        self.done.append(folder.name)
        self.progress.ended(name, trouble)

    def _trouble(self, folder: Path, ended: Ended) -> str | None:
        """Return why a run did not end as it should, or note why it was not seen."""
        if ended.is_silent:
            self._silent.add(folder.name)
            return (
                f"it made no step for {self.settings.timeout:g} s and was killed. Raise --timeout "
                "if its steps take longer"
            )
        note = folder / TROUBLE
        if note.exists():
            self.reason = why_not_observed(note.read_text(encoding="utf-8"))
            return None
        is_seen = (folder / OBSERVED).exists()
        if is_seen and self._fallback.left is not None:
            self.reason = SEEN_ONCE
            return None
        if is_seen and (observed(folder)["stopped"] or ended.status == 0):
            return None
        if ended.status:
            hint = "" if is_seen else how_to_resume(folder, self.command)
            return why_failed(ended.status, folder, hint)
        return None

    def _why_not_by_leavings(self, ran: Ran, watch: FolderWatch, boundary: int) -> str | None:
        """Record a run of which no step was seen by what it left; return why that is impossible."""
        unseen = why_no_step(ran.folder, self.command)
        left = self._fallback.left
        if boundary and left is not None:
            return None if self._fallback.resumed(ran, boundary) else unseen
        if boundary or (left is None and self.repeats):
            return unseen
        if left is not None:
            self._fallback.repeated(ran)
            return None
        why = self._fallback.control(ran, watch)
        return None if why is None else f"{unseen} {why}".rstrip()


def _label(request: Request, folder: str) -> str:
    """Return how progress calls a run."""
    if request.restore is None:
        if request.setting:
            return f"control with {request.setting}"
        return "control" if folder == "control" else "control again"
    twice = ", twice" if folder.count("@") > 1 else ""
    return f"{request.restore}{twice}{' again' if '~' in folder else ''}"


def _make(place: Path) -> None:
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{place} cannot be made: {error.strerror or error}.") from error


def _check_empty(place: Path) -> None:
    if place.exists() and any(place.iterdir()):
        raise UsageError(
            f"{place} is not empty. The command is verified from nothing: name a folder that is "
            "new or empty, or move its files away."
        )
