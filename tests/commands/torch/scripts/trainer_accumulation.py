"""Hugging Face Trainer: gradients of two batches, an evaluation and a save every four updates."""

import argparse
import os

import torch
from transformers import GPT2Config, GPT2LMHeadModel, Trainer, TrainingArguments, set_seed
from transformers.trainer_utils import get_last_checkpoint

parser = argparse.ArgumentParser()
parser.add_argument("--out", required=True)
parser.add_argument("--save-only-model", action="store_true", help="smaller checkpoints")
args = parser.parse_args()

set_seed(42)
tokens = torch.randint(40, (72, 10), generator=torch.Generator().manual_seed(5))
dataset = [{"input_ids": row, "labels": row} for row in tokens]
model = GPT2LMHeadModel(
    GPT2Config(vocab_size=40, n_positions=16, n_embd=16, n_layer=1, n_head=2,
               bos_token_id=0, eos_token_id=0)
)
trainer = Trainer(
    model=model,
    args=TrainingArguments(
        output_dir=args.out,
        num_train_epochs=4,
        per_device_train_batch_size=8,
        gradient_accumulation_steps=2,
        eval_strategy="steps",
        eval_steps=4,
        save_steps=4,
        save_only_model=args.save_only_model,
        learning_rate=2e-3,
        report_to="none",
        use_cpu=True,
        disable_tqdm=True,
    ),
    train_dataset=dataset[:64],
    eval_dataset=dataset[64:],
)
has_checkpoint = os.path.isdir(args.out) and get_last_checkpoint(args.out) is not None
trainer.train(resume_from_checkpoint=has_checkpoint)
print(trainer.evaluate())
