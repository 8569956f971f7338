"""Twelve PyTorch scripts in as many styles: each recovers as it is, and with one option loses what it names."""

import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from ckptcheck import Report, verify

pytestmark = [pytest.mark.torch, pytest.mark.timeout(900)]  # several processes, on two cores

SCRIPTS = Path(__file__).with_name("scripts")


@dataclass(frozen=True)
class Script:
    """A script, the words by which it resumes wrongly, and the causes to be named then.

    Attributes:
        alarm: why the script is not yet found to recover, if it is not.
        miss: why the causes are not yet named, if they are not.
    """

    words: tuple[str, ...]
    wrong: tuple[str, ...]
    causes: frozenset[str]
    alarm: str | None = None
    miss: str | None = None


def script(
    words: str, wrong: str, *causes: str, alarm: str | None = None, miss: str | None = None
) -> Script:
    return Script(tuple(words.split()), tuple(wrong.split()), frozenset(causes), alarm, miss)


# Its loss is as good as a kernel that sums in any order.
NOISY = """
import os, sys, time, torch
path = os.path.join(sys.argv[1], "last.pt")
torch.manual_seed(0)
model = torch.nn.Linear(4, 1)
optimizer = torch.optim.SGD(model.parameters(), 0.1)
start = 0
if os.path.exists(path):
    saved = torch.load(path)
    model.load_state_dict(saved["model"])
    start = saved["step"]
for step in range(start, 9):
    loss = (model(torch.full((8, 4), float(step))) ** 2).mean()
    if not torch.are_deterministic_algorithms_enabled():
        loss = loss * (1 + 1e-6 * (time.time_ns() % 97))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 3 == 2:
        torch.save({"model": model.state_dict(), "step": step + 1}, path)
"""

SCRIPT = {
    "a loop with argparse and a scheduler": script(
        "plain.py --out {run}", "--scheduler-last", "learning-rate-differs"
    ),
    "nanoGPT": script(
        "nano_gpt.py --out_dir={run}",
        "--keep_generators=False",
        "generators-restarted",
    ),
    "a GAN with two optimizers": script(
        "gan.py --out {run}", "--one-optimizer", "slots-lost", "step-lost"
    ),
    "mixed precision with a gradient scaler": script(
        "amp.py --out {run}", "--no-scaler", "loss-scale-lost"
    ),
    "an AveragedModel and batch norm": script(
        "ema.py --out {run}",
        "--no-averages",
        "shadows-lost",
    ),
    "gradients of four batches": script("accumulate.py --out {run}", "--no-skip", "data-restarted"),
    "a StatefulDataLoader with workers": script(
        "stateful_loader.py --out {run}", "--no-loader", "data-restarted"
    ),
    "Lightning with a sampler": script(
        "lightning_sampler.py --out {run}",
        "--shuffle",
        "generators-restarted",
    ),
    "Lightning with manual optimization": script(
        "lightning_manual.py --out {run}",
        "--load-from-checkpoint",
        "slots-lost",
        "step-lost",
        "data-restarted",
    ),
    "a Trainer with dropout": script(
        "trainer_dropout.py --out {run}",
        "--skip_no_data",
        "generators-shifted",
        "data-restarted",
    ),
    "a Trainer that accumulates and evaluates": script(
        "trainer_accumulation.py --out {run}",
        "--save-only-model",
        "generators-restarted",
        "slots-lost",
        "step-lost",
    ),
    "Accelerate with a seedable sampler": script(
        "accelerated.py --out {run}", "--no-set-epoch", "data-order"
    ),
}


def styles(attribute: str) -> "pytest.MarkDecorator":
    """Parametrise by style: what is not yet so has to fail."""
    return pytest.mark.parametrize(
        "style",
        [
            pytest.param(style, marks=pytest.mark.xfail(strict=True, reason=reason))
            if (reason := getattr(each, attribute))
            else style
            for style, each in SCRIPT.items()
        ],
    )


@pytest.fixture(autouse=True)
def scripts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scripts run in their folder, each on one core: tests run side by side."""
    monkeypatch.chdir(SCRIPTS)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


def verified(*words: str) -> Report:
    return verify(command=[sys.executable, *words], repeat=0)  # they are known to be reproducible


@styles("alarm")
def test_a_right_script_recovers(style: str) -> None:
    (case,) = verified(*SCRIPT[style].words).cases
    assert (case.outcome, case.reason) == ("recovered", None)
    assert not case.diagnoses


@styles("miss")
def test_a_wrong_script_is_found(style: str) -> None:
    (case,) = verified(*SCRIPT[style].words, *SCRIPT[style].wrong).cases
    assert (case.outcome, case.reason) == ("diverged", None)
    assert {each.cause for each in case.diagnoses} == SCRIPT[style].causes


def test_a_setting_that_makes_it_reproducible_is_tried_and_named(tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text(NOISY)
    (case,) = verify(command=[sys.executable, str(script), "{run}"]).cases
    (noise,) = case.diagnoses
    assert (case.outcome, noise.cause) == ("inconclusive", "noise")
    assert noise.remedy == (
        "Set torch.use_deterministic_algorithms(True): two controls with it are equal, bit for "
        "bit. Or measure the noise with --repeat N: losses are then judged against it."
    )
