"""Hugging Face Trainer: a small BERT with dropout, saved in mid-epoch."""

import os
from dataclasses import dataclass, field

import torch
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    HfArgumentParser,
    Trainer,
    TrainingArguments,
    set_seed,
)
from transformers.trainer_utils import get_last_checkpoint


@dataclass
class DataArguments:
    out: str = field(metadata={"help": "folder for checkpoints"})
    examples: int = 64
    skip_no_data: bool = False


class RandomText(torch.utils.data.Dataset):
    def __init__(self, n):
        g = torch.Generator().manual_seed(0)
        self.ids = torch.randint(50, (n, 8), generator=g)
        self.labels = (self.ids[:, 0] > 25).long()

    def __len__(self):
        return len(self.ids)

    def __getitem__(self, i):
        return {"input_ids": self.ids[i], "labels": self.labels[i]}


def main():
    (args,) = HfArgumentParser(DataArguments).parse_args_into_dataclasses()
    training_args = TrainingArguments(
        output_dir=args.out, num_train_epochs=3, per_device_train_batch_size=8, save_steps=5,
        logging_steps=8, report_to=[], use_cpu=True, disable_tqdm=True, seed=4,
        ignore_data_skip=args.skip_no_data, learning_rate=1e-3, warmup_steps=4,
    )
    set_seed(training_args.seed)
    config = BertConfig(
        vocab_size=50, hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=32, max_position_embeddings=16, num_labels=2,
    )
    trainer = Trainer(
        model=BertForSequenceClassification(config), args=training_args,
        train_dataset=RandomText(args.examples),
    )
    last = get_last_checkpoint(args.out) if os.path.isdir(args.out) else None
    trainer.train(resume_from_checkpoint=last)


if __name__ == "__main__":
    main()
