"""The Trainer of transformers, which keeps one checkpoint, and `resume_from_checkpoint`."""

import shutil
from pathlib import Path

import torch
from torch import nn
from transformers import Trainer, TrainerCallback, TrainingArguments
from transformers.trainer_utils import get_last_checkpoint

from ckptcheck.jobs.savers.commit import sync
from ckptcheck.jobs.savers.torch_training import state_of

WHOLE = "whole"  # the file that the fixed twin writes last


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 1))

    def forward(self, inputs, labels):
        return {"loss": nn.functional.mse_loss(self.model(inputs), labels)}


class Enough(Exception):
    """Ends the training."""


class Seen(TrainerCallback):
    """Calls `saved` with the state after each save."""

    def __init__(self, saved):
        self.saved = saved

    def on_save(self, args, state, control, **facts):
        self.saved(_state(state, facts))
        if state.global_step == 2:
            raise Enough


class Marked(TrainerCallback):
    """Marks a checkpoint that is on disk as whole, and then deletes the earlier ones."""

    def on_save(self, args, state, control, **facts):
        folder = Path(args.output_dir)
        checkpoint = folder / f"checkpoint-{state.global_step}"
        for path in (*checkpoint.rglob("*"), checkpoint, folder):
            sync(path)
        (checkpoint / WHOLE).touch()
        sync(checkpoint)
        for other in folder.glob("checkpoint-*"):
            if other != checkpoint:
                (other / WHOLE).unlink(missing_ok=True)
                shutil.rmtree(other)


class Restored(TrainerCallback):
    """Keeps the state that the training goes on from."""

    state = None

    def on_train_begin(self, args, state, control, **facts):
        if state.global_step:
            self.state = _state(state, facts)
        raise Enough


def _state(state, facts):
    found = state_of(facts["model"], facts["optimizer"], state.global_step)
    scheduler = facts["lr_scheduler"].state_dict()
    return found | {"last_epoch": scheduler["last_epoch"], "rate": scheduler["_last_lr"]}


def _train(folder, callbacks, checkpoint=None, limit=1):
    arguments = TrainingArguments(
        folder,
        max_steps=9,
        save_steps=1,
        save_total_limit=limit,
        per_device_train_batch_size=16,
        use_cpu=True,
        report_to="none",
        disable_tqdm=True,
    )
    data = [{"inputs": row, "labels": row[:1]} for row in torch.randn(16, 8)]
    trainer = Trainer(Model(), arguments, train_dataset=data, callbacks=callbacks)
    try:
        trainer.train(resume_from_checkpoint=checkpoint)
    except Enough:
        return


def stock(folder, saved):
    _train(folder, [Seen(saved)])


def restore(folder):
    callback = Restored()
    _train(folder, [callback], get_last_checkpoint(folder))
    return callback.state


def fixed(folder, saved):
    _train(folder, [Marked(), Seen(saved)], limit=None)


def restore_fixed(folder):
    for path in folder.glob("checkpoint-*"):
        if not (path / WHOLE).exists():
            shutil.rmtree(path)
    return restore(folder)


SAVERS = {
    "hf-trainer": (stock, restore),
    "hf-trainer-fixed": (fixed, restore_fixed),
}
