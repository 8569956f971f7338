"""What counts as equal: bit for bit, unless a tolerance or the noise of the job allows more."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

import numpy as np

from ckptcheck.arrays import same
from ckptcheck.comparison.noise_floor import NoiseFloor
from ckptcheck.tolerance import EXACT, Tolerance


@dataclass(frozen=True)
class Equality:
    """What counts as equal.

    `noise` may account for differences after the boundary. `left_out` are shell patterns of the
    names of tensors that may differ at the boundary (`dense/*`).
    """

    tolerance: Tolerance = EXACT
    noise: NoiseFloor | None = None
    left_out: tuple[str, ...] = ()

    def matches(self, names: Iterable[str]) -> Mapping[str, tuple[str, ...]]:
        """Return the names that each pattern leaves out."""
        names = tuple(names)
        return {
            pattern: tuple(name for name in names if fnmatchcase(name, pattern))
            for pattern in self.left_out
        }

    def of_settings(self, control: float | None, resumed: float | None) -> bool:
        """Return whether a hyperparameter is equal; None: not shown."""
        if control is None or resumed is None:
            return control is resumed
        ours, theirs = np.array(control), np.array(resumed)
        return same(ours, theirs, equal_nan=True) or self.tolerance.allows(ours, theirs)

    def of_rates(self, control: float | None, resumed: float | None) -> bool:
        """Return whether a learning rate is equal, or within the noise of the job's rates."""
        if control is None or resumed is None or self.noise is None:
            return self.of_settings(control, resumed)
        return self.of_settings(control, resumed) or abs(resumed - control) <= self.noise.of_rate()


STRICT = Equality()
