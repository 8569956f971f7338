"""Files of `torch.save`: their values are PyTorch's own, bit for bit, and damage is found."""

import random
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is an extra")

from ckptcheck.adapters.torch.arrays import as_array  # noqa: E402
from ckptcheck.checkpoints import Checkpoint, DamagedError, open_checkpoint  # noqa: E402
from ckptcheck.checkpoints.errors import NotReadableError  # noqa: E402
from ckptcheck.checkpoints.torch_zip.format import TORCH_ZIP  # noqa: E402
from ckptcheck.filetools.fsck import fsck  # noqa: E402
from ckptcheck.kinds import Kind  # noqa: E402

pytestmark = pytest.mark.torch

DTYPES = [
    *("float64", "float32", "float16", "bfloat16", "complex64", "complex128", "bool"),
    *("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
    *("float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz"),
]
FLIPS = 200


def saved(tmp_path: Path, value: Any) -> Path:
    """Save a value, and return the file."""
    file = tmp_path / "saved.pt"
    torch.save(value, file)
    return file


def held(checkpoint: Checkpoint) -> dict[str, Any]:
    """Return the values of a checkpoint by name: arrays, and texts."""
    return {
        entry.name: checkpoint.texts(entry) if entry.dtype is None else checkpoint.value(entry)
        for entry in checkpoint.entries.values()
    }


def drawn(dtype: Any) -> Any:
    raw = torch.randint(0, 256, (6 * 8 * 16,), dtype=torch.uint8)
    if dtype is torch.bool:
        return (raw[:48] > 99).view(6, 8)
    return raw.view(dtype)[: 6 * 8].view(6, 8)


@pytest.mark.parametrize("name", DTYPES)
def test_every_dtype_and_view(tmp_path: Path, name: str) -> None:
    whole = drawn(getattr(torch, name))
    views = {
        "whole": whole,
        "part": whole[1:3],
        "column": whole[:, 3],
        "transposed": whole.t(),
        "steps": whole[::2, 1::3],
        "single": whole[2, 2],
        "none": whole[:0],
        "repeated": whole[0].expand(3, 8),
    }
    found = held(open_checkpoint(saved(tmp_path, views)))
    for key, view in views.items():
        expected = as_array(view.contiguous())
        assert found[key].dtype == expected.dtype
        assert found[key].shape == tuple(view.shape)
        assert found[key].tobytes() == expected.tobytes()


def test_conjugates_and_negatives(tmp_path: Path) -> None:
    value = torch.tensor([[1 + 2j, 3 - 4j]])
    views = {"conj": value.conj(), "neg": value.conj().imag, "both": torch._neg_view(value.conj())}
    for view in views.values():
        found = held(open_checkpoint(saved(tmp_path, {"w": view})))
        assert found["w"].tolist() == view.resolve_conj().resolve_neg().tolist()


def test_a_module_that_refers_to_itself(tmp_path: Path) -> None:
    module = torch.nn.Sequential(torch.nn.Linear(1, 1))
    module[0].__dict__["parent"] = module
    file = saved(tmp_path, module)
    assert fsck(file).exit_code() == 0
    assert "_modules/0/_parameters/weight" in held(open_checkpoint(file))


def test_attributes_of_a_tensor(tmp_path: Path) -> None:
    value = torch.ones(1)
    value.note = torch.full((1,), 2.0)
    found = held(open_checkpoint(saved(tmp_path, {"w": value})))
    assert found["w/note"].tolist() == [2.0]


def test_a_tensor_that_is_repeated_without_a_bound_is_not_checked(tmp_path: Path) -> None:
    file = saved(tmp_path, {"a": torch.ones(1).expand(10**9), "b": torch.ones(1)})
    (finding,) = fsck(file).findings
    assert finding.grade == "unknown"
    assert finding.what == "The tensor repeats 4 bytes to 4,000,000,000"


def test_several_groups_are_in_no_known_order(tmp_path: Path) -> None:
    model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 2))
    groups = [{"params": list(model[at].parameters())} for at in (1, 0)]
    optimizer = torch.optim.SGD(groups, 0.1, momentum=0.9)
    model(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    state = {"model": model.state_dict(), "optimizer": optimizer.state_dict()}
    opened = open_checkpoint(saved(tmp_path, state))
    assert "optimizer/state/0/momentum_buffer" in {each.name for each in opened.entries.values()}


def test_bytes_before_the_archive(tmp_path: Path) -> None:
    file = saved(tmp_path, {"w": torch.ones(1)})
    file.write_bytes(bytes(400) + file.read_bytes())
    with pytest.raises(DamagedError, match="does not begin where the file does"):
        open_checkpoint(file)


def test_a_vocabulary_of_bytes_is_read_at_once(tmp_path: Path) -> None:
    words = {bytes([at % 256, at // 256 % 256, 7]): at for at in range(5000)}
    assert len(held(open_checkpoint(saved(tmp_path, {"merges": words})))) == 5000


def test_what_else_a_file_holds(tmp_path: Path) -> None:
    module = torch.nn.Linear(1, 1)
    value = {
        "epoch": 3,
        "name": "run",
        "numpy": np.arange(3.0),
        "number": np.float32(2),
        "sparse": torch.eye(2).to_sparse(),
        "module": module,
    }
    found = held(open_checkpoint(saved(tmp_path, value)))
    assert found["epoch"] == 3
    assert found["name"] == [b"run"]
    assert found["numpy"].tolist() == [0.0, 1.0, 2.0]
    assert found["number"] == np.float32(2)
    assert found["sparse/arguments/1"].tolist() == [1.0, 1.0]
    assert found["module/_parameters/weight"] == as_array(module.weight)


def test_numbers_of_a_program_are_not_trained(tmp_path: Path) -> None:
    value = {"best": 0.5, "average_tokens": True, "epoch": 3, "learning_rate": 0.1}
    opened = open_checkpoint(saved(tmp_path, value))
    assert {key: each.kind for key, each in opened.entries.items()} == {
        "best": Kind.OTHER,
        "average_tokens": Kind.OTHER,
        "epoch": Kind.COUNTER,
        "learning_rate": Kind.HYPERPARAMETER,
    }


def trained() -> tuple[Any, Any]:
    model = torch.nn.Sequential(
        torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3), torch.nn.Linear(3, 1)
    )
    optimizer = torch.optim.AdamW(model.parameters(), 0.1)
    model(torch.ones(4, 2)).sum().backward()
    optimizer.step()
    return model, optimizer


def test_the_best_loss_so_far_may_be_infinite(tmp_path: Path) -> None:
    """As Lightning's ModelCheckpoint keeps it; an infinite weight is still reported."""
    best = {"callbacks": {"ModelCheckpoint{}": {"kth_value": torch.tensor(torch.inf)}}}
    assert not fsck(saved(tmp_path, best)).findings
    (finding,) = fsck(saved(tmp_path, {"scale": torch.tensor(torch.inf)})).findings
    assert finding.what == "Infinite values in 1 tensor: scale (1 of 1)"


def test_the_states_of_generators_are_known_by_the_name_of_the_file(tmp_path: Path) -> None:
    torch.save({"cpu": torch.get_rng_state()}, tmp_path / "rng_state.pth")
    (entry,) = open_checkpoint(tmp_path / "rng_state.pth").entries.values()
    assert (entry.name, entry.kind) == ("cpu", Kind.RNG)


def test_the_state_of_an_optimizer_has_the_names_of_the_parameters(tmp_path: Path) -> None:
    model, optimizer = trained()
    state = {
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "rng": torch.get_rng_state(),
    }
    opened = open_checkpoint(saved(tmp_path, state))
    found = {entry.name: entry.kind for entry in opened.entries.values()}
    slots = {name for name, kind in found.items() if kind is Kind.SLOT}
    parameters = [name for name, _ in model.named_parameters()]
    assert slots == {
        f"optimizer/state/{name}/{slot}"
        for name in parameters
        for slot in ("exp_avg", "exp_avg_sq")
    }
    assert found["optimizer/state/0.weight/step"] is Kind.COUNTER
    assert found["optimizer/param_groups/0/lr"] is Kind.HYPERPARAMETER
    assert found["model/1.running_mean"] is Kind.MOVING_STATISTIC
    assert found["model/1.weight"] is Kind.WEIGHT
    assert found["rng"] is Kind.RNG
    assert not [name for name in found if "params" in name.split("/")]


def test_tied_weights_are_one_parameter(tmp_path: Path) -> None:
    model = torch.nn.ModuleDict({"embed": torch.nn.Embedding(5, 3), "head": torch.nn.Linear(3, 5)})
    model["head"].weight = model["embed"].weight
    optimizer = torch.optim.Adam(model.parameters())
    model["head"](model["embed"](torch.tensor([1]))).sum().backward()
    optimizer.step()
    state = {"model": model.state_dict(), "optimizer": optimizer.state_dict()}
    names = {entry.name for entry in open_checkpoint(saved(tmp_path, state)).entries.values()}
    assert {name for name in names if name.endswith("exp_avg")} == {
        "optimizer/state/embed.weight/exp_avg",
        "optimizer/state/head.bias/exp_avg",
    }


def test_without_a_model_that_fits_they_keep_their_numbers(tmp_path: Path) -> None:
    model, optimizer = trained()
    for other in ({}, {"a": model.state_dict(), "b": model.state_dict()}):
        opened = open_checkpoint(saved(tmp_path, {"optimizer": optimizer.state_dict(), **other}))
        assert "optimizer/state/0/exp_avg" in {each.name for each in opened.entries.values()}


def flipped(whole: bytes, generator: random.Random) -> bytes:
    damaged = bytearray(whole)
    damaged[generator.randrange(len(damaged))] ^= 1 << generator.randrange(8)
    return bytes(damaged)


def test_a_flipped_bit_is_found_or_harmless(tmp_path: Path) -> None:
    model, optimizer = trained()
    file = saved(tmp_path, {"model": model.state_dict(), "optimizer": optimizer.state_dict()})
    whole, expected = file.read_bytes(), held(open_checkpoint(file))
    found = 0
    for seed in range(FLIPS):
        file.write_bytes(flipped(whole, random.Random(seed)))
        if fsck(file).exit_code():
            found += 1
            continue
        after = held(open_checkpoint(file))
        assert after.keys() == expected.keys(), seed
        assert all(np.array_equal(after[name], expected[name]) for name in after), seed
    assert found > FLIPS / 4


def test_without_checksums_nothing_is_compared(tmp_path: Path) -> None:
    torch.serialization.set_crc32_options(False)
    try:
        file = saved(tmp_path, {"w": torch.ones(4)})
    finally:
        torch.serialization.set_crc32_options(True)
    assert fsck(file).exit_code() == 0
    assert held(open_checkpoint(file))["w"].tolist() == [1.0] * 4


def test_a_file_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    file = saved(tmp_path, {"w": torch.ones(400)})
    whole = file.read_bytes()
    for size in range(0, len(whole), 61):
        file.write_bytes(whole[:size])
        with pytest.raises(DamagedError):
            open_checkpoint(file)


def test_a_file_that_is_read_by_another_name(tmp_path: Path) -> None:
    file = saved(tmp_path, {"w": torch.ones(1)})
    for name in ("pytorch_model.bin", "last.ckpt", "state"):
        assert TORCH_ZIP.of_file(file.replace(tmp_path / name)) is not None
        file = tmp_path / name
    assert list(TORCH_ZIP.in_folder(tmp_path)) == [file]


def test_files_that_are_named_and_refused(tmp_path: Path) -> None:
    old, script = tmp_path / "old.pt", tmp_path / "script.pt"
    torch.save({"w": torch.ones(1)}, old, _use_new_zipfile_serialization=False)
    with zipfile.ZipFile(script, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("data.pkl", "code/linear.py", "constants.pkl"):
            archive.writestr(f"script/{name}", b"")
    expected = {
        old: "the file is a pickle, as PyTorch before 1.6 saved; load it with torch.load, and save it "
        "again with torch.save",
        script: "the file is a TorchScript archive, which is a program with its weights; load it with "
        "torch.jit.load, and save its state_dict() with torch.save",
    }
    for file, what in expected.items():
        with pytest.raises(NotReadableError) as raised:
            open_checkpoint(file)
        assert str(raised.value) == f"{file}: {what}."


def test_what_fsck_says_of_a_flipped_bit(tmp_path: Path) -> None:
    file = saved(tmp_path, {"weight": torch.full((64,), 3.0), "bias": torch.ones(4)})
    whole = bytearray(file.read_bytes())
    whole[whole.index(bytes(torch.full((64,), 3.0).numpy().tobytes()))] ^= 1
    file.write_bytes(whole)
    (finding,) = fsck(file).findings
    assert finding.grade == "wrong"
    assert finding.what == (
        "1 tensor damaged (weight): the checksum of saved/data/0 in the archive does not match"
    )
    assert finding.effect == (
        "torch.load compares no checksum: it loads the wrong values silently, or raises"
    )
