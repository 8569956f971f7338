"""The rules: small functions over the findings, each of which yields the causes that it sees.

RULES has the order of decision: the checkpoint as a whole, tensors by kind, then steps. A rule does
not see what earlier rules explained, so consequences are not reported, but independent causes are.
A new rule is a function in the file of its subject, and an entry here.
"""

from collections.abc import Sequence

from ckptcheck.diagnosis.findings import Findings
from ckptcheck.diagnosis.findings import Rule as Rule
from ckptcheck.diagnosis.rules import checkpoint, data, steps, tensors

RULES: tuple[Rule, ...] = (
    checkpoint.nothing_restored,
    tensors.not_finite,
    tensors.replaced_optimizer,
    tensors.missing,
    checkpoint.older,
    checkpoint.of_unseen_step,
    tensors.replicas,
    tensors.shadows_in_weights,
    tensors.lost_statistics,
    tensors.lost_shadows,
    tensors.swapped_weights,
    tensors.swapped_slots,
    tensors.swapped,
    tensors.lost_weights,
    tensors.scaled,
    tensors.narrower,
    tensors.rounding,
    tensors.lost_slots,
    tensors.loss_scale,
    tensors.lost_accumulators,
    tensors.generators,
    tensors.python_state,
    tensors.lost_others,
    steps.lost,
    steps.first,
    data.batches,
    data.draws,
    steps.learning_rate,
    steps.hyperparameters,
    steps.mode,
    steps.statistics_restarted,
    tensors.leftover,
    steps.too_early,
)
# Metrics of an epoch change with any other loss: they count only if nothing else is found.
LAST: tuple[Rule, ...] = (
    tensors.lost_metrics,
    steps.last,
    steps.sealed_generator,
    steps.unexplained,
)
# Faults of the control itself, with any restore.
OF_THE_CONTROL: tuple[Rule, ...] = (tensors.dead_statistics, tensors.dead_shadows)


def apply(rules: Sequence[Rule], findings: Findings) -> Findings:
    """Apply rules in order, each to what the rules before it left unexplained."""
    for rule in rules:
        findings = findings.and_found(rule(findings))
    return findings
