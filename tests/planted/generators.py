"""Random numbers that differ in the resumed run."""

from typing import Any

import numpy as np
from base import Clean
from planting import planted

from ckptcheck import Step


@planted(diverged=[("generators-restarted", None)])
class DrawsAgain(Clean):
    """Draws from a hidden generator, which restarts."""

    def build(self, seed: int) -> None:
        super().build(seed)
        self.generator = np.random.default_rng(5)

    def train(self, step: int) -> Step:
        done = super().train(step)
        return Step(
            done.loss, done.batch, done.learning_rate, draws=[self.generator.normal(size=3)]
        )


@planted(diverged=[("generators-reseeded", None)])
class DrawsAnew(DrawsAgain):
    """The same with a generator that gets a new seed after the restore."""

    def after_restore(self) -> None:
        self.generator = np.random.default_rng(6)


@planted(diverged=[("generators-restarted", None), ("generators-reseeded", None)])
class TwoGenerators(DrawsAgain):
    """Of three hidden generators one continues, one restarts, and one gets a new seed."""

    def build(self, seed: int) -> None:
        super().build(seed)
        self.other = np.random.default_rng(8)

    def after_restore(self) -> None:
        self.other = np.random.default_rng(9)

    def train(self, step: int) -> Step:
        done: Any = super().train(step)
        follows = np.random.default_rng((1, step)).normal(size=3)
        return Step(
            done.loss,
            done.batch,
            done.learning_rate,
            draws=[*done.draws, follows, self.other.normal(size=3)],
        )


@planted(diverged=[("unexplained", None)])
@planted(diverged=[("unexplained", None)], boundaries="epoch")
class EvaluationReseeds(Clean):
    """Does not save the global generator; every evaluation reseeds it, also the one at the boundary."""

    def build(self, seed: int) -> None:
        super().build(seed)
        np.random.seed(7)

    def train(self, step: int) -> Step:
        self.live["w"] = self.live["w"] * (np.random.rand(4) < 0.9)
        return super().train(step)

    def evaluate(self) -> float:
        np.random.seed(123)
        return super().evaluate()
