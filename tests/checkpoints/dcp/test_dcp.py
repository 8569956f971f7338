"""Distributed checkpoints: their values are PyTorch's own, bit for bit, and damage is found."""

import contextlib
import os
import pickle
import random
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is an extra")

import torch.distributed.checkpoint as dcp  # noqa: E402

from ckptcheck.adapters.torch.arrays import as_array  # noqa: E402
from ckptcheck.checkpoints import DamagedError, open_checkpoint  # noqa: E402
from ckptcheck.checkpoints.find import find  # noqa: E402
from ckptcheck.filetools.diff import diff  # noqa: E402
from ckptcheck.filetools.fsck import fsck  # noqa: E402
from ckptcheck.filetools.seal import seal  # noqa: E402
from ckptcheck.kinds import Kind  # noqa: E402
from tests.checkpoints.torch_zip.test_file import DTYPES, drawn, held  # noqa: E402

pytestmark = pytest.mark.torch

SHARDED = Path(__file__).with_name("sharded.py")


def save(folder: Path, state: Any) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that no process group is there
        dcp.save(state, checkpoint_id=folder)
    return folder


def model_and_optimizer() -> dict[str, Any]:
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4))
    optimizer = torch.optim.Adam(model.parameters())
    model(torch.randn(5, 3)).square().sum().backward()
    optimizer.step()
    return {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "step": 7}


@pytest.mark.parametrize("name", DTYPES)
def test_every_dtype(tmp_path: Path, name: str) -> None:
    whole = drawn(getattr(torch, name))
    state = {"whole": whole, "transposed": whole.t(), "part": whole[1:3], "scalar": whole[0, 0]}
    found = held(open_checkpoint(save(tmp_path / "a", {**state, "empty": whole[:0]})))
    for key, value in state.items():
        assert found[key].tobytes() == as_array(value.contiguous()).tobytes(), key
        assert found[key].shape == tuple(value.shape)
    assert found["empty"].shape == (0, 8)


def test_names_and_kinds_are_those_of_a_file(tmp_path: Path) -> None:
    """The same state, saved by `torch.save`, has the same names."""
    state = model_and_optimizer()
    torch.save(state, tmp_path / "a.pt")
    folder = save(tmp_path / "a", state)
    compared = diff(tmp_path / "a.pt", folder)
    assert compared.same, compared.to_json()
    of_both = [open_checkpoint(each).entries for each in (tmp_path / "a.pt", folder)]
    kinds = [{entry.name: entry.kind for entry in entries.values()} for entries in of_both]
    assert kinds[0] == kinds[1]
    assert kinds[0]["optimizer/state/0.weight/exp_avg"] is Kind.SLOT


def test_what_is_no_tensor(tmp_path: Path) -> None:
    state = {"name": "run", "nested": {"betas": (0.5, 0.75)}, "mixed": [1, "x"], "none": None}
    found = held(open_checkpoint(save(tmp_path / "a", state)))
    assert found["name"] == [b"run"]
    assert found["nested/betas"].tolist() == [0.5, 0.75]
    assert found["mixed/1"] == [b"x"]


def test_tensors_cut_by_four_processes(tmp_path: Path) -> None:
    """A grid of two by two, and rows of different lengths."""
    folder = tmp_path / "a"
    subprocess.run([sys.executable, SHARDED, folder], check=True, capture_output=True, timeout=120)
    checkpoint = open_checkpoint(folder)
    whole = np.arange(35, dtype=np.float32).reshape(5, 7)
    assert {key: len(entry.pieces) for key, entry in checkpoint.entries.items()} == {
        "grid": 4,
        "rows": 2,
        "same": 1,
    }
    for key, plus in (("grid", 0), ("rows", 0), ("same", 1)):
        np.testing.assert_array_equal(checkpoint.value(checkpoint.entries[key]), whole + plus)
    torch.save({"grid": torch.tensor(whole), "rows": torch.tensor(whole)}, tmp_path / "a.pt")
    compared = diff(tmp_path / "a.pt", folder)
    assert [entry.key for entry in compared.only_b] == ["same"]
    assert not compared.different
    (folder / "__3_0.distcp").unlink()
    (finding,) = fsck(folder).findings
    assert (finding.what, finding.where) == (
        "A data file is missing, with 2 tensors",
        str(folder / "__3_0.distcp"),
    )


def test_every_file_leads_to_the_folder(tmp_path: Path) -> None:
    folder = save(tmp_path / "a", {"w": torch.ones(2)})
    for path in (folder, folder / ".metadata", folder / "__0_0.distcp"):
        assert find(path).path == folder
    check = fsck(tmp_path)
    assert (check.checkpoints, check.findings) == ((folder,), ())


def test_an_interrupted_save(tmp_path: Path) -> None:
    folder = save(tmp_path / "a", {"w": torch.ones(2)})
    (folder / ".metadata").rename(folder / ".metadata.tmp")
    findings = {finding.what: finding.where for finding in fsck(tmp_path).findings}
    assert findings == {
        "The file is missing: a save writes it last, and was interrupted, or it was not copied": str(
            folder / ".metadata"
        ),
        "A temporary file of a save that was interrupted": str(folder / ".metadata.tmp"),
    }


def test_data_of_a_later_save_that_was_interrupted(tmp_path: Path) -> None:
    folder = save(tmp_path / "a", {"w": torch.ones(2)})
    written = (folder / ".metadata").stat().st_mtime
    os.utime(folder / "__0_0.distcp", (written, written + 3600))
    (finding,) = fsck(folder).findings
    assert (finding.what, finding.effect) == (
        "1 file is newer than .metadata, which a save writes last",
        "a restore may mix the values of two saves, unless copying changed the times",
    )
    os.utime(folder / "__0_0.distcp", (written, written + 60))  # as a copy may do
    assert not fsck(folder).findings


def test_a_file_that_the_metadata_do_not_name(tmp_path: Path) -> None:
    folder = save(tmp_path / "a", {"w": torch.ones(2)})
    (folder / "__1_0.distcp").write_bytes(b"old")
    (finding,) = fsck(folder).findings
    assert finding.what == "1 data file of this folder not listed in its metadata"


def test_every_flipped_bit_is_found_with_a_seal(tmp_path: Path) -> None:
    folder = save(tmp_path / "a", {"w": torch.arange(12.0), "nested": {"b": torch.ones(3)}})
    sealed = seal(folder)
    assert sealed.seal == folder / ".seal.json"
    truth = {name: str(value) for name, value in held(open_checkpoint(folder)).items()}
    files, generator = [folder / ".metadata", folder / "__0_0.distcp"], random.Random(0)
    unseen = 0
    for _ in range(200):
        file = generator.choice(files)
        whole = file.read_bytes()
        at, bit = generator.randrange(len(whole)), generator.randrange(8)
        file.write_bytes(whole[:at] + bytes([whole[at] ^ 1 << bit]) + whole[at + 1 :])
        assert fsck(folder).exit_code() in (1, 3), (file.name, at, bit)
        with contextlib.suppress(DamagedError):
            unseen += {n: str(v) for n, v in held(open_checkpoint(folder)).items()} == truth
        file.write_bytes(whole)
    assert fsck(folder).exit_code() == 0
    assert 0 < unseen < 200


class TestForged:
    """Metadata that describe what cannot be: a sentence, and no call of anything."""

    def refusal(self, tmp_path: Path, change: Any) -> str:
        folder = save(tmp_path / "a", {"w": torch.ones(4, 3), "n": 1})
        metadata = pickle.loads((folder / ".metadata").read_bytes())
        changed = change(metadata) or metadata
        (folder / ".metadata").write_bytes(pickle.dumps(changed))
        with pytest.raises(DamagedError) as caught:
            held(open_checkpoint(folder))
        return str(caught.value).replace(str(folder), "A")

    def test_a_call(self, tmp_path: Path) -> None:
        class Call:
            def __reduce__(self) -> Any:
                return print, ("called",)

        what = self.refusal(tmp_path, lambda metadata: Call())
        assert what == "A/.metadata: the file is not the metadata of a distributed checkpoint."

    def test_a_path_out_of_the_folder(self, tmp_path: Path) -> None:
        def change(metadata: Any) -> None:
            for info in metadata.storage_data.values():
                info.relative_path = "../b/__0_0.distcp"

        assert self.refusal(tmp_path, change) == (
            "A/.metadata: what the metadata describe cannot be: a part lies in no file of the folder."
        )

    def test_parts_that_overlap(self, tmp_path: Path) -> None:
        def change(metadata: Any) -> None:
            chunk = metadata.state_dict_metadata["w"].chunks[0]
            chunk.sizes = torch.Size((2, 3))
            metadata.state_dict_metadata["w"].chunks.append(chunk)

        assert self.refusal(tmp_path, change) == (
            "A/.metadata: what the metadata describe cannot be: the parts of `w` do not cover it once."
        )

    def test_a_shape_that_the_data_have_not(self, tmp_path: Path) -> None:
        def change(metadata: Any) -> None:
            described = metadata.state_dict_metadata["w"]
            described.size = described.chunks[0].sizes = torch.Size((3, 4))

        what = self.refusal(tmp_path, change)
        assert what.endswith("w: a part is not the tensor that the metadata describe.")

    def test_more_bytes_than_there_are(self, tmp_path: Path) -> None:
        def change(metadata: Any) -> None:
            described = metadata.state_dict_metadata["w"]
            described.size = described.chunks[0].sizes = torch.Size((1 << 40, 3))

        what = self.refusal(tmp_path, change)
        assert "a part takes 13,194,139,533,312 bytes, but has a place of " in what

    def test_compressed_parts(self, tmp_path: Path) -> None:
        def change(metadata: Any) -> None:
            for info in metadata.storage_data.values():
                info.transform_descriptors = ["zstd"]

        what = self.refusal(tmp_path, change)
        assert what == "A/.metadata: the parts are compressed or encrypted."
