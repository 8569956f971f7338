"""Planted faults: two runs, the diagnosis they must get, and a twin that must not get it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import pytest

from ckptcheck.comparison.compare import compare
from ckptcheck.comparison.comparison import Comparison
from ckptcheck.diagnosis.catalogue import CAUSES
from ckptcheck.diagnosis.cause import Diagnosis, Stage
from ckptcheck.diagnosis.diagnose import diagnose
from ckptcheck.diagnosis.findings import Findings
from ckptcheck.diagnosis.rules import LAST, OF_THE_CONTROL, RULES, Rule, apply
from ckptcheck.run.run import Run

IN_ORDER = (*RULES, *LAST, *OF_THE_CONTROL)


@dataclass(frozen=True)
class Pair:
    """A control and its resumed run."""

    control: Run
    resumed: Run

    @cached_property
    def comparison(self) -> Comparison:
        """The runs, compared bit for bit."""
        return compare(self.control, self.resumed)


@dataclass(frozen=True)
class Said:
    """An expected diagnosis: cause, whole sentence, tensors in order, and stage if known.

    `detail` is given only if it depends on the case.
    """

    cause: str
    sentence: str
    tensors: tuple[str, ...] = ()
    stage: Stage | None = None
    detail: str = ""


@dataclass(frozen=True)
class Fault:
    """What one rule must catch in `runs` and must not see in `twin`.

    `beside` are the causes that other rules find in `runs`, `twin_shows` the causes in `twin`.
    """

    name: str
    rule: Rule
    runs: Pair
    said: tuple[Said, ...]
    twin: Pair
    beside: tuple[str, ...] = ()
    twin_shows: tuple[str, ...] = field(default=())


def cases(faults: Sequence[Fault]) -> pytest.MarkDecorator:
    """Parametrize a test with faults."""
    return pytest.mark.parametrize("fault", faults, ids=[fault.name for fault in faults])


def said(diagnosis: Diagnosis) -> Said:
    """Return a diagnosis in the form of tests."""
    stage = Stage(diagnosis.stage) if diagnosis.stage else None
    detail = diagnosis.detail if "{" in CAUSES[diagnosis.cause].detail else ""
    return Said(diagnosis.cause, diagnosis.sentence, diagnosis.tensors, stage, detail)


def by_rule(rule: Rule, pair: Pair) -> tuple[Said, ...]:
    """Return what a rule says after all rules before it."""
    before = IN_ORDER[: IN_ORDER.index(rule)]
    findings = apply(before, Findings(pair.comparison))
    return tuple(map(said, rule(findings)))


def diagnosed(pair: Pair) -> list[Said]:
    """Return all diagnoses of two runs."""
    return [said(each) for each in diagnose(pair.comparison)]


def assert_caught(fault: Fault) -> None:
    """Check that the rule, and only the causes `beside` it, catch the planted fault."""
    assert by_rule(fault.rule, fault.runs) == fault.said
    everything = diagnosed(fault.runs)
    assert {each.cause for each in everything} == {
        *(each.cause for each in fault.said),
        *fault.beside,
    }
    assert all(each in everything for each in fault.said)


def assert_silent_on_twin(fault: Fault) -> None:
    """Check that the rule is silent on the twin, and that the twin shows what is given."""
    assert by_rule(fault.rule, fault.twin) == ()
    assert tuple(each.cause for each in diagnosed(fault.twin)) == fault.twin_shows
