"""The optimizers of PyTorch, and what surrounds one: schedules, groups, scaling, accumulation."""

from typing import Any

import torch
from torch import nn, optim

from ckptcheck import Step
from tests.clean.torch_base import STEPS, Counted, Loop, X, Y

S = optim.lr_scheduler


class PlainSGD(Counted):
    def make_optimizer(self) -> Any:
        return optim.SGD(self.net.parameters(), 0.05)


class Momentum(Counted):
    def make_optimizer(self) -> Any:
        return optim.SGD(self.net.parameters(), 0.05, 0.9, nesterov=True, weight_decay=1e-3)


class Adam(Loop):
    pass


class AMSGrad(Loop):
    def make_optimizer(self) -> Any:
        return optim.AdamW(self.net.parameters(), 0.01, amsgrad=True, weight_decay=0.1)


class Foreach(Loop):
    def make_optimizer(self) -> Any:
        return optim.AdamW(self.net.parameters(), 0.01, foreach=True)


class Fused(Loop):
    def make_optimizer(self) -> Any:
        return optim.Adam(self.net.parameters(), 0.01, fused=True)


class RateInATensor(Loop):
    def make_optimizer(self) -> Any:
        return optim.AdamW(self.net.parameters(), torch.tensor(0.01), foreach=False)


class RMSprop(Loop):
    def make_optimizer(self) -> Any:
        return optim.RMSprop(self.net.parameters(), 0.01, momentum=0.5, centered=True)


class Adagrad(Loop):
    """Its state is there from the beginning."""

    def make_optimizer(self) -> Any:
        return optim.Adagrad(self.net.parameters(), 0.1, initial_accumulator_value=0.1)


class Adadelta(Loop):
    def make_optimizer(self) -> Any:
        return optim.Adadelta(self.net.parameters(), 1.0)


class Adamax(Loop):
    def make_optimizer(self) -> Any:
        return optim.Adamax(self.net.parameters())


class Adafactor(Loop):
    def make_optimizer(self) -> Any:
        return optim.Adafactor(self.net.parameters(), 0.01)


class NAdam(Loop):
    """Has a product of momentums for each parameter."""

    def make_optimizer(self) -> Any:
        return optim.NAdam(self.net.parameters(), 0.01)


class RAdam(Loop):
    def make_optimizer(self) -> Any:
        return optim.RAdam(self.net.parameters(), 0.01, decoupled_weight_decay=True)


class ASGD(Loop):
    """Keeps an average of each parameter in its state."""

    def make_optimizer(self) -> Any:
        return optim.ASGD(self.net.parameters(), 0.01, t0=3)


class Rprop(Loop):
    def make_optimizer(self) -> Any:
        return optim.Rprop(self.net.parameters(), 0.01)


class LBFGS(Counted):
    """Evaluates the loss several times in each step, and keeps lists of vectors."""

    def make_optimizer(self) -> Any:
        return optim.LBFGS(self.net.parameters(), 0.1, max_iter=3, history_size=4)

    def update(self, x: Any, y: Any) -> Any:
        def closure() -> Any:
            self.optimizer.zero_grad()
            loss = self.loss(x, y)
            loss.backward()
            return loss

        return self.optimizer.step(closure)


class TwoGroups(Loop):
    """No weight decay for the biases, and a different rate."""

    def make_optimizer(self) -> Any:
        weights = [each for each in self.net.parameters() if each.ndim > 1]
        biases = [each for each in self.net.parameters() if each.ndim == 1]
        groups = [{"params": weights}, {"params": biases, "weight_decay": 0.0, "lr": 0.05}]
        return optim.AdamW(groups, 0.01)


class NamedParameters(Loop):
    def make_optimizer(self) -> Any:
        return optim.AdamW(self.net.named_parameters(), 0.01)


class SparseAndDense(Loop):
    """Two optimizers: one for an embedding with sparse gradients, one for the rest."""

    def network(self) -> Any:
        self.words = nn.Embedding(5, 6, sparse=True)
        return super().network()

    def more(self) -> dict[str, Any]:
        self.of_words = optim.SparseAdam(self.words.parameters(), 0.01)
        return {"words": self.words, "of_words": self.of_words}

    def loss(self, x: Any, y: Any) -> Any:
        return super().loss(x + self.words(x[:, 0].abs().long().clamp(max=4)), y)

    def update(self, x: Any, y: Any) -> Any:
        self.of_words.zero_grad()
        loss = super().update(x, y)
        self.of_words.step()
        return loss


class Clipping(Loop):
    def update(self, x: Any, y: Any) -> Any:
        loss = self.loss(x, y)
        self.optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.net.parameters(), 0.1)
        self.optimizer.step()
        return loss


class _Scheduled(Loop):
    def more(self) -> dict[str, Any]:
        self.scheduler = self.make_scheduler()
        return {"scheduler": self.scheduler}

    def make_scheduler(self) -> Any:
        return S.StepLR(self.optimizer, 3, 0.5)

    def update(self, x: Any, y: Any) -> Any:
        loss = super().update(x, y)
        self.scheduler.step()
        return loss


class Steps(_Scheduled):
    pass


class MultiSteps(_Scheduled):
    def make_scheduler(self) -> Any:
        return S.MultiStepLR(self.optimizer, [3, 9, 12], 0.5)


class Cosine(_Scheduled):
    def make_scheduler(self) -> Any:
        return S.CosineAnnealingLR(self.optimizer, 20)


class WarmRestarts(_Scheduled):
    def make_scheduler(self) -> Any:
        return S.CosineAnnealingWarmRestarts(self.optimizer, 3, 2)


class OneCycle(_Scheduled):
    """Changes a momentum, too."""

    def make_scheduler(self) -> Any:
        return S.OneCycleLR(self.optimizer, 0.05, total_steps=20)


class Cyclic(_Scheduled):
    def make_scheduler(self) -> Any:
        return S.CyclicLR(self.optimizer, 0.01, 0.05, step_size_up=3, cycle_momentum=False)


class Sequential(_Scheduled):
    def make_scheduler(self) -> Any:
        first = S.LinearLR(self.optimizer, 0.1, total_iters=4)
        return S.SequentialLR(self.optimizer, [first, S.ExponentialLR(self.optimizer, 0.9)], [4])


class Chained(_Scheduled):
    def make_scheduler(self) -> Any:
        first = S.ConstantLR(self.optimizer, 0.1, total_iters=4)
        return S.ChainedScheduler([first, S.ExponentialLR(self.optimizer, 0.9)])


class WarmUp(_Scheduled):
    def make_scheduler(self) -> Any:
        return S.LambdaLR(self.optimizer, lambda count: min(1.0, (count + 1) / 12))


class Plateau(_Scheduled):
    """Steps after each epoch, by the validation loss."""

    def make_scheduler(self) -> Any:
        return S.ReduceLROnPlateau(self.optimizer, patience=0, threshold=0.5)

    def train(self, step: int) -> Step:
        done = Loop.train(self, step)
        if step % STEPS == STEPS - 1:
            self.scheduler.step(self.evaluate())
            self.net.train()
        return done

    def update(self, x: Any, y: Any) -> Any:
        return Loop.update(self, x, y)


class AfterEachEpoch(_Scheduled):
    def update(self, x: Any, y: Any) -> Any:
        return Loop.update(self, x, y)

    def train(self, step: int) -> Step:
        done = super().train(step)
        if step % STEPS == STEPS - 1:
            self.scheduler.step()
        return done


class RateByHand(Loop):
    """Follows from the number of the step."""

    def train(self, step: int) -> Step:
        for group in self.optimizer.param_groups:
            group["lr"] = 0.05 / (1 + step)
        return super().train(step)


class Accumulation(Counted):
    """Two steps add up their gradients; an epoch is a whole number of updates."""

    def train(self, step: int) -> Step:
        x, y = self.batch(step)
        loss = self.loss(x, y)
        (loss / 2).backward()
        if step % 2:
            self.optimizer.step()
            self.optimizer.zero_grad()
        self.step += 1
        return Step(loss, batch=[x, y])


class MicroBatches(Loop):
    """A step adds up the gradients of two halves of its batch."""

    def update(self, x: Any, y: Any) -> Any:
        losses = [self.loss(*half) / 2 for half in zip(x.chunk(2), y.chunk(2), strict=True)]
        self.optimizer.zero_grad()
        for loss in losses:
            loss.backward()
        self.optimizer.step()
        return sum(losses)


class Scaled(Counted):
    """A gradient scaler on the CPU, whose scale grows every third step, and float16 in part."""

    def more(self) -> dict[str, Any]:
        self.scaler = torch.amp.GradScaler("cpu", init_scale=64.0, growth_interval=3)
        return {"scaler": self.scaler}

    def update(self, x: Any, y: Any) -> Any:
        with torch.autocast("cpu", torch.bfloat16):
            loss = self.loss(x, y)
        self.optimizer.zero_grad()
        self.scaler.scale(loss).backward()
        self.scaler.unscale_(self.optimizer)
        nn.utils.clip_grad_norm_(self.net.parameters(), 1.0)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        return loss


class ScaledAndSkipping(Scaled):
    """The first steps overflow: their updates are skipped, and the scale falls."""

    def more(self) -> dict[str, Any]:
        self.scaler = torch.amp.GradScaler("cpu", init_scale=2.0**126, growth_interval=3)
        return {"scaler": self.scaler}


class Adversarial(Loop):
    """A generator and a discriminator, each with an optimizer of its own."""

    def more(self) -> dict[str, Any]:
        self.judge = nn.Sequential(nn.Linear(7, 3), nn.LeakyReLU(), nn.Linear(3, 1))
        self.of_judge = optim.Adam(self.judge.parameters(), 0.01, betas=(0.5, 0.9))
        return {"judge": self.judge, "of_judge": self.of_judge}

    def judged(self, x: Any, y: Any) -> Any:
        return nn.functional.softplus(-self.judge(torch.cat([x, y], 1))).mean()

    def loss(self, x: Any, y: Any) -> Any:
        return super().loss(x, y) + 0.1 * self.judged(x, self.net(x))

    def update(self, x: Any, y: Any) -> Any:
        of_judge = self.judged(x, y) - self.judged(x, self.net(x).detach())
        self.of_judge.zero_grad()
        of_judge.backward()
        self.of_judge.step()
        return super().update(x, y)


class ByHand(Counted):
    """No optimizer of PyTorch: the loop updates the weights itself, with a momentum of its own."""

    def make_optimizer(self) -> Any:
        return None

    def setup(self) -> Any:
        made = dict(super().setup())
        del made["optimizer"]
        self.momentum = [torch.zeros_like(each) for each in self.net.parameters()]
        return {**made, "momentum": self.momentum}

    def update(self, x: Any, y: Any) -> Any:
        loss = self.loss(x, y)
        weights = list(self.net.parameters())
        with torch.no_grad():
            for weight, held, gradient in zip(
                weights, self.momentum, torch.autograd.grad(loss, weights), strict=True
            ):
                held.mul_(0.9).add_(gradient)
                weight.sub_(0.05 * held)
        return loss


class OptimizerInBackward(Loop):
    """Each parameter is updated as soon as its gradient is there."""

    def make_optimizer(self) -> Any:
        self.each = {each: optim.Adam([each], 0.01) for each in self.net.parameters()}
        for weight in self.net.parameters():
            weight.register_post_accumulate_grad_hook(self._step)
        return None

    def _step(self, weight: Any) -> None:
        self.each[weight].step()
        self.each[weight].zero_grad()

    def setup(self) -> Any:
        made = dict(super().setup())
        del made["optimizer"]
        numbered = {f"optimizer{at}": each for at, each in enumerate(self.each.values())}
        return {**made, **numbered}

    def update(self, x: Any, y: Any) -> Any:
        loss = self.loss(x, y)
        loss.backward()
        return loss


class Validating(Loop):
    """Evaluates the network after each epoch, in the training loop."""

    def train(self, step: int) -> Step:
        done = super().train(step)
        if step % STEPS == STEPS - 1:
            with torch.no_grad():
                self.last = self.net.eval()(X).sub(Y).square().mean().item()
            self.net.train()
        return done
