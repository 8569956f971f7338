"""The jobs that ship with the tool, and what each of them is expected to do. Importing this loads no framework."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ckptcheck.errors import unknown
from ckptcheck.jobs.options import BatchNormOptions, EmaOptions, LayersOptions, Options


@dataclass(frozen=True)
class ShippedJob:
    """A job by name: where its class is, its options, and the outcome expected of each of its restores."""

    name: str
    target: str
    summary: str
    options: type[Any]
    expected: Mapping[str, str]
    # The restores that `verify` without arguments asks for.
    default_restores: tuple[str, ...]
    # Whatever the shell says: only the job that needs Keras 2 sees it.
    environment: Mapping[str, str] = field(default_factory=lambda: {"TF_USE_LEGACY_KERAS": "0"})


_SHIPPED = (
    ShippedJob(
        "bn-nn",
        "ckptcheck.jobs.bn_nn:BatchNormNN",
        "The article's batch norm: tf.nn.moments, EMA.apply([mean, variance]), tf.nn.batch_normalization.",
        EmaOptions,
        {"saver": "recovered", "ema": "refused", "trainable": "diverged", "ema-none": "recovered"},
        ("saver", "ema"),
    ),
    ShippedJob(
        "bn-layers",
        "ckptcheck.jobs.bn_layers:BatchNormLayers",
        "The same network with tf.layers.batch_normalization; UPDATE_OPS are control dependencies of the train op.",
        LayersOptions,
        {"saver": "recovered", "trainable": "diverged"},
        ("saver", "trainable"),
        # tf.layers needs Keras 2 (tf-keras); TensorFlow reads this when tf.layers is first used.
        {"TF_USE_LEGACY_KERAS": "1"},
    ),
    ShippedJob(
        "bn-polyak",
        "ckptcheck.jobs.bn_polyak:BatchNormPolyak",
        "bn-nn with the EMA over the trainable variables too: where ema.variables_to_restore() is meant to be used.",
        EmaOptions,
        {"saver": "recovered", "ema": "diverged", "trainable": "diverged", "ema-none": "recovered"},
        ("saver", "ema"),
    ),
    ShippedJob(
        "plain",
        "ckptcheck.jobs.no_norm:Plain",
        "The same network without batch norm: the article's baseline.",
        Options,
        {"saver": "recovered", "trainable": "diverged"},
        ("saver", "trainable"),
    ),
)
JOBS: Mapping[str, ShippedJob] = {job.name: job for job in _SHIPPED}
DEFAULT_JOBS = ("bn-nn", "bn-layers", "bn-polyak")

__all__ = ["DEFAULT_JOBS", "JOBS", "BatchNormOptions", "EmaOptions", "LayersOptions", "Options", "ShippedJob", "shipped"]


def shipped(name: str) -> ShippedJob:
    """Return the shipped job, or the recipe, of that name, or raise `UsageError` with the nearest names."""
    from ckptcheck.jobs.recipes import RECIPES  # which are made of what is above

    found = JOBS.get(name) or RECIPES.get(name)
    if found is None:
        raise unknown("job", name, {**JOBS, **RECIPES} if "/" in name else JOBS)
    return found
