"""Every optimizer of Keras 3, and what surrounds one: schedules, averages, accumulation, scaling."""

from typing import Any

import keras

from tests.clean.base import Fit

O = keras.optimizers  # noqa: E741  # short, as in `K.Dense`


class PlainSGD(Fit):
    optimizer = "sgd"


class Momentum(Fit):
    def make_optimizer(self) -> Any:
        return O.SGD(0.05, momentum=0.9, nesterov=True, weight_decay=1e-3)


class Adam(Fit):
    def make_optimizer(self) -> Any:
        return O.Adam(0.01, amsgrad=True, clipnorm=1.0)


class AdamW(Fit):
    def make_optimizer(self) -> Any:
        optimizer = O.AdamW(0.01, weight_decay=0.01)
        optimizer.exclude_from_weight_decay(var_names=["bias"])
        return optimizer


class Adamax(Fit):
    optimizer = "adamax"


class Nadam(Fit):
    optimizer = "nadam"


class Adadelta(Fit):
    def make_optimizer(self) -> Any:
        return O.Adadelta(1.0)


class Adagrad(Fit):
    def make_optimizer(self) -> Any:
        return O.Adagrad(0.1)


class Adafactor(Fit):
    def make_optimizer(self) -> Any:
        return O.Adafactor(0.01)


class Ftrl(Fit):
    def make_optimizer(self) -> Any:
        return O.Ftrl(0.1, l1_regularization_strength=0.01)


class Lion(Fit):
    optimizer = "lion"


class Lamb(Fit):
    optimizer = "lamb"


class RMSprop(Fit):
    def make_optimizer(self) -> Any:
        return O.RMSprop(0.01, momentum=0.5, centered=True)


class Muon(Fit):
    def make_optimizer(self) -> Any:
        return O.Muon(0.01, exclude_layers=["dense_1"])


class LossScale(Fit):
    def make_optimizer(self) -> Any:
        return O.LossScaleOptimizer(O.Adam(0.01), initial_scale=64.0, dynamic_growth_steps=3)


class Accumulation(Fit):
    """The boundary lies between two updates of the weights, after 8 of 3 + 3 + 3 steps."""

    def make_optimizer(self) -> Any:
        return O.Adam(0.01, gradient_accumulation_steps=3)


class Averages(Fit):
    def make_optimizer(self) -> Any:
        return O.Adam(0.01, use_ema=True, ema_momentum=0.9)


class AveragesOverwriting(Fit):
    def make_optimizer(self) -> Any:
        return O.SGD(0.05, momentum=0.9, use_ema=True, ema_overwrite_frequency=3)


class Clipping(Fit):
    def make_optimizer(self) -> Any:
        return O.RMSprop(0.01, global_clipnorm=0.5)


class CosineSchedule(Fit):
    def make_optimizer(self) -> Any:
        return O.Adam(O.schedules.CosineDecay(0.01, 20, warmup_steps=5, warmup_target=0.05))


class PiecewiseSchedule(Fit):
    def make_optimizer(self) -> Any:
        return O.SGD(O.schedules.PiecewiseConstantDecay([5, 10], [0.1, 0.05, 0.01]), momentum=0.9)


class ExponentialSchedule(Fit):
    def make_optimizer(self) -> Any:
        return O.Adagrad(O.schedules.ExponentialDecay(0.1, 4, 0.5, staircase=True))
