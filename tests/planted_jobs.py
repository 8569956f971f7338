"""Find the jobs of `tests/planted`, verify them, and assert what they must show."""

import importlib
import inspect
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

# The folder of the planted jobs is on the path, in a worker and in a test.
from planting import Shows

from ckptcheck import Case, verify

PLANTED = Path(__file__).parent / "planted"
FILES = [path for path in sorted(PLANTED.glob("*.py")) if "@planted(" in path.read_text()]
# A run saved in the middle, within an epoch, in which every planted defect shows.
SHORT: dict[str, Any] = {"steps": 21, "boundary": 9}


@cache
def toy(name: str) -> str:
    """Return the target of a planted job by its name; an unknown name gets the file of `Clean`."""
    definition = re.compile(rf"^(class|def) {re.escape(name)}\b", re.MULTILINE)
    defining = (path for path in FILES if definition.search(path.read_text()))
    return f"{next(defining, PLANTED / 'base.py')}:{name}"


@dataclass(frozen=True)
class PlantedJob:
    """A planted job with one way to verify it, and what it must show."""

    name: str
    job: Any
    shows: Shows

    @property
    def id(self) -> str:
        """The name of the job, with the settings that differ from the default."""
        return "-".join(
            [self.name, *(f"{key}={value}" for key, value in self.shows.verified.items())]
        )

    @property
    def reason(self) -> str | None:
        """The reason for no verdict, with the number of the line that raises."""
        return self.shows.reason and self.shows.reason.replace("{line}", str(self._line_of_raise()))

    def _line_of_raise(self) -> int:
        lines, start = inspect.getsourcelines(self.job)
        return start + next((index for index, line in enumerate(lines) if "raise " in line), 0)


def every_job() -> list[PlantedJob]:
    """Return every planted job, once for each way to verify it."""
    return [each for path in FILES for each in _of(importlib.import_module(path.stem))]


def planted_jobs(*outcomes: str, hiding: bool = False) -> list[PlantedJob]:
    """Return the planted jobs with one of these outcomes; `hiding`: those in `hiding.py` only."""
    return [
        each
        for each in every_job()
        if each.shows.outcome in outcomes
        and (Path(inspect.getfile(each.job)).stem == "hiding") == hiding
    ]


def _of(module: ModuleType) -> Iterator[PlantedJob]:
    for name, job in vars(module).items():
        if getattr(job, "__module__", None) == module.__name__:
            yield from (PlantedJob(name, job, shows) for shows in vars(job).get("shows", ()))


def verified(jobs: Iterable[PlantedJob]) -> dict[str, list[Case]]:
    """Verify jobs, grouped by settings; return the cases of each job by its id."""
    groups: dict[str, list[PlantedJob]] = {}
    for each in jobs:
        groups.setdefault(repr(each.shows.verified), []).append(each)
    cases: dict[str, list[Case]] = {}
    for group in groups.values():
        settings = {**SHORT, **group[0].shows.verified}
        if "boundaries" in settings:
            del settings["boundary"]
        report = verify([toy(each.name) for each in group], **settings)
        for each in group:
            cases[each.id] = [case for case in report.cases if case.job == toy(each.name)]
    return cases


def by_id(jobs: Iterable[PlantedJob]) -> "pytest.MarkDecorator":
    """Parametrise a test by planted jobs."""
    return pytest.mark.parametrize("planted", jobs, ids=lambda each: each.id)


def causes(case: Case) -> list[tuple[str, str | None]]:
    """Return the causes of a case, each with its stage."""
    return [(diagnosis.cause, diagnosis.stage) for diagnosis in case.diagnoses]


def assert_shown(planted: PlantedJob, cases: Sequence[Case]) -> None:
    """Assert that each case, one for each boundary, shows what is planted, and nothing else."""
    boundaries = planted.shows.verified.get("boundaries")
    assert len(cases) == (len(boundaries) if isinstance(boundaries, tuple) else 1)
    outcome, allowed = planted.shows.outcome, planted.shows.verified.get("allow", [])
    for case in cases:
        assert (case.outcome, causes(case)) == (outcome, list(planted.shows.causes))
        assert [tolerated.cause for tolerated in case.allowed] == allowed
        assert case.told_outcome == (
            "recovered, as allowed" if allowed and outcome == "recovered" else outcome
        )
        if outcome == "inconclusive":
            _assert_inconclusive(planted, case)


def _assert_inconclusive(planted: PlantedJob, case: Case) -> None:
    """The report says where a job varies by itself, and diagnoses nothing else."""
    assert case.reason == planted.reason
    assert [diagnosis.sentence for diagnosis in case.diagnoses] == (
        [
            f"The job is not reproducible: when the control runs again, {case.noise.first_difference}."
        ]
        if case.noise
        else []
    )
    assert (case.noise is not None) == (("noise", None) in planted.shows.causes)
