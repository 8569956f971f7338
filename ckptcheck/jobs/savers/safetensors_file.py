"""`safetensors.torch.save_file` over the last checkpoint: weights, optimizer state and step."""

import torch
from safetensors.torch import load_file, save_file

from ckptcheck.jobs.savers.commit import commit_file
from ckptcheck.jobs.savers.torch_training import Training, train_and_save


def write(training, path):
    tensors = dict(training.model.state_dict())
    for number, slots in training.optimizer.state_dict()["state"].items():
        tensors.update({f"optimizer.{number}.{name}": value for name, value in slots.items()})
    save_file({**tensors, "step": torch.tensor(training.step)}, path)


def in_place(training, folder):
    write(training, folder / "last.safetensors")


def fixed(training, folder):
    commit_file(folder / "last.safetensors", lambda path: write(training, path))


def restore(folder):
    if not (folder / "last.safetensors").exists():
        return None
    tensors = load_file(folder / "last.safetensors")
    training = Training()
    slots = {}
    for name in [each for each in tensors if each.startswith("optimizer.")]:
        _, number, slot = name.split(".")
        slots.setdefault(int(number), {})[slot] = tensors.pop(name)
    training.step = int(tensors.pop("step"))
    training.model.load_state_dict(tensors)
    groups = training.optimizer.state_dict()["param_groups"]
    training.optimizer.load_state_dict({"state": slots, "param_groups": groups})
    return training.state()


SAVERS = {
    "safetensors": (train_and_save(in_place), restore),
    "safetensors-fixed": (train_and_save(fixed), restore),
}
