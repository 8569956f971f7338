"""The rules: each is a small function over the findings that yields the causes it sees, and nothing where it sees none.

They are asked in the order of RULES, that of decision: the checkpoint as a whole, tensors by kind, then steps. What one of
them has explained the next ones do not see, so that consequences are not reported, and independent causes are. A new rule is a
function in the file of what it looks at, and an entry here.
"""

from collections.abc import Sequence

from ckptcheck.diagnosis.findings import Findings
from ckptcheck.diagnosis.findings import Rule as Rule
from ckptcheck.diagnosis.rules import checkpoint, data, steps, tensors

RULES: tuple[Rule, ...] = (
    checkpoint.nothing_restored,
    tensors.not_finite,
    tensors.missing,
    checkpoint.older,
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
# What an epoch reports of itself changes with whatever else is lost: it is a loss of its own only where it is the only one.
LAST: tuple[Rule, ...] = (tensors.lost_metrics, steps.unexplained)
# The control itself, whatever the restore does.
OF_THE_CONTROL: tuple[Rule, ...] = (tensors.dead_statistics, tensors.dead_shadows)


def apply(rules: Sequence[Rule], findings: Findings) -> Findings:
    """Return the findings with what each rule sees that the ones before it have left."""
    for rule in rules:
        findings = findings.and_found(rule(findings))
    return findings
