"""Batches that differ in the resumed run."""

import numpy as np
from base import Array, Clean
from planting import planted


@planted(diverged=[("data-shifted", None)])
class SkippedBatch(Clean):
    """The resumed run reads the next step's batch."""

    def batch(self, step: int) -> Array:
        return super().batch(step + 1 if self.resumed else step)


@planted(diverged=[("depends-on-hash-order", None)])
class EncodedBySet(Clean):
    """The columns of the inputs follow the order of a set."""

    def batch(self, step: int) -> Array:
        columns = {
            name: index for index, name in enumerate({"height", "width", "depth", "weight", "age"})
        }
        order = [columns[name] for name in ("height", "width", "depth", "weight")]
        return np.asarray(super().batch(step) * (1 + np.array(order)))
