"""What each way to restore a checkpoint would do, predicted from its format and tensor names.

`load_weights` of Keras skips an optimizer that is not built. For a checkpoint of `tf.train.Saver`,
the program's variables are inferred: variables with slots are trainable. If none has slots, as with
plain gradient descent, every weight may be trainable.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ckptcheck.checkpoints import Checkpoint, Entry
from ckptcheck.checkpoints.keras.classify import OPTIMIZER
from ckptcheck.checkpoints.tensor_bundle.classify import AVERAGE
from ckptcheck.filetools.tables import PLURALS
from ckptcheck.kinds import Kind

_BATCH_NORM = re.compile(r"(?P<scope>(.*/)?[^/]*(batch_?norm|bn)[^/]*/)(gamma|beta)", re.IGNORECASE)


# The kinds of an optimizer's tensors that it has for each weight.
_SLOTS = (Kind.SLOT, Kind.SHADOW, Kind.ACCUMULATOR)


@dataclass(frozen=True)
class Meeting:
    """The predicted effect of one way to restore."""

    restore: str
    missing: tuple[str, ...] = ()  # keys that the restore needs and the checkpoint lacks
    left_out: tuple[tuple[Kind, int], ...] = ()  # counts of tensors not restored, by kind
    averaged: int = 0  # number of weights that get their averages
    sure: bool = True  # False: depends on a guess at the program

    @property
    def sentence(self) -> str:
        """The effect, for readers."""
        if self.missing:
            more = f" and {len(self.missing) - 1:,} more" if len(self.missing) > 1 else ""
            verb = "are" if more else "is"
            raises = "raises" if self.sure else "may raise"
            return f"{raises}: {self.missing[0]}{more} {verb} not in the checkpoint"
        if self.averaged:
            weights = f"{self.averaged:,} weight{'s' * (self.averaged > 1)}"
            return f"loads averages into {weights}; leaves out the weights' own values and shadows"
        if self.left_out:
            *first, last = (
                f"{count:,} {PLURALS[kind].removesuffix('s' * (count == 1))}"
                for kind, count in self.left_out
            )
            return f"leaves out {', '.join(first)}{' and ' if first else ''}{last}"
        return "restores every tensor"

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON fields."""
        asked = {"restore": self.restore, "sure": self.sure, "missing": list(self.missing)}
        return asked | {
            "left_out": {kind.value: count for kind, count in self.left_out},
            "averaged": self.averaged,
        }


def meetings(checkpoint: Checkpoint) -> Iterator[Meeting]:
    """Predict the usual restores of a Keras file or a `Saver`'s checkpoint; of others, none."""
    if checkpoint.format.startswith("Keras"):
        yield from _of_keras(checkpoint)
    elif checkpoint.by_variables_name:
        yield from _of_saver(checkpoint.entries)


def _of_keras(checkpoint: Checkpoint) -> Iterator[Meeting]:
    """Predict `load_model` and `load_weights`, with and without an optimizer that is built."""
    entries = checkpoint.entries
    optimizer = Counter(entries[key].kind for key in entries if key.startswith(OPTIMIZER))
    left_out = tuple((kind, optimizer[kind]) for kind in Kind if optimizer[kind])
    if checkpoint.format.endswith("model.save"):
        # Keras 3 builds the optimizer of a model from HDF5 for no variable.
        lost = _SLOTS if checkpoint.format.startswith("Keras 3, HDF5") else ()
        slots = tuple((kind, count) for kind, count in left_out if kind in lost)
        yield Meeting("keras.models.load_model()", (), slots)
    # HDF5 of a whole model keeps the optimizer where load_weights never looks.
    finds_optimizer = left_out and "HDF5" not in checkpoint.format
    yield Meeting(
        "load_weights(), optimizer not built" if finds_optimizer else "load_weights()", (), left_out
    )
    if finds_optimizer:
        yield Meeting("load_weights(), optimizer built")


def _of_saver(entries: Mapping[str, Entry]) -> Iterator[Meeting]:
    """Predict `Saver()`, `ema.variables_to_restore()` and a restore of trainable variables."""
    statistics = tuple(_missing_statistics(entries))
    yield Meeting("tf.train.Saver()", statistics, sure=not statistics)
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


def _missing_statistics(entries: Mapping[str, Entry]) -> Iterator[str]:
    """Yield the moving statistics that batch norm layers lack, if there are none at all.

    A Saver of trainable variables saves only their scales and offsets.
    """
    if any(entry.kind is Kind.MOVING_STATISTIC for entry in entries.values()):
        return
    for scope in dict.fromkeys(
        layer["scope"] for key in entries if (layer := _BATCH_NORM.fullmatch(key))
    ):
        yield from (f"{scope}moving_mean", f"{scope}moving_variance")
