"""A cause of the catalogue with its evidence in one case."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ckptcheck.diagnosis.catalogue import CAUSES, Stage


@dataclass(frozen=True)
class Diagnosis:
    """A cause with its evidence: the stage if it is known, a sentence, the remedy, and the tensors concerned."""

    cause: str
    stage: str | None
    sentence: str
    remedy: str
    tensors: tuple[str, ...] = ()


def diagnosis(cause: str, tensors: Sequence[str] = (), stage: Stage | None = None, **fields: Any) -> Diagnosis:
    """Fill in a cause of the catalogue."""
    entry = CAUSES[cause]
    sentence = entry.sentence.format(**fields)
    return Diagnosis(cause, stage.value if stage else None, sentence, entry.remedy(stage), tuple(tensors))
