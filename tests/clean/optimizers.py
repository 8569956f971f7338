"""Every optimizer of Keras 3, and what surrounds one: schedules, averages, accumulation, scaling."""

from collections.abc import Sequence
from typing import Any

import keras

from tests.clean.base import WHOLE, Fit

O = keras.optimizers  # noqa: E741  # short, as in `K.Dense`


class _Fit(Fit):
    restores: Sequence[str] = ("keras", "checkpoint", "backup")


class PlainSGD(_Fit):
    optimizer = "sgd"


class Momentum(_Fit):
    def make_optimizer(self) -> Any:
        return O.SGD(0.05, momentum=0.9, nesterov=True, weight_decay=1e-3)


class Adam(_Fit):
    restores = WHOLE

    def make_optimizer(self) -> Any:
        return O.Adam(0.01, amsgrad=True, clipnorm=1.0)


class AdamW(_Fit):
    def make_optimizer(self) -> Any:
        return O.AdamW(0.01, weight_decay=0.01)


class Adamax(_Fit):
    optimizer = "adamax"


class Nadam(_Fit):
    optimizer = "nadam"


class Adadelta(_Fit):
    def make_optimizer(self) -> Any:
        return O.Adadelta(1.0)


class Adagrad(_Fit):
    def make_optimizer(self) -> Any:
        return O.Adagrad(0.1)


class Adafactor(_Fit):
    def make_optimizer(self) -> Any:
        return O.Adafactor(0.01)


class Ftrl(_Fit):
    def make_optimizer(self) -> Any:
        return O.Ftrl(0.1, l1_regularization_strength=0.01)


class Lion(_Fit):
    optimizer = "lion"


class Lamb(_Fit):
    def make_optimizer(self) -> Any:
        return O.Lamb(0.01)


class RMSprop(_Fit):
    def make_optimizer(self) -> Any:
        return O.RMSprop(0.01, momentum=0.5, centered=True)


class Muon(_Fit):
    def make_optimizer(self) -> Any:
        return O.Muon(0.01, exclude_layers=["dense_1"])


class LossScale(_Fit):
    def make_optimizer(self) -> Any:
        return O.LossScaleOptimizer(O.Adam(0.01), initial_scale=64.0, dynamic_growth_steps=3)


class Accumulation(_Fit):
    """The boundary lies between two updates of the weights, after 8 of 3 + 3 + 3 steps."""

    def make_optimizer(self) -> Any:
        return O.Adam(0.01, gradient_accumulation_steps=3)


class Averages(_Fit):
    restores = WHOLE

    def make_optimizer(self) -> Any:
        return O.Adam(0.01, use_ema=True, ema_momentum=0.9)


class AveragesOverwriting(_Fit):
    def make_optimizer(self) -> Any:
        return O.SGD(0.05, momentum=0.9, use_ema=True, ema_overwrite_frequency=3)


class Clipping(_Fit):
    def make_optimizer(self) -> Any:
        return O.RMSprop(0.01, global_clipnorm=0.5)


class CosineSchedule(_Fit):
    def make_optimizer(self) -> Any:
        return O.Adam(O.schedules.CosineDecay(0.01, 20, warmup_steps=5, warmup_target=0.05))


class PiecewiseSchedule(_Fit):
    def make_optimizer(self) -> Any:
        return O.SGD(O.schedules.PiecewiseConstantDecay([5, 10], [0.1, 0.05, 0.01]), momentum=0.9)


class ExponentialSchedule(_Fit):
    def make_optimizer(self) -> Any:
        return O.Adagrad(O.schedules.ExponentialDecay(0.1, 4, 0.5, staircase=True))
