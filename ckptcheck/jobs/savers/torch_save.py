"""`torch.save`: over the last checkpoint, under a temporary name, and synced before the rename."""

import torch

from ckptcheck.jobs.savers.commit import commit_file
from ckptcheck.jobs.savers.torch_training import Training, train_and_save


def in_place(training, folder):
    torch.save(training.state_dict(), folder / "last.pt")


def renamed(training, folder):
    torch.save(training.state_dict(), folder / "last.tmp")
    (folder / "last.tmp").replace(folder / "last.pt")


def fixed(training, folder):
    commit_file(folder / "last.pt", lambda path: torch.save(training.state_dict(), path))


def restore(folder):
    if not (folder / "last.pt").exists():
        return None
    training = Training()
    training.load_state_dict(torch.load(folder / "last.pt"))
    return training.state()


SAVERS = {
    "torch-save": (train_and_save(in_place), restore),
    "torch-save-rename": (train_and_save(renamed), restore),
    "torch-save-fixed": (train_and_save(fixed), restore),
}
