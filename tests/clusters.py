"""A Dask cluster on this machine."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import pytest

# On a busy machine, a worker imports Dask for longer than Dask waits by default. The garbage
# collector then warns of the abandoned connections, and warnings are errors here.
PATIENT = {"distributed.comm.timeouts.connect": "120s"}


@contextmanager
def local_cluster(workers: int = 2) -> Iterator[Any]:
    """A cluster of worker processes with one thread each; their tasks start processes."""
    distributed = pytest.importorskip("distributed")
    import dask  # an optional extra

    # Dask sets OMP_NUM_THREADS and the like in this process and leaves them set, so later runs of
    # this process would have a different environment from a user's.
    with dask.config.set(PATIENT), mock.patch.dict(os.environ):
        named = {"threads_per_worker": 1, "processes": True, "dashboard_address": ":0"}
        with distributed.LocalCluster(n_workers=workers, **named) as cluster:
            yield cluster


def address_of(cluster: Any) -> str:
    """Return the address of a cluster as `--executor` takes it."""
    return str(cluster.scheduler_address).replace("tcp://", "dask://")
