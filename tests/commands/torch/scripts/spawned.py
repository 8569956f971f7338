"""Train in processes that the script starts: distributed checkpoints, batches drawn by each rank."""

import argparse
import os
import tempfile

import torch
import torch.distributed as dist
import torch.distributed.checkpoint as dcp
from torch import multiprocessing, nn
from torch.nn.parallel import DistributedDataParallel

parser = argparse.ArgumentParser()
parser.add_argument("--out", required=True)
parser.add_argument("--ranks", type=int, default=2)
parser.add_argument("--no-data", action="store_true",
                    help="restore the position in the data on rank 0 alone")


def state_of(rank, ddp, optimizer, data, step):
    for parameter in ddp.parameters():
        optimizer.state[parameter].setdefault("momentum_buffer", torch.zeros_like(parameter))
    names = {name: optimizer.state[each]["momentum_buffer"] for name, each in ddp.named_parameters()}
    own = {f"data-{rank}": data.get_state(), f"rng-{rank}": torch.get_rng_state()}
    return {"model": ddp.state_dict(), "momentum": names, "step": step, **own}


def train(rank, args, meeting):
    dist.init_process_group(
        "gloo", init_method=f"file://{meeting}", rank=rank, world_size=args.ranks
    )
    # A thread saves. In the group of the training, its exchanges could meet those of gradients.
    saving, saved_last = dist.new_group(backend="gloo"), None
    model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Dropout(0.2), nn.Linear(16, 1))
    ddp = DistributedDataParallel(model)
    optimizer = torch.optim.SGD(ddp.parameters(), lr=1e-2, momentum=0.9)
    torch.manual_seed(rank)
    data = torch.Generator().manual_seed(10 + rank)
    step = 0
    if saved := sorted(os.listdir(args.out)):
        state = state_of(rank, ddp, optimizer, data, step)
        dcp.load(state, checkpoint_id=os.path.join(args.out, saved[-1]))
        ddp.load_state_dict(state["model"])
        torch.set_rng_state(state[f"rng-{rank}"])
        if rank == 0 or not args.no_data:
            data.set_state(state[f"data-{rank}"])
        step = state["step"]
    while step < 20:
        x = torch.randn(8, 8, generator=data)
        loss = ((ddp(x) - x[:, :1]) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        step += 1
        if step % 5 == 0:
            state = state_of(rank, ddp, optimizer, data, step)
            if saved_last is not None:
                saved_last.result()
            place = os.path.join(args.out, f"step-{step:03d}")
            saved_last = dcp.async_save(state, checkpoint_id=place, process_group=saving)
    if saved_last is not None:
        saved_last.result()
    dist.destroy_process_group()


def main():
    args = parser.parse_args()
    os.makedirs(args.out, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        multiprocessing.spawn(train, args=(args, os.path.join(folder, "meeting")), nprocs=args.ranks)


if __name__ == "__main__":
    main()
