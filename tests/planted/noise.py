"""Jobs that are not reproducible, whatever the restore does."""

import time
from collections.abc import Iterable
from typing import Any

import numpy as np
from base import Array, Clean
from planting import JITTERS, NOT_APPLIED, planted

from ckptcheck import Kind, Step, Tensor


@planted(inconclusive=JITTERS, noise=True)
class Jitters(Clean):
    """Every step adds noise, as sums on many threads do."""

    def train(self, step: int) -> Step:
        done = super().train(step)
        self.live["w"] = self.live["w"] + 1e-9 * np.random.default_rng().normal(size=4)
        return done


@planted(diverged=[("slots-lost", NOT_APPLIED), ("noise", None)])
class JittersAndLoses(Jitters):
    """The momentum is lost, too: at the boundary, that is not noise."""

    def wanted(self, held: Iterable[str]) -> dict[str, str]:
        return {name: name for name in held if name != "w/momentum"}


@planted(inconclusive=JITTERS, noise=True)
class JittersAndDrifts(Jitters):
    """After the restore, something outside the tensors causes a difference far above the noise."""

    def train(self, step: int) -> Step:
        done = super().train(step)
        if self.resumed:
            self.live["v"] = self.live["v"] + 1e-3
        return done


@planted(
    inconclusive=(
        "The order of batches differs between two controls, so the next batch "
        "cannot be judged. Seed the shuffle order."
    ),
    noise=True,
)
class Unseeded(Clean):
    def batch(self, step: int) -> Array:
        return np.random.default_rng().normal(size=(8, 4))


@planted(
    inconclusive="The control did not finish: its state changes by itself: two reads of 'now' differ, with no step or evaluation "
    "between them. Let state return neither clock readings nor new random numbers."
)
class ReadsTheClock(Clean):
    def state(self) -> dict[str, Any]:
        return super().state() | {"now": Tensor(Kind.OTHER, np.array(time.perf_counter()))}
