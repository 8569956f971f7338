"""The batches and the random numbers of the steps after the boundary."""

import re
from collections.abc import Iterator

from ckptcheck.comparison import batch_order
from ckptcheck.comparison.batch_order import DataPath
from ckptcheck.diagnosis.catalogue import diagnosis
from ckptcheck.diagnosis.cause import Diagnosis
from ckptcheck.diagnosis.findings import Findings, off_by

_EPOCH_OF_SAMPLER = re.compile(r"sampler\w*\.epoch$")
# The causes of random numbers other than the control's.
GENERATORS = ("generators-restarted", "generators-reseeded", "generators-shifted")


def batches(findings: Findings) -> Iterator[Diagnosis]:
    """Different batches that do not follow from a different step number, or a lost generator."""
    path = findings.comparison.batches
    if path.what in (batch_order.SAME, batch_order.BY_STEP) or findings.nothing_left:
        return
    if _are_drawn(findings):
        return
    epoch = findings.comparison.steps_per_epoch
    if path.what == batch_order.RESTARTED:
        yield diagnosis("data-restarted", step=path.step, source=path.source)
    elif path.what == batch_order.SHIFTED:
        yield diagnosis("data-shifted", step=path.step, source=path.source, off=_off(path))
    elif path.what == batch_order.ORDER:
        yield diagnosis("data-order", order=_order(path, epoch))
    elif path.what == batch_order.EXAMPLES:
        yield diagnosis("examples-lost", step=path.step, lost=path.lost, repeated=path.repeated)
    elif not _may_be_computed(findings):
        why = [*_strange_examples(path), *_process_generators(findings)]
        yield diagnosis("batches-differ", step=path.step, why=" ".join(why))


def _are_drawn(findings: Findings) -> bool:
    """Return whether the batches are drawn from a generator that was lost.

    Either it is drawn from between any two steps, or the order of an epoch is, which begins. Where
    the epoch of a sampler differs, the order follows from that.
    """
    comparison, lost = findings.comparison, findings.tensors_of(*GENERATORS)
    starts = comparison.first_step[0] % comparison.steps_per_epoch == 0
    at_start = starts and comparison.batches.what == batch_order.ORDER
    of_sampler = any(_EPOCH_OF_SAMPLER.search(name) for name in comparison.attributes)
    return not lost.isdisjoint(comparison.drawn_between) or (
        bool(lost) and at_start and not of_sampler
    )


def _may_be_computed(findings: Findings) -> bool:
    """Return whether batches may differ because a model has computed them from lost state.

    So does the generator of a GAN, or a policy. The first batch precedes every such computation.
    """
    path, first = findings.comparison.batches, findings.comparison.first_step[0]
    is_strange = path.what in (batch_order.OTHER, batch_order.STRANGE) and path.step is not None
    return is_strange and path.step != first and bool(findings.found)


def _off(path: DataPath) -> str:
    assert path.source is not None
    assert path.step is not None
    return off_by(path.source - path.step, "batch|batches")


def _order(path: DataPath, epoch: int) -> str:
    assert path.step is not None
    due, place = divmod(path.step, epoch)
    if path.source is None:
        return (
            f"From step {path.step} on, the resumed run reads the remaining examples of epoch "
            f"{due} in a different order"
        )
    read = path.source // epoch
    verb = "repeats" if read < due else "uses"
    start = f"From step {path.step} on, the" if place else "The"
    return (
        f"{start} resumed run {verb} the data order of epoch {read} instead of that of epoch {due}"
    )


def _strange_examples(path: DataPath) -> Iterator[str]:
    if path.what == batch_order.STRANGE:
        yield "The control reads none of their examples."


def _process_generators(findings: Findings) -> Iterator[str]:
    if names := findings.comparison.generators:
        yield (
            f"The control draws from {' and '.join(names)}, whose state is in no checkpoint and "
            "differs in the resumed run."
        )


def draws(findings: Findings) -> Iterator[Diagnosis]:
    """Different random numbers from generators whose state is not visible."""
    if findings.has(*GENERATORS) or findings.nothing_left:
        return
    total = len(findings.comparison.draws)
    differing = [
        path
        for path in findings.comparison.draws
        if path.what not in (batch_order.SAME, batch_order.BY_STEP)
    ]
    restarted = [path for path in differing if path.source is not None]
    reseeded = [path for path in differing if path.source is None]
    if restarted:
        where = (
            f"drew at step {restarted[0].step} what the control drew at step {restarted[0].source}"
        )
        yield diagnosis("generators-restarted", count=len(restarted), total=total, where=where)
    if reseeded:
        where = f"drew at step {reseeded[0].step} what the control never draws"
        yield diagnosis("generators-reseeded", count=len(reseeded), total=total, where=where)
