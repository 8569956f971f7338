"""PyTorch loops in classes, in this process; the page about PyTorch runs one in fresh processes."""

import gc
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is an extra")

from ckptcheck.adapters.torch import TorchJob  # noqa: E402
from ckptcheck.job import POISON, RestoreRefusedError, Step  # noqa: E402
from ckptcheck.kinds import Kind  # noqa: E402
from ckptcheck.run.digests import digest  # noqa: E402
from ckptcheck.text_safety import first_sentence  # noqa: E402

pytestmark = pytest.mark.torch


class Line(TorchJob):
    """A layer and its average, an optimizer that counts, and what a loop keeps besides."""

    steps_per_epoch = 4

    def setup(self) -> Mapping[str, Any]:
        self.net = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.BatchNorm1d(2))
        self.optimizer = torch.optim.Adam(self.net.parameters(), 0.5)
        self.scheduler = torch.optim.lr_scheduler.StepLR(self.optimizer, 1, 0.5)
        self.ema = {name: each.detach().clone() for name, each in self.net.named_parameters()}
        self.draw = torch.Generator().manual_seed(3)
        self.best = 7.5
        self.seen = torch.zeros(2)
        return {
            "model": self.net,
            "optimizer": self.optimizer,
            "scheduler": self.scheduler,
            "ema": self.ema,
            "draw": self.draw,
            "best": self.best,
            "seen": self.seen,
            "rng": (torch.get_rng_state, torch.set_rng_state),
            "python": (random.getstate, random.setstate),
        }

    def train(self, step: int) -> Step:
        x = torch.randn(4, 2, generator=self.draw) + torch.rand(()) + random.random()
        loss = self.net(x).pow(2).mean()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.scheduler.step()
        for name, each in self.net.named_parameters():
            self.ema[name].lerp_(each.detach(), 0.5)
        self.best = min(self.best, loss.item())
        self.seen += x.detach().sum(0)
        batch: Any = {"x": x, "nested": [x.bfloat16(), np.arange(4), 3]}
        return Step(loss, batch)

    def evaluate(self) -> Any:
        torch.rand(3)
        return self.net.eval()(torch.ones(2, 2)).sum()


def built(job: Any = None, seed: int = 0) -> Any:
    """Build a job. One that is still alive would be part of its state: name no two at once."""
    job = Line() if job is None else job
    gc.collect()
    job.build(seed)
    return job


def trained(steps: int, job: Any = None) -> Any:
    job = built(job)
    for step in range(steps):
        job.train(step)
    return job


def digests(job: Any) -> dict[str, str]:
    return {name: digest(each.value) for name, each in job.state().items()}


def test_a_restored_job_continues_as_if_never_interrupted(tmp_path: Path) -> None:
    control = trained(2)
    control.save(tmp_path, 2)
    saved = digests(control)
    losses = [float(control.train(step).loss) for step in (2, 3)]
    final = digests(control)
    del control
    job = built(seed=POISON)
    before = digests(job)
    assert before["model/0.weight"] != saved["model/0.weight"]
    restored = job.restore(tmp_path, "checkpoint")
    assert digests(job) == saved
    assert job.next_step() == 2
    assert [float(job.train(step).loss) for step in (2, 3)] == losses
    assert digests(job) == final
    # Whatever differed before, but for the settings of the program, was filled by the restore.
    filled = {name for name in saved if before.get(name) != saved[name]}
    assert filled <= {*restored.asked}
    assert {*restored.asked} <= {*saved}


def test_the_state_is_named_as_setup_names_it() -> None:
    kinds = {name: each.kind for name, each in trained(1).state().items()}
    expected = {
        "model/0.weight": Kind.WEIGHT,
        "model/1.running_mean": Kind.MOVING_STATISTIC,
        "optimizer/0.weight/exp_avg": Kind.SLOT,
        "optimizer/0.weight/step": Kind.COUNTER,
        "optimizer/group 0/lr": Kind.HYPERPARAMETER,
        "optimizer/group 0/betas[1]": Kind.HYPERPARAMETER,
        "scheduler/last_epoch": Kind.COUNTER,
        "ema[0.weight]": Kind.SHADOW,
        "random/draw": Kind.RNG,
        "random/torch": Kind.RNG,
        "random/python": Kind.RNG,
        "best": Kind.OTHER,
        "seen": Kind.OTHER,
    }
    assert expected.items() <= kinds.items()
    assert not [name for name in kinds if name.startswith(("net", "rng", "python", "draw"))]


def test_what_setup_leaves_out_is_state_all_the_same() -> None:
    class Untold(Line):
        def setup(self) -> Mapping[str, Any]:
            super().setup()
            self.net.register_buffer("mask", torch.ones(2), persistent=False)
            return {}

    names = trained(1, Untold()).state()
    assert {"net/0.weight", "net/mask", "optimizer/0.weight/exp_avg", "ema[0.weight]"} <= {*names}


def test_a_part_of_a_checkpoint(tmp_path: Path) -> None:
    control = trained(2)
    control.save(tmp_path, 2)
    saved = digests(control)
    del control
    job = built(seed=POISON)
    restored = job.load(tmp_path, "model")
    now = digests(job)
    of_model = {name for name in saved if name.startswith("model/")}
    assert {name for name in of_model if saved[name] == now[name]} == of_model
    assert {*restored.asked} == of_model
    assert {"optimizer/0.weight/exp_avg", "optimizer/group 0/betas[0]", "ema[0.weight]"} - {
        *restored.held
    } == {"ema[0.weight]"}  # of which the value is known
    assert saved["ema[0.weight]"] in restored.values
    assert saved["random/python"] in restored.values
    assert job.next_step() == 0


def test_the_newest_checkpoint_is_loaded(tmp_path: Path) -> None:
    job = built()
    with pytest.raises(
        FileNotFoundError, match=r"^the folder holds no checkpoint: no file STEP\.pt$"
    ):
        job.restore(tmp_path, "checkpoint")
    for step in range(11):
        if step in (9, 10):
            job.save(tmp_path, step)
        job.train(step)
    del job
    again = built(seed=POISON)
    again.restore(tmp_path, "checkpoint")
    assert again.next_step() == 10


def test_missing_keys_are_a_refusal_that_names_them(tmp_path: Path) -> None:
    built().save(tmp_path, 1)

    class Larger(Line):
        def setup(self) -> Mapping[str, Any]:
            made = super().setup()
            self.net.append(torch.nn.Linear(2, 2))
            return {**made, "more": torch.nn.Linear(1, 1)}

    with pytest.raises(RestoreRefusedError, match=r"Missing key\(s\) in state_dict") as caught:
        built(Larger()).restore(tmp_path, "checkpoint")
    missing = {*(caught.value.asked or ())} - {*(caught.value.held or ())}
    assert missing == {"model/2.weight", "model/2.bias", "more"}


def test_a_refusal_of_torch_load(tmp_path: Path) -> None:
    class Odd(Line):
        def setup(self) -> Mapping[str, Any]:
            return {**super().setup(), "path": (lambda: tmp_path, lambda _: None)}

    built(Odd()).save(tmp_path, 1)
    with pytest.raises(Exception, match="weights_only") as caught:
        built(Odd()).restore(tmp_path, "checkpoint")
    assert type(caught.value).__name__ == "UnpicklingError"
    trusting = Odd()
    trusting.weights_only = False
    built(trusting).restore(tmp_path, "checkpoint")


def test_a_step_takes_tensors() -> None:
    step = trained(0).train(0)
    assert isinstance(step.loss, torch.Tensor)
    assert not step.loss.requires_grad
    assert step.learning_rate == 0.5  # of the update, before the scheduler changes it
    assert [str(each.dtype) for each in step.batch] == ["bfloat16", "int64", "int64", "float32"]
    assert (
        step.batch[0].tobytes()
        == torch.from_numpy(step.batch[3]).bfloat16().view(torch.int16).numpy().tobytes()
    )


@pytest.mark.filterwarnings("ignore:Sparse CSR tensor support is in beta")
def test_a_batch_may_be_sparse_and_hold_nothing() -> None:
    class Sparse(Line):
        def train(self, step: int) -> Step:
            x = torch.tensor([[0.0, 2.0], [0.0, 0.0]])
            batch: Any = [x.to_sparse(), x.to_sparse_csr(), None]
            return Step(super().train(step).loss, batch)

    batch = trained(0, Sparse()).train(0).batch
    assert [each.tolist() for each in batch] == [[[0], [1]], [2.0], [0, 1, 1], [1], [2.0]]


def test_a_part_that_a_restore_replaces_is_the_new_one(tmp_path: Path) -> None:
    job = trained(1)
    job.net = torch.nn.Linear(1, 1, bias=False)
    job.optimizer = torch.optim.SGD(job.net.parameters(), 0.25)
    job.scheduler = torch.optim.lr_scheduler.StepLR(job.optimizer, 1, 0.5)
    gc.collect()
    names = {name for name in job.state() if name.startswith(("model", "optimizer", "Adam"))}
    assert {"model/weight", "optimizer/group 0/lr"} <= names
    assert not [name for name in names if "Adam" in name or "running" in name]
    job.save(tmp_path, 1)
    saved = torch.load(tmp_path / "1.pt", weights_only=False)
    assert list(saved["model"]) == ["weight"]
    assert saved["optimizer"]["param_groups"][0]["lr"] == 0.25


def test_the_state_of_a_generator_of_numpy(tmp_path: Path) -> None:
    class Drawing(Line):
        def setup(self) -> Mapping[str, Any]:
            self.of_numpy = np.random.default_rng(1)
            return {**super().setup(), "of_numpy": (self.taken, self.put)}

        def taken(self) -> Any:
            return self.of_numpy.bit_generator.state

        def put(self, state: Any) -> None:
            self.of_numpy.bit_generator.state = state

    job = trained(1, Drawing())
    before = job.state()["of_numpy/state/state"].value
    assert before.shape == (32,)  # a number of 128 bits
    job.of_numpy.random()
    assert job.state()["of_numpy/state/state"].value.tolist() != before.tolist()


def test_generators_of_functions_are_known_by_their_value(tmp_path: Path) -> None:
    trained(1).save(tmp_path, 1)
    restored = built(seed=POISON).restore(tmp_path, "checkpoint")
    of_functions = {"random/torch", "random/python"}
    assert of_functions <= {*restored.asked}
    assert of_functions <= {*restored.held}


def test_a_module_may_keep_more_than_tensors_and_have_sparse_gradients() -> None:
    class Odd(torch.nn.Embedding):  # type: ignore[misc, name-defined]
        def get_extra_state(self) -> int:
            return 3

        def set_extra_state(self, state: int) -> None: ...

    class Sparse(Plain):
        counts = True

        def setup(self) -> Mapping[str, Any]:
            made = super().setup()
            self.table = Odd(3, 2, sparse=True)
            self.optimizer.add_param_group({"params": list(self.table.parameters())})
            return {**made, "table": self.table}

        def train(self, step: int) -> Step:
            self.table(torch.tensor([1])).sum().backward()
            return super().train(step)

    job = trained(1, Sparse())
    assert job.state()["table/weight/grad"].value.tolist() == [[0, 0], [1, 1], [0, 0]]


def test_an_evaluation_leaves_modes_and_generators() -> None:
    job = trained(1)
    job.net[1].eval()
    before, loss = digests(job), job.evaluate()
    assert digests(job) == before
    assert (job.net.training, job.net[1].training) == (True, False)
    assert loss.requires_grad is False


def test_an_evaluation_inside_a_step_is_part_of_it() -> None:
    class Peeking(Line):
        def train(self, step: int) -> Step:
            self.evaluate()
            return super().train(step)

    job = built(Peeking())
    before = torch.get_rng_state()
    job.train(0)
    drawn = torch.get_rng_state()
    torch.set_rng_state(before)
    torch.rand(3), torch.rand(())
    assert torch.equal(torch.get_rng_state(), drawn)


def test_only_weights_are_perturbed_and_never_the_data() -> None:
    job = built()
    first = digests(job)
    data = job.train(0).batch[3].tolist()
    del job
    job = built(seed=POISON)
    differing = {name for name, each in digests(job).items() if first[name] != each}
    assert differing == {f"model/{name}" for name in ("0.weight", "0.bias", "1.weight", "1.bias")}
    assert job.train(0).batch[3].tolist() == data


class Plain(TorchJob):
    """An optimizer without a count, and gradients that two steps add up."""

    steps_per_epoch = 4
    counts = False

    def setup(self) -> Mapping[str, Any]:
        self.weight = torch.nn.Linear(1, 1)
        self.optimizer = torch.optim.SGD(self.weight.parameters(), 0.1)
        if self.counts:
            self.step = 0
        return {"weight": self.weight, **({"step": self.step} if self.counts else {})}

    def train(self, step: int) -> Step:
        loss = self.weight(torch.ones(1, 1)).sum()
        loss.backward()
        if step % 2:
            self.optimizer.step()
            self.optimizer.zero_grad()
        if self.counts:
            self.step += 1
        return Step(loss)

    def evaluate(self) -> float:
        return 1.0


class Counting(Plain):
    counts = True


class Stepping(Line):
    """A job that calls a method `step`, as many loops do."""

    def step(self, step: int) -> Step:
        return super().train(step)

    def train(self, step: int) -> Step:
        return self.step(step)


def test_a_method_step_is_no_count() -> None:
    job = built(Stepping())
    job.train(0)
    assert job.next_step() == 1


def test_the_next_step(tmp_path: Path) -> None:
    job = built(Plain())
    assert job.next_step() == 0
    job.train(0)
    with pytest.raises(TypeError) as caught:
        job.next_step()
    assert str(caught.value) == (
        "the next step is unknown: no optimizer counts its steps, and the job has no attribute `step`. Count the "
        'steps in `self.step`, and let setup return it ({"step": self.step, …}), or override next_step'
    )
    assert first_sentence(str(caught.value)) == str(caught.value)  # a report shows all of it
    control = trained(3, Counting())
    control.save(tmp_path, 3)
    assert control.next_step() == 3
    resumed = built(Counting(), seed=POISON)
    resumed.restore(tmp_path, "checkpoint")
    assert (resumed.next_step(), resumed.step) == (3, 3)
    assert resumed.state()["step"].kind is Kind.COUNTER


def test_gradients_count_between_the_steps_that_add_them_up() -> None:
    job = trained(1, Counting())
    assert job.state()["weight/bias/grad"].value.tolist() == [1.0]
    assert job.state()["weight/bias/grad"].kind is Kind.ACCUMULATOR
    assert job.train(1).learning_rate == 0.1
    assert "weight/bias/grad" not in job.state()


def test_gradients_count_that_a_restore_brings_back() -> None:
    job = built(Counting())
    assert "weight/bias/grad" not in job.state()
    job.weight.bias.grad = torch.ones(1)
    assert job.state()["weight/bias/grad"].value.tolist() == [1.0]
    assert job.state()["weight/weight/grad"].value.tolist() == [[0.0]]


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        (
            [1],
            'setup must return what the checkpoint holds by name, as in {"model": self.model}, but it returned list',
        ),
        (
            {"count": 3},
            "setup returned 'count', a int, which has no state_dict and is no attribute of that name. Keep the value "
            "in self.count, or return a pair of functions that get and set it",
        ),
    ],
    ids=["list", "number"],
)
def test_what_setup_must_return(returned: Any, message: str) -> None:
    class Wrong(Line):
        def setup(self) -> Any:
            return returned

    with pytest.raises(TypeError) as caught:
        built(Wrong())
    assert str(caught.value) == message
