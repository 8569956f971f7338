"""Options of the shipped jobs: what is wrong is said with the value and what it must be."""

import pytest

from ckptcheck.errors import UsageError
from ckptcheck.jobs import JOBS, EmaOptions, Options
from ckptcheck.jobs.options import parse, shown


def test_values_are_read() -> None:
    given = {"num_updates": "off", "update": "fused", "decay": "0.5", "batch_size": "8", "dataset": "x.npz"}
    read = parse(EmaOptions, "bn-nn", given)
    assert read == EmaOptions(num_updates=False, update="fused", decay=0.5, batch_size=8, dataset="x.npz")


@pytest.mark.parametrize("job", JOBS.values(), ids=lambda job: job.name)
def test_defaults_survive_being_shown(job: object) -> None:
    from dataclasses import fields

    defaults = job.options()
    texts = {each.name: shown(getattr(defaults, each.name)) for each in fields(defaults)}
    assert parse(job.options, job.name, texts) == defaults


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("decay", "1", "The option decay of bn-nn must be a number above 0 and below 1, not '1'."),
        ("decay", "nan", "The option decay of bn-nn must be a number above 0 and below 1, not 'nan'."),
        ("epsilon", "tiny", "The option epsilon of bn-nn must be a number, not 'tiny'."),
        ("learning_rate", "inf", "The option learning_rate of bn-nn must be a finite number above 0, not 'inf'."),
        ("batch_size", "0", "The option batch_size of bn-nn must be a whole number of at least 1, not '0'."),
        ("seed", "-1", "The option seed of bn-nn must be a whole number from 0 to 2147483647, not '-1'."),
        ("num_updates", "yes", "The option num_updates of bn-nn must be on or off, not 'yes'."),
        ("update", "both", "The option update of bn-nn must be separate or fused, not 'both'."),
        ("dataset", "", "The option dataset of bn-nn must not be empty, not ''."),
    ],
)
def test_wrong_value(name: str, value: str, text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(EmaOptions, "bn-nn", {name: value})
    assert str(caught.value) == text


def test_unknown_option_names_the_nearest() -> None:
    with pytest.raises(UsageError) as caught:
        parse(Options, "plain", {"batchsize": "3"})
    assert str(caught.value) == (
        "There is no option of plain called 'batchsize'. Did you mean batch_size? "
        "Known: batch_size, dataset, learning_rate, seed."
    )
