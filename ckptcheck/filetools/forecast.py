"""What each way to restore a checkpoint of `tf.train.Saver` would meet in it, as far as names can tell.

Which variables a program has is taken from the checkpoint itself, and from what belongs together by its name: those are
trained that have slots; where none has any, as with plain gradient descent, every weight may be.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ckptcheck.checkpoints import Checkpoint, Entry
from ckptcheck.checkpoints.tensor_bundle.classify import AVERAGE
from ckptcheck.filetools.tables import PLURALS
from ckptcheck.kinds import Kind

_BATCH_NORM = re.compile(r"(?P<scope>(.*/)?[^/]*(batch_?norm|bn)[^/]*/)(gamma|beta)", re.IGNORECASE)


@dataclass(frozen=True)
class Meeting:
    """What a way to restore would meet."""

    restore: str
    missing: tuple[str, ...] = ()  # keys that it would ask for and not find, so that it raises
    left_out: tuple[tuple[Kind, int], ...] = ()  # what it would not restore, by kind
    averaged: int = 0  # the number of weights that would get their averages
    sure: bool = True  # the checkpoint alone tells; else a guess at the program is in it

    @property
    def sentence(self) -> str:
        """What becomes of the restore, in words."""
        if self.missing:
            more = f" and {len(self.missing) - 1:,} more" if len(self.missing) > 1 else ""
            verb = "are" if more else "is"
            return f"{'would raise' if self.sure else 'may raise'}: {self.missing[0]}{more} {verb} not in the checkpoint"
        if self.averaged:
            weights = f"{self.averaged:,} weight{'s' * (self.averaged > 1)}"
            return (
                f"would put averages into {weights}; their own values and the shadows are left out"
            )
        if self.left_out:
            counts = [
                f"{count:,} {kind.value if count == 1 else PLURALS[kind]}"
                for kind, count in self.left_out
            ]
            *first, last = counts
            return (
                f"would leave out {', '.join(first)} and {last}"
                if first
                else f"would leave out {last}"
            )
        return "would restore every tensor of it"

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        asked = {"restore": self.restore, "sure": self.sure, "missing": list(self.missing)}
        return asked | {
            "left_out": {kind.value: count for kind, count in self.left_out},
            "averaged": self.averaged,
        }


def meetings(checkpoint: Checkpoint) -> Iterator[Meeting]:
    """Say what `Saver()`, `ema.variables_to_restore()` and a restore of trainable variables would meet."""
    if not checkpoint.by_variables_name:
        return
    entries = checkpoint.entries
    lost = tuple(_statistics_that_are_gone(entries))
    yield Meeting("tf.train.Saver()", lost, sure=not lost)
    weights = [key for key, entry in entries.items() if entry.kind is Kind.WEIGHT]
    owners = {key.rpartition("/")[0] for key, entry in entries.items() if entry.kind is Kind.SLOT}
    trained = [key for key in weights if key in owners] or weights
    missing = tuple(f"{key}{AVERAGE}" for key in trained if f"{key}{AVERAGE}" not in entries)
    sure = trained is not weights
    yield Meeting(
        "ema.variables_to_restore()",
        missing,
        averaged=len(trained) - len(missing),
        sure=sure or not missing,
    )
    restored = set(trained)
    others = Counter(entry.kind for key, entry in entries.items() if key not in restored)
    yield Meeting(
        "tf.trainable_variables()",
        (),
        tuple((kind, others[kind]) for kind in Kind if others[kind]),
        sure=sure,
    )


def _statistics_that_are_gone(entries: Mapping[str, Entry]) -> Iterator[str]:
    """Yield the moving statistics of batch norm layers that have a scale or an offset, and no statistics of any kind.

    That is what a Saver of trainable variables leaves behind.
    """
    if any(entry.kind is Kind.MOVING_STATISTIC for entry in entries.values()):
        return
    for scope in dict.fromkeys(
        layer["scope"] for key in entries if (layer := _BATCH_NORM.fullmatch(key))
    ):
        yield from (f"{scope}moving_mean", f"{scope}moving_variance")
