"""A callback with moving averages of the weights, which are in no file."""

import sys
from pathlib import Path

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from transformers import Trainer, TrainerCallback, TrainingArguments, set_seed
from transformers.trainer_utils import get_last_checkpoint


class Averages(TrainerCallback):
    """Moving averages of the weights."""

    def on_train_begin(self, args, state, control, model, **more):
        average = get_ema_multi_avg_fn(0.9)
        self.averaged = AveragedModel(model, multi_avg_fn=average)

    def on_step_end(self, args, state, control, model, **more):
        self.averaged.update_parameters(model)


class AveragesSaved(Averages):
    """The same, with a file of its own in each checkpoint."""

    def on_save(self, args, state, control, **more):
        torch.save(self.averaged.state_dict(), self.file(args, state))

    def on_train_begin(self, args, state, control, model, **more):
        super().on_train_begin(args, state, control, model)
        if self.file(args, state).exists():
            saved = torch.load(self.file(args, state))
            self.averaged.load_state_dict(saved)

    def file(self, args, state):
        folder = Path(args.output_dir) / f"checkpoint-{state.global_step}"
        return folder / "averages.pt"


class Regression(nn.Module):
    """A network that learns a product; the Trainer reads its loss."""

    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 1))

    def forward(self, inputs, labels):
        return {"loss": nn.functional.mse_loss(self.net(inputs), labels)}


def main(folder, fixed):
    set_seed(0)
    x = torch.randn(40, 8)
    data = [{"inputs": row, "labels": row[:1] * row[1:2]} for row in x]
    arguments = TrainingArguments(
        folder,
        num_train_epochs=4,
        per_device_train_batch_size=8,
        use_cpu=True,
        report_to="none",
        disable_tqdm=True,
        save_strategy="epoch",
    )
    averages = AveragesSaved() if fixed else Averages()
    trainer = Trainer(Regression(), arguments, train_dataset=data, callbacks=[averages])
    trainer.train(resume_from_checkpoint=get_last_checkpoint(folder))


if __name__ == "__main__":
    main(Path(sys.argv[1]), fixed="--fixed" in sys.argv)
