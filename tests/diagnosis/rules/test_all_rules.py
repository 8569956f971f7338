"""Every rule has a planted fault; every cause is planted, or does not come from a rule."""

import inspect

from ckptcheck.comparison.compare import compare
from ckptcheck.diagnosis.catalogue import CAUSES
from ckptcheck.diagnosis.cause import Diagnosis
from ckptcheck.diagnosis.findings import Findings
from ckptcheck.diagnosis.rules import (
    LAST,
    OF_THE_CONTROL,
    RULES,
    Rule,
    apply,
    checkpoint,
    data,
    steps,
    tensors,
)
from ckptcheck.diagnosis.rules.tensors import lost_weights
from tests.builder import changed, control, fresh, resumed
from tests.diagnosis.rules import test_checkpoint, test_data, test_steps, test_tensors
from tests.diagnosis.rules.fault import IN_ORDER, Pair, diagnosed

FAULTS = (*test_checkpoint.FAULTS, *test_data.FAULTS, *test_steps.FAULTS, *test_tensors.FAULTS)

# Causes that do not come from rules, by their source.
OF_REFUSALS = {
    "shadows-not-in-checkpoint",
    "keys-not-in-checkpoint",
    "checkpoint-damaged",
    "restore-raised",
    "resumed-run-raised",
}
OF_EXPERIMENTS = {"depends-on-hash-order"}
OF_THE_VERDICT = {"noise", "saving-changes-the-run"}


def test_every_rule_is_listed_once() -> None:
    assert len(set(IN_ORDER)) == len(IN_ORDER) == len(RULES) + len(LAST) + len(OF_THE_CONTROL)
    defined = {
        function for module in (checkpoint, data, steps, tensors) for function in _rules_of(module)
    }
    assert defined == set(IN_ORDER)


def _rules_of(module: object) -> list[Rule]:
    """Return the public functions of a module that take only findings."""
    functions = [
        each
        for name, each in vars(module).items()
        if inspect.isfunction(each) and not name.startswith("_")
    ]
    own = [each for each in functions if each.__module__ == module.__name__]  # type: ignore[attr-defined]
    return [each for each in own if list(inspect.signature(each).parameters) == ["findings"]]


def test_every_rule_has_a_planted_fault() -> None:
    assert {fault.rule for fault in FAULTS} == set(IN_ORDER)


def test_every_cause_is_planted_or_does_not_come_from_a_rule() -> None:
    planted = {said.cause for fault in FAULTS for said in fault.said}
    assert planted | OF_REFUSALS | OF_EXPERIMENTS | OF_THE_VERDICT == set(CAUSES)
    assert not planted & (OF_REFUSALS | OF_EXPERIMENTS | OF_THE_VERDICT)


def test_a_clean_pair_shows_nothing() -> None:
    assert diagnosed(Pair(control(), resumed(control()))) == []


def test_a_rule_does_not_see_what_an_earlier_rule_explained() -> None:
    run = control()
    findings = Findings(compare(run, changed(resumed(run), boundary={"w": fresh("w")})))
    once = apply([lost_weights], findings)
    assert [each.cause for each in once.found] == ["weights-lost"]
    assert apply([lost_weights], once) is once
    explained = findings.and_found([Diagnosis("older-checkpoint", None, "", "", ("w",))])
    assert apply([lost_weights], explained).found == explained.found
