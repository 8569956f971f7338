"""Options of the shipped jobs: an error quotes the value, and says what it must be."""

from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from ckptcheck.errors import UsageError
from ckptcheck.job.options import parse, shown
from ckptcheck.job.shipped import ShippedJob
from ckptcheck.jobs.options import EmaOptions, Options, RecipeOptions
from ckptcheck.jobs.registry import REGISTRY

ALL = [
    each
    for each in [*REGISTRY.jobs.values(), *REGISTRY.recipes.values()]
    if isinstance(each, ShippedJob)
]


def test_values_are_read() -> None:
    given = {
        "num_updates": "off",
        "update": "fused",
        "decay": "0.5",
        "batch_size": "8",
        "dataset": "x.npz",
    }
    read = parse(EmaOptions, "bn-nn", given)
    assert read == EmaOptions(
        num_updates=False, update="fused", decay=0.5, batch_size=8, dataset="x.npz"
    )


@pytest.mark.parametrize("job", ALL, ids=lambda job: job.name)
def test_defaults_survive_being_shown(job: ShippedJob) -> None:
    defaults = job.options()
    texts = {option.name: shown(getattr(defaults, option.name)) for option in fields(defaults)}
    assert parse(job.options, job.name, texts) == defaults
    assert job.parse(texts) == defaults


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("decay", "1", "The option decay of bn-nn must be a number above 0 and below 1, not '1'."),
        (
            "decay",
            "nan",
            "The option decay of bn-nn must be a number above 0 and below 1, not 'nan'.",
        ),
        ("epsilon", "tiny", "The option epsilon of bn-nn must be a number, not 'tiny'."),
        (
            "learning_rate",
            "inf",
            "The option learning_rate of bn-nn must be a finite number above 0, not 'inf'.",
        ),
        (
            "batch_size",
            "0",
            "The option batch_size of bn-nn must be a whole number of at least 1, not '0'.",
        ),
        (
            "seed",
            "-1",
            "The option seed of bn-nn must be a whole number from 0 to 2147483647, not '-1'.",
        ),
        ("num_updates", "yes", "The option num_updates of bn-nn must be on or off, not 'yes'."),
        ("update", "both", "The option update of bn-nn must be separate or fused, not 'both'."),
        ("dataset", "", "The option dataset of bn-nn must be a name or a path, not ''."),
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


def test_length_of_an_epoch(tmp_path: Path) -> None:
    assert Options().steps_per_epoch() == 44
    assert Options(batch_size=100).steps_per_epoch() == 14
    np.savez(tmp_path / "mine.npz", x=np.zeros((20, 4, 4), np.uint8), y=np.arange(20) % 2)
    assert Options(dataset=str(tmp_path / "mine.npz"), batch_size=8).steps_per_epoch() == 2
    assert Options(dataset="mnist").steps_per_epoch() is None  # a download
    assert RecipeOptions().steps_per_epoch() is None


def test_a_batch_that_is_too_large() -> None:
    with pytest.raises(UsageError) as caught:
        Options(batch_size=2000).steps_per_epoch()
    assert (
        str(caught.value)
        == "batch_size=2000 is larger than the training part of the dataset, 1438 images. Set a smaller batch_size."
    )
