"""`torch.distributed.checkpoint.save` over the last checkpoint, in one process."""

import torch.distributed.checkpoint as dcp
from torch.distributed.checkpoint.state_dict import get_state_dict, set_state_dict

from ckptcheck.jobs.savers.commit import commit_folder, newest
from ckptcheck.jobs.savers.torch_training import Training, train_and_save


def write(training, path):
    model, optimizer = get_state_dict(training.model, training.optimizer)
    state = {"model": model, "optimizer": optimizer, "step": training.step}
    dcp.save(state, checkpoint_id=path)


def in_place(training, folder):
    write(training, folder / "last")


def fixed(training, folder):
    commit_folder(folder, training.step, lambda path: write(training, path))


def read(path):
    training = Training()
    model, optimizer = get_state_dict(training.model, training.optimizer)
    state = {"model": model, "optimizer": optimizer, "step": 0}
    dcp.load(state, checkpoint_id=path)
    set_state_dict(
        training.model,
        training.optimizer,
        model_state_dict=state["model"],
        optim_state_dict=state["optimizer"],
    )
    training.step = state["step"]
    return training.state()


def restore(folder):
    return read(folder / "last") if (folder / "last").exists() else None


def restore_fixed(folder):
    path = newest(folder)
    return None if path is None else read(path)


SAVERS = {
    "dcp": (train_and_save(in_place), restore),
    "dcp-fixed": (train_and_save(fixed), restore_fixed),
}
