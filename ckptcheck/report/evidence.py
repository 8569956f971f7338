"""The evidence on one job: its recorded runs, and why some of them did not finish."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from ckptcheck.comparison.noise_floor import NoiseFloor, measure, without_saves
from ckptcheck.diagnosis.crash_image import CrashImage
from ckptcheck.job.frameworks import why_nothing_saved
from ckptcheck.report.validity import NO_CHECKPOINT
from ckptcheck.run import environment
from ckptcheck.run.folder import (
    FOUND,
    control_of,
    crash_image_of,
    found_of,
    name_of_rank,
    of_rank,
    read,
    resumed_of,
    unevaluated_of,
    unsaved_of,
)
from ckptcheck.run.run import Failure, Run
from ckptcheck.run.task import EXPERIMENTS, ONCE, UNEVALUATED
from ckptcheck.run.writes import made_of
from ckptcheck.text_safety import first_sentence

# A run, if there is one, and why it did not finish, if it did not.
_RunOrTrouble = tuple[Run | None, str | None]


@dataclass(frozen=True)
class Evidence:
    """The folder with the runs of one job, and why runs did not finish, by their folder's name.

    `repeats` is how many more times the control ran, `noise_asked` whether the user asked for that.
    `reason` is why nothing can be judged, though the runs ended, `not_twice` why no run was resumed
    twice, where that was asked for. Of a job that trains in several processes it is the evidence on
    one rank.
    """

    folder: Path
    trouble: Mapping[str, str]
    repeats: int = 0
    noise_asked: bool = False
    reason: str | None = None
    not_twice: str | None = None
    rank: int = 0
    # Runs that several cases share are read once.
    _runs: dict[str, _RunOrTrouble] = field(default_factory=dict, repr=False, compare=False)

    def of_rank(self, rank: int | None) -> "Evidence":
        """Return the evidence on one rank; None: the job trains in one process."""
        return replace(self, rank=rank or 0)

    def control(self, repeat: int = 0) -> _RunOrTrouble:
        """Return the control or a repetition of it, and why it did not finish."""
        return self._kept(control_of(self.folder, repeat))

    def resumed(
        self, restore: str, boundary: int, experiment: str = "", after: int = 0
    ) -> _RunOrTrouble:
        """Return a resumed run or an experiment with it, and why it did not finish."""
        folder = resumed_of(self.folder, restore, boundary, after=after, trial=experiment)
        return self._read(folder)

    def image(self, restore: str, boundary: int, after: int = 0) -> CrashImage:
        """Return the crash image that a run is resumed from."""
        if after:
            return CrashImage(crash_image_of(resumed_of(self.folder, restore, after), boundary))
        return CrashImage(found_of(self.folder, restore, boundary))

    def unevaluated_control(self, boundary: int) -> _RunOrTrouble:
        """Return the control without evaluation at a boundary, and why it did not finish."""
        return self._kept(unevaluated_of(self.folder, boundary))

    @cached_property
    def changed_by_saving(self) -> str | None:
        """Where the control differs from one that never saves; None: nowhere, or there is none."""
        control, _ = self.control()
        unsaved, trouble = self._kept(unsaved_of(self.folder))
        return (
            None
            if control is None or unsaved is None or trouble
            else without_saves(control, unsaved)
        )

    def noise(self, control: Run) -> tuple[NoiseFloor | None, str | None]:
        """Return the noise of the job, or why it could not be measured."""
        runs: list[Run] = []
        for repeat in range(1, self.repeats + 1):
            run, trouble = self.control(repeat)
            if run is None or trouble:
                return None, f"The second control did not finish: {sentence(trouble)}"
            mismatches = environment.mismatches(control.facts.environment, run.facts.environment)
            if mismatches:
                differences = "; ".join(mismatches)
                return None, f"The second control ran in a different environment: {differences}."
            runs.append(run)
        return (measure(control, runs), None) if runs else (None, None)

    def wrote(self, *runs: Run) -> dict[str, str]:
        """Return what became of each file that these runs and the controls wrote elsewhere."""
        others = [self._kept(unsaved_of(self.folder))]
        others += [self.control(repeat) for repeat in range(1, self.repeats + 1)]
        return made_of([run.facts for run in (*runs, *(run for run, _ in others)) if run])

    def _kept(self, folder: Path) -> _RunOrTrouble:
        name = name_of_rank(folder, self.rank)
        if name not in self._runs:
            self._runs[name] = self._read(folder)
        return self._runs[name]

    def _read(self, folder: Path) -> _RunOrTrouble:
        """Read a run and say why it did not finish; a control must not raise either."""
        for name in (folder.name, name_of_rank(folder, self.rank)):
            if name in self.trouble:
                return None, self.trouble[name]
        return _read(of_rank(folder, self.rank))


@dataclass(frozen=True)
class Pair:
    """The two runs of one case, and further runs that explain them.

    `experiments` are resumed runs with one thing of the control's put in. `unevaluated` is the same
    pair without the evaluation at the boundary. `noise` is None if the control ran only once, and
    `noise_trouble` says why a second one did not finish. `changed_by_saving` is where the control
    differs from one that never saves.
    """

    control: Run
    resumed: Run
    experiments: Mapping[str, Run] = field(default_factory=dict)
    unevaluated: "Pair | None" = None
    noise: NoiseFloor | None = None
    noise_trouble: str | None = None
    noise_asked: bool = False
    changed_by_saving: str | None = None
    # The crash image that the resumed run was restored from, where it is kept.
    image: CrashImage | None = None
    # What became of each file outside the checkpoint folder.
    wrote: Mapping[str, str] = field(default_factory=dict)
    # The boundary of the first resume, if the run is resumed twice.
    after: int = 0
    # Of a second resume: the same restore from the control's checkpoint of the same step.
    once: "Pair | None" = None


@dataclass(frozen=True)
class Missing:
    """Why there is no pair of runs, and the control if there is one."""

    reason: str
    control: Run | None = None
    wrote: Mapping[str, str] = field(default_factory=dict)


def gather(
    evidence: Evidence, restore: str, boundary: int | None, after: int = 0
) -> Pair | Missing:
    """Return the runs of one case; without a boundary, those of the only one.

    `after` is the boundary of the first resume, if the run is resumed twice.
    """
    if evidence.reason:
        return Missing(evidence.reason)
    control, trouble = evidence.control()
    if control is None or trouble:
        return Missing(f"The control did not finish: {sentence(trouble)}")
    boundary = control.facts.schedule.boundary if boundary is None else boundary
    control = control.at(boundary)
    if after and evidence.not_twice:
        return Missing(evidence.not_twice, control, evidence.wrote(control))
    image = evidence.image(restore, boundary, after)
    if not image.files and image.folder.name != FOUND:  # a kill may leave nothing
        why = why_nothing_saved(control.facts.framework, restore)
        return Missing(f"{NO_CHECKPOINT} {why}".rstrip(), control, evidence.wrote(control))
    resumed, trouble = evidence.resumed(restore, boundary, after=after)
    if resumed is None or trouble:
        wrote = evidence.wrote(control)
        return Missing(f"The resumed run did not finish: {sentence(trouble)}", control, wrote)
    noise, noise_trouble = evidence.noise(control)
    tried = {name: evidence.resumed(restore, boundary, name, after)[0] for name in EXPERIMENTS}
    pair = Pair(
        control,
        resumed,
        experiments={
            name: run for name, run in tried.items() if run is not None and run.facts.finished
        },
        noise=noise,
        noise_trouble=noise_trouble,
        noise_asked=evidence.noise_asked,
        changed_by_saving=evidence.changed_by_saving,
        image=image,
        wrote=evidence.wrote(control, resumed),
        after=after,
    )
    if after:
        pair = replace(pair, once=_once(pair, evidence, restore, boundary))
    return replace(pair, unevaluated=_unevaluated(pair, evidence, restore, boundary, after))


def _once(pair: Pair, evidence: Evidence, restore: str, boundary: int) -> Pair | None:
    resumed, trouble = evidence.resumed(restore, boundary, ONCE)
    if resumed is None or trouble:
        return None
    image = evidence.image(restore, boundary)
    return replace(pair, resumed=resumed, experiments={}, image=image, after=0)


def _unevaluated(
    pair: Pair, evidence: Evidence, restore: str, boundary: int, after: int
) -> Pair | None:
    control, trouble_of_control = evidence.unevaluated_control(boundary)
    resumed, trouble = evidence.resumed(restore, boundary, UNEVALUATED, after)
    if control is None or resumed is None or trouble_of_control or trouble:
        return None
    return replace(pair, control=control.at(boundary), resumed=resumed, experiments={})


def _read(folder: Path) -> _RunOrTrouble:
    try:
        run = read(folder)
    except FileNotFoundError:
        return None, "its process recorded nothing"
    failure = run.facts.failure
    if run.facts.restore is None and failure is not None:
        return None, of_failure(failure)
    return (
        run,
        None if run.facts.finished or failure else "its process stopped before the last step",
    )


def of_failure(failure: Failure) -> str:
    """Say where a run raised which exception."""
    step = f", step {failure.step}," if failure.step is not None else ""
    place = f" ({failure.place})" if failure.place else ""
    message = first_sentence(failure.message).rstrip(".")
    return f"{failure.during}{step} raised {failure.type}: {message}{place}"


def sentence(text: str | None) -> str:
    """Return the reason why a run did not finish as a sentence."""
    return f"{(text or 'the reason is unknown').rstrip('.')}."
