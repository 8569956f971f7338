"""A Dask cluster on this machine."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import pytest

# On a busy machine a worker takes longer to import Dask than Dask waits by default; what it gives up on is then left to the
# garbage collector, whose warnings are errors here.
PATIENT = {"distributed.comm.timeouts.connect": "120s"}


@contextmanager
def local_cluster(workers: int = 2) -> Iterator[Any]:
    """Worker processes of one thread each; their tasks start processes of their own."""
    distributed = pytest.importorskip("distributed")
    import dask  # an extra

    # Before Dask starts its workers it sets OMP_NUM_THREADS and the like, in this process, too, and leaves them set: later runs
    # of the same process would have another environment than a user's.
    with dask.config.set(PATIENT), mock.patch.dict(os.environ):
        named = {"threads_per_worker": 1, "processes": True, "dashboard_address": ":0"}
        with distributed.LocalCluster(n_workers=workers, **named) as cluster:
            yield cluster


def address_of(cluster: Any) -> str:
    """Return the address as a user gives it."""
    return str(cluster.scheduler_address).replace("tcp://", "dask://")
