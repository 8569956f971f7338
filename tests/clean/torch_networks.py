"""Networks of PyTorch: layers that keep, share, reparametrise and draw, and types of numbers."""

import copy
from pathlib import Path
from typing import Any

import torch
from torch import nn, optim
from torch.nn.utils import parametrizations, spectral_norm
from torch.optim.swa_utils import SWALR, AveragedModel, get_ema_multi_avg_fn, update_bn

from ckptcheck import Step
from tests.clean.torch_base import STEPS, Counted, Drawing, Loop, X, Y


class Convolution(Loop):
    def network(self) -> Any:
        layers = [nn.Unflatten(1, (1, 2, 3)), nn.Conv2d(1, 3, 2), nn.BatchNorm2d(3), nn.ReLU()]
        return nn.Sequential(*layers, nn.Flatten(), nn.Linear(6, 1))


class CumulativeStatistics(Loop):
    """Moving means without a momentum: each batch counts the same."""

    def network(self) -> Any:
        return nn.Sequential(nn.Linear(6, 3), nn.BatchNorm1d(3, momentum=None), nn.Linear(3, 1))


class FrozenStatistics(Loop):
    """The batch norm of a pretrained part stays in evaluation mode."""

    def network(self) -> Any:
        norm = nn.BatchNorm1d(3).eval()
        norm.requires_grad_(False)
        return nn.Sequential(nn.Linear(6, 3), norm, nn.Linear(3, 1))


class OtherNorms(Loop):
    def network(self) -> Any:
        norms = [nn.LayerNorm(4), nn.GroupNorm(2, 4), nn.RMSNorm(4)]
        return nn.Sequential(nn.Linear(6, 4), *norms, nn.Linear(4, 1))


class Dropout(Drawing):
    def network(self) -> Any:
        return nn.Sequential(nn.Linear(6, 8), nn.Dropout(0.3), nn.Linear(8, 1))


class Recurrent(Drawing):
    def network(self) -> Any:
        self.recurrent = nn.LSTM(2, 3, num_layers=2, dropout=0.2, batch_first=True)
        return nn.Linear(3, 1)

    def more(self) -> dict[str, Any]:
        self.optimizer.add_param_group({"params": list(self.recurrent.parameters())})
        return {"recurrent": self.recurrent}

    def loss(self, x: Any, y: Any) -> Any:
        return super().loss(self.recurrent(x.unflatten(1, (3, 2)))[0][:, -1], y)

    def evaluate(self) -> Any:
        self.recurrent.eval()
        return super().evaluate()


class CarriedHidden(Counted):
    """The hidden state of one batch is the first of the next, as in truncated backpropagation."""

    def network(self) -> Any:
        self.cell = nn.GRUCell(6, 3)
        self.hidden = torch.zeros(8, 3)
        return nn.Linear(3, 1)

    def more(self) -> dict[str, Any]:
        self.optimizer.add_param_group({"params": list(self.cell.parameters())})
        return {"cell": self.cell, "hidden": self.hidden}

    def loss(self, x: Any, y: Any) -> Any:
        now = self.cell(x, self.hidden.clone() if len(x) == 8 else None)
        if torch.is_grad_enabled():
            self.hidden.copy_(now.detach())
        return super().loss(now, y)


class Attention(Drawing):
    def network(self) -> Any:
        block = nn.TransformerEncoderLayer(6, 2, 8, dropout=0.1, batch_first=True)
        return nn.Sequential(nn.Unflatten(1, (1, 6)), block, nn.Flatten(), nn.Linear(6, 1))


class TiedWeights(Loop):
    def network(self) -> Any:
        net = nn.Sequential(nn.Linear(6, 6), nn.Tanh(), nn.Linear(6, 6), nn.Linear(6, 1))
        net[2].weight = net[0].weight
        return net


class SharedLayer(Loop):
    def network(self) -> Any:
        layer = nn.Linear(6, 6)
        return nn.Sequential(layer, nn.Tanh(), layer, nn.Linear(6, 1))


class WeightNorm(Loop):
    def network(self) -> Any:
        normed = parametrizations.weight_norm(nn.Linear(6, 3))
        return nn.Sequential(normed, nn.Tanh(), nn.Linear(3, 1))


class SpectralNorm(Loop):
    """Power iteration moves buffers in each forward pass."""

    def network(self) -> Any:
        normed = parametrizations.spectral_norm(nn.Linear(6, 3))
        return nn.Sequential(normed, nn.Tanh(), nn.Linear(3, 1))


class OldSpectralNorm(Loop):
    def network(self) -> Any:
        return nn.Sequential(spectral_norm(nn.Linear(6, 3)), nn.Tanh(), nn.Linear(3, 1))


class Orthogonal(Loop):
    def network(self) -> Any:
        square = parametrizations.orthogonal(nn.Linear(6, 6))
        return nn.Sequential(square, nn.Tanh(), nn.Linear(6, 1))


class FrozenPart(Loop):
    """Only the last layer is trained."""

    def network(self) -> Any:
        net = super().network()
        net[0].requires_grad_(False)
        return net

    def make_optimizer(self) -> Any:
        return optim.Adam([each for each in self.net.parameters() if each.requires_grad], 0.01)


class Thawing(Counted):
    """The first layer is frozen in the first epoch."""

    def train(self, step: int) -> Step:
        self.net[0].requires_grad_(step >= STEPS)
        return super().train(step)


class Lazy(Loop):
    """A layer that the first batch gives its shape."""

    def network(self) -> Any:
        net = nn.Sequential(nn.LazyLinear(3), nn.LazyBatchNorm1d(), nn.Tanh(), nn.LazyLinear(1))
        net(X)
        return net


class BuffersOfItsOwn(Loop):
    """A buffer that moves, and one that is computed and not saved."""

    def network(self) -> Any:
        net = super().network()
        net.register_buffer("seen", torch.zeros(6))
        net.register_buffer("scale", torch.linspace(0.5, 1, 6), persistent=False)
        return net

    def loss(self, x: Any, y: Any) -> Any:
        if self.net.training:
            self.net.seen.add_(x.sum(0))
        return super().loss(x * self.net.scale, y)


class ExtraState(Loop):
    """A module saves a number with `get_extra_state`."""

    def network(self) -> Any:
        class Counting(nn.Module):
            count = 0

            def forward(self, x: Any) -> Any:
                self.count += self.training
                return x * (1 + 0.01 * self.count)

            def get_extra_state(self) -> int:
                return self.count

            def set_extra_state(self, state: int) -> None:
                self.count = state

        return nn.Sequential(Counting(), nn.Linear(6, 1))


class BareParameters(Loop):
    """Parameters in a list, without a module of their own."""

    def network(self) -> Any:
        return nn.ParameterList([torch.zeros(6, 1), torch.zeros(1)])

    def loss(self, x: Any, y: Any) -> Any:
        return (x @ self.net[0] + self.net[1] - y).square().mean()


class BFloat16(Loop):
    def network(self) -> Any:
        return super().network().bfloat16()

    def loss(self, x: Any, y: Any) -> Any:
        return super().loss(x.bfloat16(), y)


class Float64(Loop):
    def network(self) -> Any:
        return super().network().double()

    def loss(self, x: Any, y: Any) -> Any:
        return super().loss(x.double(), y)


class Complex(Loop):
    def network(self) -> Any:
        return nn.Linear(6, 1, dtype=torch.complex64)

    def loss(self, x: Any, y: Any) -> Any:
        return (self.net(x.to(torch.complex64)).abs() - y).square().mean()


class SparseEmbedding(Loop):
    def network(self) -> Any:
        return nn.Sequential(nn.EmbeddingBag(9, 4, sparse=True), nn.Linear(4, 1))

    def make_optimizer(self) -> Any:
        self.of_bag = optim.SparseAdam(self.net[0].parameters(), 0.01)
        return optim.Adam(self.net[1].parameters(), 0.01)

    def more(self) -> dict[str, Any]:
        return {"of_bag": self.of_bag}

    def loss(self, x: Any, y: Any) -> Any:
        return super().loss((x * 3).long().remainder(9), y)

    def update(self, x: Any, y: Any) -> Any:
        self.of_bag.zero_grad()
        loss = super().update(x, y)
        self.of_bag.step()
        return loss


class Checkpointed(Drawing):
    """Activations are computed again in the backward pass, with the same draws."""

    def network(self) -> Any:
        return nn.Sequential(nn.Linear(6, 8), nn.Dropout(0.3), nn.Linear(8, 1))

    def loss(self, x: Any, y: Any) -> Any:
        outputs = torch.utils.checkpoint.checkpoint(self.net, x, use_reentrant=False)
        return (outputs - y).square().mean()


class Averaged(Loop):
    def more(self) -> dict[str, Any]:
        average = get_ema_multi_avg_fn(0.9)
        self.averaged = AveragedModel(self.net, multi_avg_fn=average, use_buffers=True)
        return {"averaged": self.averaged}

    def update(self, x: Any, y: Any) -> Any:
        loss = super().update(x, y)
        self.averaged.update_parameters(self.net)
        return loss

    def evaluate(self) -> Any:
        with torch.no_grad():
            return (self.averaged.eval()(X) - Y).square().mean()


class StochasticAverage(Loop):
    """Averages after each epoch from the second on, with a schedule of its own, as in SWA."""

    def network(self) -> Any:
        return nn.Sequential(nn.Linear(6, 3), nn.BatchNorm1d(3), nn.Linear(3, 1))

    def more(self) -> dict[str, Any]:
        self.averaged = AveragedModel(self.net)
        self.scheduler = SWALR(self.optimizer, 0.05, anneal_epochs=2)
        return {"averaged": self.averaged, "scheduler": self.scheduler}

    def train(self, step: int) -> Step:
        done = super().train(step)
        if step % STEPS == STEPS - 1 and step > STEPS:
            self.averaged.update_parameters(self.net)
            self.scheduler.step()
        return done

    def evaluate(self) -> Any:
        judged = copy.deepcopy(self.averaged)
        update_bn([X], judged)
        with torch.no_grad():
            return (judged.eval()(X) - Y).square().mean()


class AveragedByHand(Loop):
    """A frozen copy that moves slowly."""

    def more(self) -> dict[str, Any]:
        self.slow = copy.deepcopy(self.net).requires_grad_(False)
        return {"slow": self.slow}

    def update(self, x: Any, y: Any) -> Any:
        loss = super().update(x, y)
        for slow, weight in zip(self.slow.parameters(), self.net.parameters(), strict=True):
            slow.lerp_(weight.detach(), 0.1)
        return loss


class AveragedInADictionary(Loop):
    def more(self) -> dict[str, Any]:
        self.shadow = {name: each.clone() for name, each in self.net.state_dict().items()}
        return {"shadow": self.shadow}

    def update(self, x: Any, y: Any) -> Any:
        loss = super().update(x, y)
        for name, weight in self.net.state_dict().items():
            self.shadow[name].lerp_(weight, 0.1)
        return loss


class KeepsTheBest(Counted):
    """Keeps a copy of the best weights, which nothing reads in the training."""

    def more(self) -> dict[str, Any]:
        self.best = float("inf")
        self.best_weights = copy.deepcopy(self.net.state_dict())
        return {"best": self.best, "best_weights": self.best_weights}

    def update(self, x: Any, y: Any) -> Any:
        loss = super().update(x, y)
        if loss.item() < self.best:
            self.best = loss.item()
            self.best_weights.update(copy.deepcopy(self.net.state_dict()))
        return loss


class Teacher(Loop):
    """A network that never changes, made of a fixed seed, and is in no checkpoint."""

    def more(self) -> dict[str, Any]:
        with torch.random.fork_rng():
            torch.manual_seed(7)
            self.teacher = nn.Linear(6, 1).requires_grad_(False)
        return {}

    def loss(self, x: Any, y: Any) -> Any:
        return super().loss(x, y) + 0.1 * (self.net(x) - self.teacher(x)).square().mean()


class Target(Loop):
    """A second network, a copy of the first every three steps, as in Q-learning."""

    def more(self) -> dict[str, Any]:
        self.target = copy.deepcopy(self.net)
        return {"target": self.target}

    def train(self, step: int) -> Step:
        done = super().train(step)
        if step % 3 == 0:
            self.target.load_state_dict(self.net.state_dict())
        return done

    def loss(self, x: Any, y: Any) -> Any:
        return super().loss(x, y + 0.1 * self.target(x).detach())


class LowRank(Loop):
    """Trains a small addition to a large frozen part, and saves the addition alone, as LoRA does."""

    def network(self) -> Any:
        with torch.random.fork_rng():
            torch.manual_seed(7)
            self.base = nn.Linear(6, 4).requires_grad_(False)
        return nn.Sequential(nn.Linear(4, 2, bias=False), nn.Linear(2, 1, bias=False))

    def loss(self, x: Any, y: Any) -> Any:
        return super().loss(self.base(x), y)


class PerTensorFiles(Counted):
    """Saves plain arrays of NumPy, by a function of the loop's."""

    weights_only = False

    def setup(self) -> Any:
        made = dict(super().setup())
        return made | {"net": (self._taken, self._put)}

    def _taken(self) -> dict[str, Any]:
        return {name: each.numpy() for name, each in self.net.state_dict().items()}

    def _put(self, saved: dict[str, Any]) -> None:
        self.net.load_state_dict({name: torch.from_numpy(each) for name, each in saved.items()})


class TwoFiles(Loop):
    """Overrides `save` and `restore`: the optimizer has a file of its own."""

    def save(self, folder: Path, step: int) -> None:
        torch.save(self.net.state_dict(), folder / "weights.pth")
        torch.save(self.optimizer.state_dict(), folder / "optimizer.pth")

    def restore(self, folder: Path, restore: str) -> None:
        self.net.load_state_dict(torch.load(folder / "weights.pth"))
        self.optimizer.load_state_dict(torch.load(folder / "optimizer.pth"))


class Assigned(Loop):
    """Loads tensors in place of the parameters, before the optimizer is made of them."""

    def restore(self, folder: Path, restore: str) -> None:
        saved = torch.load(max(folder.glob("*.pt"), key=lambda each: int(each.stem)))
        self.net.load_state_dict(saved["net"], assign=True)
        self.optimizer = self.make_optimizer()
        self.optimizer.load_state_dict(saved["optimizer"])


class ModelAsAWhole(Loop):
    """Pickles the module itself, and makes the optimizer anew for the one that is loaded."""

    def save(self, folder: Path, step: int) -> None:
        torch.save([self.net, self.optimizer.state_dict()], folder / "all.pt")

    def restore(self, folder: Path, restore: str) -> None:
        self.net, saved = torch.load(folder / "all.pt", weights_only=False)
        self.optimizer = self.make_optimizer()
        self.optimizer.load_state_dict(saved)
