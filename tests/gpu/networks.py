"""Train one of several small networks on a device, save all of its state, and go on from there.

    python networks.py NETWORK --out DIR

It goes on from DIR/last.pt. The batches are a function of the step.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional

STEPS, EVERY = 24, 8


class Recurrent(nn.Module):
    """Two recurrent layers, with the dropout of `nn.LSTM` between them, or one of ours."""

    def __init__(self, own: bool) -> None:
        super().__init__()
        self.first = nn.LSTM(32, 64, 1 if own else 2, dropout=0.0 if own else 0.1, batch_first=True)
        self.rest = nn.ModuleList(
            [nn.Dropout(0.1), nn.LSTM(64, 64, batch_first=True)] if own else []
        )
        self.last = nn.Linear(64, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        hidden = self.first(x)[0]
        if self.rest:
            hidden = self.rest[1](self.rest[0](hidden))[0]
        return self.last(hidden[:, -1])


class Small(nn.Module):
    """A small GPT: attention with dropout, over 64 tokens."""

    def __init__(self) -> None:
        super().__init__()
        self.tokens = nn.Embedding(256, 64)
        self.queries = nn.Linear(64, 192)
        self.rest = nn.Sequential(
            nn.LayerNorm(64), nn.Linear(64, 256), nn.GELU(), nn.Linear(256, 10)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        hidden = self.tokens(x)
        parts = self.queries(hidden).unflatten(-1, (3, 4, 16)).permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(*parts, dropout_p=0.1, is_causal=True)
        return self.rest(hidden + mixed.transpose(1, 2).flatten(2)).mean(1)


def convolution() -> nn.Module:
    blocks = [nn.Conv2d(3, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU()]
    more = [nn.Conv2d(32, 64, 3, 2), nn.BatchNorm2d(64), nn.ReLU()]
    return nn.Sequential(*blocks, *more, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))


def upsampled() -> nn.Module:
    up = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False)
    head = [nn.Conv2d(16, 10, 3), nn.Flatten(), nn.LazyLinear(10)]
    return nn.Sequential(nn.Conv2d(3, 16, 3, padding=1), up, *head)


def dense() -> nn.Module:
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(3072, 256),
        nn.BatchNorm1d(256),
        nn.ReLU(),
        nn.Dropout(0.1),
        nn.Linear(256, 10),
    )


IMAGES, SERIES, TOKENS = (3, 32, 32), (20, 32), (64,)
NETWORKS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "dense": (dense, IMAGES),
    "convolution": (convolution, IMAGES),
    "upsampled": (upsampled, IMAGES),
    "lstm": (lambda: Recurrent(own=False), SERIES),
    "lstm-own-dropout": (lambda: Recurrent(own=True), SERIES),
    "gpt": (Small, TOKENS),
}


def batch(step: int, shape: tuple[int, ...]) -> tuple[torch.Tensor, torch.Tensor]:
    drawn = torch.Generator().manual_seed(step)
    labels = torch.randint(10, (32,), generator=drawn)
    if shape == TOKENS:
        return torch.randint(256, (32, *shape), generator=drawn), labels
    return torch.randn(32, *shape, generator=drawn), labels


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("network", choices=NETWORKS)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--autocast", choices=["float16", "bfloat16"])
    parser.add_argument("--compiled", action="store_true")
    parser.add_argument("--deterministic", action="store_true", help="of cuDNN")
    parser.add_argument("--without", choices=["cuda", "scaler"], help="do not restore that")
    return parser.parse_args()


def main() -> None:
    asked = arguments()
    asked.out.mkdir(parents=True, exist_ok=True)
    torch.backends.cudnn.deterministic = asked.deterministic or torch.backends.cudnn.deterministic
    torch.manual_seed(0)
    build, shape = NETWORKS[asked.network]
    model = build().to(asked.device)
    with torch.no_grad():
        model(batch(0, shape)[0].to(asked.device))  # lazy layers get their sizes
    optimizer = torch.optim.AdamW(model.parameters(), 1e-3)
    scaler = torch.amp.GradScaler(asked.device, enabled=asked.autocast == "float16")
    called = torch.compile(model) if asked.compiled else model
    path, start = asked.out / "last.pt", 0
    if path.exists():
        saved = torch.load(path, weights_only=False, map_location="cpu")
        model.load_state_dict(saved["model"])
        optimizer.load_state_dict(saved["optimizer"])
        if asked.without != "scaler":
            scaler.load_state_dict(saved["scaler"])
        torch.set_rng_state(saved["cpu"])
        if asked.without != "cuda" and saved["cuda"]:
            torch.cuda.set_rng_state_all(saved["cuda"])
        start = saved["step"]
    for step in range(start, STEPS):
        x, y = (each.to(asked.device) for each in batch(step, shape))
        kind = getattr(torch, asked.autocast or "float32")
        with torch.autocast(asked.device, kind, enabled=asked.autocast is not None):
            loss = functional.cross_entropy(called(x), y)
        optimizer.zero_grad()
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        if (step + 1) % EVERY == 0:
            state = {
                "model": model.state_dict(),
                "optimizer": optimizer.state_dict(),
                "scaler": scaler.state_dict(),
                "cpu": torch.get_rng_state(),
                "cuda": torch.cuda.get_rng_state_all() if asked.device == "cuda" else [],
                "step": step + 1,
            }
            torch.save(state, path.with_suffix(".partial"))
            path.with_suffix(".partial").replace(path)


if __name__ == "__main__":
    main()
