"""Folders that the Trainer and Accelerate save are read and checked as they are."""

from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="PyTorch is an extra")
accelerate = pytest.importorskip("accelerate")
transformers = pytest.importorskip("transformers")

from ckptcheck.checkpoints import open_checkpoint  # noqa: E402
from ckptcheck.filetools.fsck import fsck  # noqa: E402
from ckptcheck.filetools.seal import seal  # noqa: E402

pytestmark = [pytest.mark.torch, pytest.mark.filterwarnings("ignore")]


def train(model: Any, inputs: Any) -> Any:
    optimizer = torch.optim.Adam(model.parameters())
    model(inputs).sum().backward()
    optimizer.step()
    return optimizer


@pytest.fixture
def accelerated(tmp_path: Path) -> Path:
    accelerator = accelerate.Accelerator(cpu=True)
    model = torch.nn.Linear(2, 2)
    optimizer = train(model, torch.ones(1, 2))
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, 1)
    accelerator.prepare(model, optimizer, schedule)
    accelerator.save_state(str(tmp_path / "checkpoint_0"))
    return tmp_path / "checkpoint_0"


def test_a_folder_of_accelerate(accelerated: Path) -> None:
    checkpoint = open_checkpoint(accelerated)
    assert checkpoint.format == "Accelerate, folder"
    parts = {key.partition("/")[0] for key in checkpoint.entries}
    assert parts == {"model", "optimizer", "scheduler", "random_states_0"}
    assert fsck(accelerated).findings == ()
    seal(accelerated)
    assert fsck(accelerated).findings == ()


def test_a_schedule_that_is_missing(accelerated: Path) -> None:
    (accelerated / "scheduler.bin").unlink()
    (finding,) = fsck(accelerated).findings
    assert (finding.what, finding.effect) == (
        "scheduler.bin is missing, but the optimizer had a schedule",
        "load_state raises, if the program has prepared that schedule",
    )


def test_a_folder_of_the_trainer(tmp_path: Path) -> None:
    model = transformers.GPT2LMHeadModel(
        transformers.GPT2Config(n_layer=1, n_head=2, n_embd=8, vocab_size=20, n_positions=8)
    )
    rows = [{"input_ids": torch.arange(8), "labels": torch.arange(8)}] * 8
    arguments = transformers.TrainingArguments(
        str(tmp_path), max_steps=2, save_steps=1, report_to=[], use_cpu=True, disable_tqdm=True
    )
    transformers.Trainer(model, arguments, train_dataset=rows).train()
    checkpoint = open_checkpoint(tmp_path)
    assert checkpoint.chosen == f"the newest complete folder in {tmp_path}"
    assert checkpoint.path == tmp_path / "checkpoint-2"
    assert int(checkpoint["trainer_state/global_step"]) == 2
    assert int(checkpoint["config/n_layer"]) == 1
    assert checkpoint["model/transformer.wte.weight"].shape == (20, 8)
    assert fsck(tmp_path).findings == ()
