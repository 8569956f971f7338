"""The rank of a process, and which of its state `DistributedDataParallel` overwrites."""

import gc
import subprocess
import sys
from collections.abc import Iterator

import pytest

torch = pytest.importorskip("torch")

from ckptcheck.adapters.torch.observer import ranks  # noqa: E402
from ckptcheck.observer.ranks import Rank  # noqa: E402

pytestmark = pytest.mark.torch

Parallel = torch.nn.parallel.DistributedDataParallel


@pytest.fixture
def group() -> Iterator[None]:
    """A job of one process."""
    store = torch.distributed.HashStore()
    torch.distributed.init_process_group("gloo", store=store, rank=0, world_size=1)
    yield
    torch.distributed.destroy_process_group()
    gc.collect()  # other tests look at every module alive


@pytest.mark.parametrize(
    ("number", "count", "rank"),
    [("1", "2", Rank(1, 2)), ("0", "1", None), ("", "2", None), ("1", "", None)],
)
def test_the_rank_in_the_environment(
    monkeypatch: pytest.MonkeyPatch, number: str, count: str, rank: Rank | None
) -> None:
    monkeypatch.setenv("RANK", number)
    monkeypatch.setenv("WORLD_SIZE", count)
    assert ranks.rank() == rank


@pytest.mark.usefixtures("group")
def test_the_rank_of_an_initialised_job_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert ranks.rank() is None
    monkeypatch.setattr(torch.distributed, "get_world_size", lambda: 3)
    assert ranks.rank() == Rank(0, 3)


@pytest.mark.usefixtures("group")
@pytest.mark.filterwarnings("ignore:.*broadcast_buffers")
def test_buffers_that_rank_0_overwrites(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Parallel, "__init__", Parallel.__init__)  # is put back
    monkeypatch.setattr(ranks, "everywhere", lambda *_: None)
    ranks.watch()
    shared, own = torch.nn.BatchNorm1d(2), torch.nn.BatchNorm1d(2)
    wrapped = Parallel(shared), Parallel(own, broadcast_buffers=False)
    assert [ranks.unwrapped(each) for each in wrapped] == [shared, own]
    assert ranks.overwritten() == set()  # rank 0 overwrites those of others
    monkeypatch.setattr(torch.distributed, "get_rank", lambda: 1)
    assert ranks.overwritten() == set(map(id, shared.buffers()))


ENDING = """
import gc, weakref
import torch
from torch import distributed
from ckptcheck.adapters.torch.observer import ranks
ranks.watch()
def train():
    store = distributed.HashStore()
    distributed.init_process_group("gloo", store=store, rank=0, world_size=1)
    parallel = torch.nn.parallel.DistributedDataParallel(torch.nn.Linear(2, 2))
    distributed.destroy_process_group()
    return weakref.ref(parallel), weakref.ref(parallel.reducer)
parallel, reducer = train()
gc.collect()
assert parallel() is None  # what the program drops is no state
assert reducer() is not None  # it would wait for the group's thread, which may wait for it
"""


def test_a_rank_that_destroys_its_group_frees_no_reducer() -> None:
    ended = subprocess.run([sys.executable, "-c", ENDING], stderr=subprocess.PIPE, timeout=60)
    assert ended.returncode == 0, ended.stderr
