"""Looks for causes: each is a small function over the evidence that yields what it finds, and nothing where it finds nothing.

They are asked in the order of LOOKS, that of decision: the checkpoint as a whole, tensors by kind, then steps. What one of
them has explained the next ones do not see, so that consequences are not reported, and independent causes are.
"""

from collections.abc import Callable, Iterator

from ckptcheck.diagnosis.cause import Diagnosis
from ckptcheck.diagnosis.findings import Evidence
from ckptcheck.diagnosis.rules import checkpoint, data, steps, tensors

Look = Callable[[Evidence], Iterator[Diagnosis]]

LOOKS: tuple[Look, ...] = (
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
    tensors.remembered,
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
LAST: tuple[Look, ...] = (tensors.lost_metrics, steps.unexplained)
# The control itself, whatever the restore does.
OF_THE_CONTROL: tuple[Look, ...] = (tensors.dead_statistics, tensors.dead_shadows)
