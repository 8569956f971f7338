"""A GAN on points of a ring: two networks, two optimizers, one file."""

import argparse
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn, optim


class Generator(nn.Module):
    def __init__(self, nz=4, nf=16):
        super().__init__()
        self.main = nn.Sequential(
            nn.Linear(nz, nf), nn.BatchNorm1d(nf), nn.ReLU(True), nn.Linear(nf, 2)
        )

    def forward(self, z):
        return self.main(z)


class Discriminator(nn.Module):
    def __init__(self, nf=16):
        super().__init__()
        self.main = nn.Sequential(nn.Linear(2, nf), nn.LeakyReLU(0.2), nn.Linear(nf, 1))

    def forward(self, x):
        return self.main(x).squeeze(1)


def real_points(n):
    angle = torch.rand(n) * 2 * torch.pi
    return torch.stack([angle.cos(), angle.sin()], 1) + 0.05 * torch.randn(n, 2)


class Trainer:
    def __init__(self, opt):
        self.opt = opt
        self.netG, self.netD = Generator(), Discriminator()
        self.optG = optim.Adam(self.netG.parameters(), lr=2e-3, betas=(0.5, 0.999))
        self.optD = optim.Adam(self.netD.parameters(), lr=2e-3, betas=(0.5, 0.999))
        self.iteration = 0
        self.path = Path(opt.out) / "gan.pth"

    def state(self):
        return {
            "netG": self.netG.state_dict(), "netD": self.netD.state_dict(),
            "optG": self.optG.state_dict(), "optD": self.optD.state_dict(),
            "iteration": self.iteration, "rng": torch.get_rng_state(),
        }

    def resume(self):
        state = torch.load(self.path, weights_only=True)
        self.netG.load_state_dict(state["netG"])
        self.netD.load_state_dict(state["netD"])
        self.optG.load_state_dict(state["optG"])
        if not self.opt.one_optimizer:
            self.optD.load_state_dict(state["optD"])
        self.iteration = state["iteration"]
        torch.set_rng_state(state["rng"])

    def step(self):
        batch_size = self.opt.batch_size
        ones, zeros = torch.ones(batch_size), torch.zeros(batch_size)

        self.netD.zero_grad()
        errD_real = F.binary_cross_entropy_with_logits(self.netD(real_points(batch_size)), ones)
        errD_real.backward()
        fake = self.netG(torch.randn(batch_size, 4))
        errD_fake = F.binary_cross_entropy_with_logits(self.netD(fake.detach()), zeros)
        errD_fake.backward()
        self.optD.step()

        self.netG.zero_grad()
        errG = F.binary_cross_entropy_with_logits(self.netD(fake), ones)
        errG.backward()
        self.optG.step()
        return errD_real + errD_fake, errG

    def run(self):
        while self.iteration < self.opt.iterations:
            errD, errG = self.step()
            self.iteration += 1
            if self.iteration % 5 == 0:
                print(f"[{self.iteration}] D {errD.item():.4f} G {errG.item():.4f}")
                torch.save(self.state(), self.path)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", required=True)
    parser.add_argument("--iterations", type=int, default=20)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--one-optimizer", action="store_true",
                        help="load the optimizer of the generator alone")
    opt = parser.parse_args()
    Path(opt.out).mkdir(parents=True, exist_ok=True)
    torch.manual_seed(999)
    trainer = Trainer(opt)
    if trainer.path.exists():
        trainer.resume()
    trainer.run()
