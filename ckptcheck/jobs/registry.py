"""The registry of shipped jobs: target, options and expected outcomes. Imports no framework."""

from ckptcheck.job.shipped import Registry, ShippedJob
from ckptcheck.jobs.options import EmaOptions, LayersOptions, Options, TorchOptions
from ckptcheck.jobs.recipes.fixes import FIXES
from ckptcheck.jobs.recipes.suites import SUITES

# How prose names the ways to build a Saver.
IN_PROSE = {
    "saver": "a plain Saver",
    "ema": "`ema.variables_to_restore()`",
    "trainable": "`Saver(tf.trainable_variables())`",
    "ema-none": "`ema.variables_to_restore([])`",
}
# And what is loaded of a checkpoint of PyTorch.
IN_PROSE_OF_TORCH = {
    "weights": "`model.state_dict()` alone",
    "averages": "`model.state_dict()` with the averages",
    "all": "the state of everything",
}

_SHIPPED = (
    ShippedJob(
        "bn-nn",
        "ckptcheck.jobs.bn_nn:BatchNormNN",
        "The article's batch norm: tf.nn.moments, EMA.apply([mean, variance]), "
        "tf.nn.batch_normalization.",
        EmaOptions,
        {"saver": "recovered", "ema": "refused", "trainable": "diverged", "ema-none": "recovered"},
        ("saver", "ema"),
        in_prose=IN_PROSE,
    ),
    ShippedJob(
        "bn-layers",
        "ckptcheck.jobs.bn_layers:BatchNormLayers",
        "The same network with tf.layers.batch_normalization; the train op depends on UPDATE_OPS.",
        LayersOptions,
        {"saver": "recovered", "trainable": "diverged"},
        ("saver", "trainable"),
        # tf.layers needs Keras 2 (tf-keras). TensorFlow reads this on the first use of tf.layers.
        {"TF_USE_LEGACY_KERAS": "1"},
        in_prose=IN_PROSE,
    ),
    ShippedJob(
        "bn-polyak",
        "ckptcheck.jobs.bn_polyak:BatchNormPolyak",
        "bn-nn with an EMA over the trainable variables, which ema.variables_to_restore() expects.",
        EmaOptions,
        {"saver": "recovered", "ema": "diverged", "trainable": "diverged", "ema-none": "recovered"},
        ("saver", "ema"),
        in_prose=IN_PROSE,
    ),
    ShippedJob(
        "plain",
        "ckptcheck.jobs.no_norm:Plain",
        "The same network without batch norm: the article's baseline.",
        Options,
        {"saver": "recovered", "trainable": "diverged"},
        ("saver", "trainable"),
        in_prose=IN_PROSE,
    ),
    ShippedJob(
        "bn-torch",
        "ckptcheck.jobs.bn_torch:BatchNormTorch",
        "The same network in PyTorch: nn.BatchNorm2d, and an AveragedModel of it.",
        TorchOptions,
        {"weights": "diverged", "averages": "diverged", "all": "recovered"},
        ("weights", "averages", "all"),
        environment={},
        framework="torch",
        in_prose=IN_PROSE_OF_TORCH,
    ),
)
JOBS = {job.name: job for job in _SHIPPED}
# Those of the first framework that is installed.
DEFAULT_JOBS = ("bn-nn", "bn-layers", "bn-polyak", "bn-torch")
REGISTRY = Registry(JOBS, DEFAULT_JOBS, SUITES, FIXES)
