"""How the batches of a resumed run relate to the control's."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ckptcheck.comparison.batch_order import DataPath as Story
from ckptcheck.comparison.batch_order import batches, draws, epoch
from ckptcheck.job.schedule import Schedule
from ckptcheck.run.digests import MOST_EXAMPLES, fingerprints, split
from ckptcheck.run.run import Facts, Run, StepRecord

# Four steps an epoch, each epoch in its own order.
EPOCHS = ["abcd", "efgh", "ijkl", "mnop"]
READ = "".join(EPOCHS)


def run(read: str, first: int, boundary: int, examples: list[str] | None = None) -> Run:
    facts = Facts("control", "job", None, 0, Schedule(16, boundary, 4), first_step=first)
    shown = [tuple(each) for each in examples] if examples else [None] * len(read)
    steps = [
        StepRecord(first + index, 0.0, batch=batch, examples=shown[index])
        for index, batch in enumerate(read)
    ]
    return Run(Path(), facts, tuple(steps), {})


def shown(whole: Run, **columns: Sequence[Any]) -> Run:
    """Return a run with changed steps."""
    steps = [
        dataclasses.replace(step, **{name: values[index] for name, values in columns.items()})
        for index, step in enumerate(whole.steps)
    ]
    return dataclasses.replace(whole, steps=tuple(steps))


@pytest.mark.parametrize(
    ("boundary", "read", "first", "story"),
    [
        (10, "klmnop", 10, Story()),
        (10, "ijklmn", 10, Story("restarted", 10, 8)),
        (10, "abcdef", 10, Story("restarted", 10, 0)),
        (10, "lmnop", 10, Story("shifted", 10, 11)),
        (10, "jklmno", 10, Story("shifted", 10, 9)),
        (10, "cdmnop", 10, Story("order", 10, 2)),
        (10, "ghijkl", 10, Story("order", 10, 6)),
        (8, "abcdefgh", 8, Story("order", 8, 0)),
        (10, "klabcd", 10, Story("order", 12, 0)),
        (10, "klnop", 10, Story("shifted", 12, 13)),
        (10, "uvwxyz", 10, Story("other", 10)),
        # The batch of its number, with a different number and with the control's.
        (10, "abcdefgh", 0, Story("by step", 10)),
        (10, "lmnop", 0, Story("shifted", 10, 11)),
    ],
)
def test_stories(boundary: int, read: str, first: int, story: Story) -> None:
    assert batches(run(READ, 0, boundary), run(read, first, boundary)) == story


EXAMPLES = ["12", "34", "56", "78"] * 4


@pytest.mark.parametrize(
    ("examples", "story"),
    [
        (["67", "85", "12", "34"], Story("order", 10)),
        (["12", "58", "12", "34"], Story("examples", 10, lost=2, repeated=2)),
        (["ab", "cd", "ef", "gh"], Story("strange", 10)),
        (["1b", "cd", "ef", "gh"], Story("other", 10)),
    ],
)
def test_stories_of_examples(examples: list[str], story: Story) -> None:
    control = run(READ, 0, 10, EXAMPLES)
    assert batches(control, run("uvwx", 10, 10, examples)) == story


def test_nothing_shown() -> None:
    silent = shown(run(READ, 0, 10), batch=[None] * 16)
    assert batches(silent, shown(run("klmnop", 10, 10), batch=[None] * 6)) == Story()
    assert batches(silent, run("klmnop", 10, 10)).what == "other"


@pytest.mark.parametrize(
    "dtype", ["float32", "float64", "float16", "int64", "int8", "complex128", "S7"]
)
def test_fingerprints_are_of_examples(dtype: str) -> None:
    rows = np.arange(24).reshape(6, 4).astype(dtype)
    whole = split(fingerprints([rows, np.arange(6)]))
    assert len(set(whole)) == 6
    order = [3, 1, 5, 0, 2, 4]
    assert split(fingerprints([rows[order], np.arange(6)[order]])) == tuple(
        whole[each] for each in order
    )
    assert fingerprints([rows, np.arange(6)[::-1]]) != fingerprints([rows, np.arange(6)])


def test_what_has_no_examples() -> None:
    assert fingerprints([]) == fingerprints([np.array(3)]) == fingerprints([np.zeros((0, 3))]) == ""
    assert fingerprints([np.zeros(MOST_EXAMPLES + 1)]) == ""
    assert len(split(fingerprints([np.zeros((2, 0)), np.array(1)]))) == 2


def test_large_examples_are_looked_at_in_part() -> None:
    images = np.random.default_rng(0).normal(size=(5, 100, 100, 3))
    assert len(set(split(fingerprints([images])))) == 5


def test_each_generator_has_a_story_of_its_own() -> None:
    def drawn(*generators: str) -> list[tuple[str, ...]]:
        return list(zip(*generators, strict=True))

    control = shown(run(READ, 0, 10), draws=drawn(READ, READ, READ))
    resumed = shown(run("klmnop", 10, 10), draws=drawn("klmnop", "abcdef", "uvwxyz"))
    assert draws(control, resumed) == (Story(), Story("restarted", 10, 0), Story("other", 10))
    assert draws(shown(control, draws=[None] * 16), shown(resumed, draws=[None] * 6)) == ()


def reading(*steps: str, known: int = 0) -> Run:
    """Return a control whose steps read these examples, a letter each."""
    read = run(READ[: len(steps)], 0, 1, list(steps))
    schedule = Schedule(len(steps), 1, known or len(steps))
    return dataclasses.replace(read, facts=dataclasses.replace(read.facts, schedule=schedule))


@pytest.mark.parametrize(
    ("steps", "length"),
    [
        (("ab", "cd", "ef", "bc", "fa", "ed"), 3),
        (("ab", "cd", "ab", "cd", "ab"), 2),
        (("ab", "ab", "ab", "ab"), 1),
        # The last, smaller batch is dropped, and holds other examples each time.
        (("ab", "cd", "ef", "gb", "ce", "da", "fg"), 3),
        # Drawn at random; read once; not seen.
        (("ab", "ca", "ed", "bf", "gh", "ei"), 6),
        (("ab", "cd", "ef", "gh"), 4),
        (("ab", "", "ab", ""), 4),
    ],
)
def test_an_epoch_is_known_by_its_examples(steps: tuple[str, ...], length: int) -> None:
    assert epoch(reading(*steps)) == length


def test_an_epoch_that_is_known_is_not_looked_for() -> None:
    assert epoch(reading("ab", "cd", "ab", "cd", known=3)) == 3
