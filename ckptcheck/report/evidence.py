"""What the processes of one job left behind, as it is judged: its runs, and what kept some of them from finishing."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from ckptcheck.comparison.noise_floor import NoiseFloor, measure, without_saves
from ckptcheck.diagnosis.refusals import first_sentence
from ckptcheck.report.validity import NO_CHECKPOINT
from ckptcheck.run import environment
from ckptcheck.run.folder import (
    control_of,
    crash_image_of,
    read,
    resumed_of,
    unevaluated_of,
    unsaved_of,
)
from ckptcheck.run.run import Failure, Run
from ckptcheck.run.task import EXPERIMENTS, UNEVALUATED

# A run, if there is one, and what kept it from its end.
_RunOrTrouble = tuple[Run | None, str | None]


@dataclass(frozen=True)
class Evidence:
    """What is left of one job: the folder with its runs, and what kept which of them, by its folder's name, from finishing.

    `repeats` is the number of times its control was run again; `noise_asked` whether somebody asked for that.
    """

    folder: Path
    trouble: Mapping[str, str]
    repeats: int = 0
    noise_asked: bool = False
    # Runs that several cases look at: what they hold is read once.
    _runs: dict[str, _RunOrTrouble] = field(default_factory=dict, repr=False, compare=False)

    def control(self, repeat: int = 0) -> _RunOrTrouble:
        """Return the control, or a repetition of it, and what kept it from its end."""
        return self._kept(control_of(self.folder, repeat))

    def resumed(self, restore: str, boundary: int, experiment: str = "") -> _RunOrTrouble:
        """Return a resumed run, or an experiment with it, and what kept it from its end."""
        return _read(resumed_of(self.folder, restore, boundary, trial=experiment), self.trouble)

    def unevaluated_control(self, boundary: int) -> _RunOrTrouble:
        """Return the control that was not evaluated at a boundary, and what kept it from its end."""
        return self._kept(unevaluated_of(self.folder, boundary))

    @cached_property
    def parted_without_saves(self) -> str | None:
        """Where the control parts from one that never saves; None: nowhere, or there is none."""
        control, _ = self.control()
        unsaved, trouble = self._kept(unsaved_of(self.folder))
        return (
            None
            if control is None or unsaved is None or trouble
            else without_saves(control, unsaved)
        )

    def noise(self, control: Run) -> tuple[NoiseFloor | None, str | None]:
        """Return the noise of the job, or what kept a repetition of its control from finishing."""
        runs: list[Run] = []
        for repeat in range(1, self.repeats + 1):
            run, trouble = self.control(repeat)
            if run is None or trouble:
                return None, f"The control could not be repeated: {sentence(trouble)}"
            mismatches = environment.mismatches(control.facts.environment, run.facts.environment)
            if mismatches:
                return (
                    None,
                    f"The control was repeated in another environment: {'; '.join(mismatches)}.",
                )
            runs.append(run)
        return (measure(control, runs), None) if runs else (None, None)

    def _kept(self, folder: Path) -> _RunOrTrouble:
        if folder.name not in self._runs:
            self._runs[folder.name] = _read(folder, self.trouble)
        return self._runs[folder.name]


@dataclass(frozen=True)
class Pair:
    """All that there is to judge of one case: both runs, and what else was run to tell more of them.

    `experiments` are runs by the same restore with one thing of the control's, and `unevaluated` is the same pair without our
    evaluation at the boundary; `noise` is None where the control was not run again, and `noise_trouble` says what kept it from
    its end; `parted_without_saves` is where the control parts from one that never saves.
    """

    control: Run
    resumed: Run
    experiments: Mapping[str, Run] = field(default_factory=dict)
    unevaluated: "Pair | None" = None
    noise: NoiseFloor | None = None
    noise_trouble: str | None = None
    noise_asked: bool = False
    parted_without_saves: str | None = None


@dataclass(frozen=True)
class Missing:
    """Why there is no pair of runs, and the control where there is one."""

    reason: str
    control: Run | None = None


def gather(evidence: Evidence, restore: str, boundary: int | None) -> Pair | Missing:
    """Return the runs of one case; at the only boundary where none is given."""
    control, trouble = evidence.control()
    if control is None or trouble:
        return Missing(f"The control did not finish: {sentence(trouble)}")
    boundary = control.facts.schedule.boundary if boundary is None else boundary
    control = control.at(boundary)
    if not any(path.is_file() for path in crash_image_of(evidence.folder, boundary).rglob("*")):
        return Missing(NO_CHECKPOINT, control)
    resumed, trouble = evidence.resumed(restore, boundary)
    if resumed is None or trouble:
        return Missing(f"The resumed run did not finish: {sentence(trouble)}", control)
    noise, noise_trouble = evidence.noise(control)
    tried = {name: evidence.resumed(restore, boundary, name)[0] for name in EXPERIMENTS}
    pair = Pair(
        control,
        resumed,
        experiments={
            name: run for name, run in tried.items() if run is not None and run.facts.finished
        },
        noise=noise,
        noise_trouble=noise_trouble,
        noise_asked=evidence.noise_asked,
        parted_without_saves=evidence.parted_without_saves,
    )
    return replace(pair, unevaluated=_unevaluated(pair, evidence, restore, boundary))


def _unevaluated(pair: Pair, evidence: Evidence, restore: str, boundary: int) -> Pair | None:
    control, trouble_of_control = evidence.unevaluated_control(boundary)
    resumed, trouble = evidence.resumed(restore, boundary, UNEVALUATED)
    if control is None or resumed is None or trouble_of_control or trouble:
        return None
    return replace(pair, control=control.at(boundary), resumed=resumed, experiments={})


def _read(folder: Path, trouble: Mapping[str, str]) -> _RunOrTrouble:
    """Read a run; say what kept it from its end, for a control including an exception of the job."""
    if folder.name in trouble:
        return None, trouble[folder.name]
    try:
        run = read(folder)
    except FileNotFoundError:
        return None, "its process left no record"
    failure = run.facts.failure
    if run.facts.restore is None and failure is not None:
        return None, of_failure(failure)
    return (
        run,
        None if run.facts.finished or failure else "its process stopped before the last step",
    )


def of_failure(failure: Failure) -> str:
    """Say where a run raised, and what."""
    step = f", step {failure.step}," if failure.step is not None else ""
    place = f" ({failure.place})" if failure.place else ""
    return f"{failure.during}{step} raised {failure.type}: {first_sentence(failure.message).rstrip('.')}{place}"


def sentence(text: str | None) -> str:
    """Return what kept a run from its end as a sentence."""
    return f"{(text or 'nobody knows why').rstrip('.')}."
