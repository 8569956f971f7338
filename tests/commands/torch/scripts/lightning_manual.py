"""Lightning with manual optimization of two networks, saved in mid-epoch."""

import argparse
import os

import lightning as L
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import nn
from torchdata.stateful_dataloader import StatefulDataLoader


class AutoEncoder(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.automatic_optimization = False
        self.encoder = nn.Sequential(nn.Linear(8, 4), nn.Tanh())
        self.decoder = nn.Linear(4, 8)

    def training_step(self, batch, batch_idx):
        opt_e, opt_d = self.optimizers()
        loss = nn.functional.mse_loss(self.decoder(self.encoder(batch)), batch)
        opt_e.zero_grad()
        opt_d.zero_grad()
        self.manual_backward(loss)
        opt_e.step()
        opt_d.step()
        self.log("loss", loss)

    def configure_optimizers(self):
        return (
            torch.optim.Adam(self.encoder.parameters(), lr=1e-2),
            torch.optim.SGD(self.decoder.parameters(), lr=1e-1, momentum=0.9),
        )


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", required=True)
    parser.add_argument("--load-from-checkpoint", action="store_true")
    args = parser.parse_args()
    L.seed_everything(1)
    data = torch.randn(80, 8, generator=torch.Generator().manual_seed(1))
    loader = StatefulDataLoader(data, batch_size=8)
    trainer = L.Trainer(
        max_epochs=2, accelerator="cpu", logger=False, enable_progress_bar=False,
        enable_model_summary=False, default_root_dir=args.out,
        callbacks=[ModelCheckpoint(args.out, every_n_train_steps=6, save_top_k=-1)],
    )
    found = [os.path.join(args.out, f) for f in os.listdir(args.out)] if os.path.isdir(args.out) else []
    found = sorted((f for f in found if f.endswith(".ckpt")), key=lambda f: int(f[:-5].split("step=")[1]))
    if found and args.load_from_checkpoint:
        trainer.fit(AutoEncoder.load_from_checkpoint(found[-1]), loader)
    else:
        trainer.fit(AutoEncoder(), loader, ckpt_path=found[-1] if found else None)


if __name__ == "__main__":
    main()
