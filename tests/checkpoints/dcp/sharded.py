"""Save tensors that four processes share, into the folder that is the argument."""

import os
import sys
from pathlib import Path

import torch
import torch.distributed as dist
import torch.distributed.checkpoint as dcp
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.tensor import Replicate, Shard, distribute_tensor


def save(rank: int, folder: str) -> None:
    os.environ.update(RANK=str(rank), WORLD_SIZE="4")
    dist.init_process_group("gloo", init_method=f"file://{folder}.store", rank=rank, world_size=4)
    mesh = init_device_mesh("cpu", (2, 2))
    whole = torch.arange(35.0).reshape(5, 7)
    state = {
        "grid": distribute_tensor(whole, mesh, [Shard(0), Shard(1)]),
        "rows": distribute_tensor(whole, mesh, [Shard(0), Replicate()]),
        "same": whole + 1,
    }
    dcp.save(state, checkpoint_id=folder)
    dist.destroy_process_group()


if __name__ == "__main__":
    torch.multiprocessing.spawn(save, (str(Path(sys.argv[1]).resolve()),), 4)
