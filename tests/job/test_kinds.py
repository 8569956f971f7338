"""Kinds of state that a job declares."""

from typing import Any

import numpy as np
import pytest

from ckptcheck import Kind, Tensor, UsageError
from ckptcheck.job.kinds import as_kinds, with_kinds


def test_a_pattern_matches_a_name_or_its_last_part() -> None:
    names = ("grad_acc", "dense/grad_acc_1", "dense/kernel", "grad/kernel")
    state = {name: Tensor(Kind.WEIGHT, np.zeros(1)) for name in names}
    kinds = as_kinds({"grad_acc*": Kind.ACCUMULATOR, "grad/*": "slot"}, "kinds")
    assert {name: each.kind for name, each in with_kinds(state, kinds).items()} == {
        "grad_acc": Kind.ACCUMULATOR,
        "dense/grad_acc_1": Kind.ACCUMULATOR,
        "dense/kernel": Kind.WEIGHT,
        "grad/kernel": Kind.SLOT,
    }


@pytest.mark.parametrize(
    ("declared", "sentence"),
    [
        (
            {"a": "acumulator"},
            "There is no kind of state for kinds of the job called 'acumulator'. Did you mean accumulator? Known: accumulator, counter, hyperparameter, loss scale, metric, moving statistic, other, python attribute, rng, shadow, slot, weight.",
        ),
        (
            ["grad_acc"],
            "kinds of the job must be a mapping such as {'grad_acc*': 'accumulator'}, not ['grad_acc'].",
        ),
    ],
)
def test_a_wrong_declaration(declared: Any, sentence: str) -> None:
    with pytest.raises(UsageError) as caught:
        as_kinds(declared, "kinds of the job")
    assert str(caught.value) == sentence
