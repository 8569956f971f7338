"""Train with DistributedDataParallel on the CPU: a sampler, dropout, batch norm of each rank's own."""

import argparse
import os

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, DistributedSampler, TensorDataset

parser = argparse.ArgumentParser()
parser.add_argument("--out", required=True)
parser.add_argument("--epochs", type=int, default=4)
parser.add_argument("--broadcast-buffers", action="store_true",
                    help="let each forward pass copy the statistics of rank 0 to the others")
parser.add_argument("--one-generator", action="store_true",
                    help="save the generator and the statistics of rank 0 for all ranks")
parser.add_argument("--no-set-epoch", action="store_true",
                    help="do not tell the sampler its epoch after a restart")


def main():
    args = parser.parse_args()
    dist.init_process_group("gloo")
    rank, world = dist.get_rank(), dist.get_world_size()
    os.makedirs(args.out, exist_ok=True)
    torch.manual_seed(rank)
    data = torch.randn(64, 8, generator=torch.Generator().manual_seed(0))
    target = (data[:, 0] * data[:, 1] > 0).long()
    dataset = TensorDataset(data, target)
    sampler = DistributedSampler(dataset, seed=1)
    loader = DataLoader(dataset, batch_size=8, sampler=sampler)

    model = nn.Sequential(
        nn.Linear(8, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Dropout(0.2), nn.Linear(32, 2)
    )
    ddp = DistributedDataParallel(model, broadcast_buffers=args.broadcast_buffers)
    optimizer = torch.optim.AdamW(ddp.parameters(), lr=1e-2)

    own = os.path.join(args.out, f"rank-{0 if args.one_generator else rank}.pt")
    path = os.path.join(args.out, "last.pt")
    first = 0
    if os.path.exists(path):
        saved = torch.load(path)
        ddp.module.load_state_dict(saved["model"])
        optimizer.load_state_dict(saved["optimizer"])
        first = saved["epoch"]
        saved = torch.load(own)
        torch.set_rng_state(saved["rng"])
        if not args.broadcast_buffers:
            ddp.module[1].load_state_dict(saved["norm"])

    for epoch in range(first, args.epochs):
        if not args.no_set_epoch or not first:
            sampler.set_epoch(epoch)
        for inputs, targets in loader:
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(ddp(inputs), targets)
            loss.backward()
            optimizer.step()
        if rank == 0:
            torch.save({
                "epoch": epoch + 1,
                "model": model.state_dict(),
                "optimizer": optimizer.state_dict(),
            }, path)
        if rank == 0 or not args.one_generator:
            torch.save({"rng": torch.get_rng_state(), "norm": model[1].state_dict()}, own)
        dist.barrier()
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
