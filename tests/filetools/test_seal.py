"""Seals: damage that no checksum shows is found, and nothing else is."""

import json
import random
from pathlib import Path

import numpy as np
import pytest

from ckptcheck.checkpoints import DamagedError
from ckptcheck.checkpoints.find import checkpoints_in
from ckptcheck.filetools.fsck import fsck
from ckptcheck.filetools.seal import seal
from tests.checkpoints import bundles
from tests.checkpoints.safetensors.writer import write, write_shards

VALUES = {"w": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.ones(3, np.float32)}


def flip(file: Path, at: int, bit: int = 0) -> None:
    content = bytearray(file.read_bytes())
    content[at] ^= 1 << bit
    file.write_bytes(content)


def test_a_seal_lies_beside_the_checkpoint(tmp_path: Path) -> None:
    file = write(tmp_path / "m.safetensors", VALUES)
    sealed = seal(file)
    assert sealed.seal == tmp_path / ".m.safetensors.seal.json"
    assert (sealed.tensors, sealed.files, sealed.bytes) == (2, 1, file.stat().st_size)
    assert sorted(tmp_path.iterdir()) == [sealed.seal, file]
    assert [each.path for each in checkpoints_in(tmp_path)] == [file]


def test_what_is_as_sealed_is_whole(tmp_path: Path) -> None:
    file = write(tmp_path / "m.safetensors", VALUES)
    seal(file)
    check = fsck(tmp_path)
    assert (check.findings, check.notes) == ((), ("1 checkpoint compared with 1 seal.",))


def test_without_a_seal_it_is_said_that_damage_goes_undetected(tmp_path: Path) -> None:
    assert fsck(write(tmp_path / "m.safetensors", VALUES)).notes == (
        "safetensors has no checksums: damaged values in 1 file go undetected, unless each save is "
        "sealed: `ckptcheck seal`.",
    )


def test_every_flipped_bit_is_found(tmp_path: Path) -> None:
    file = write(tmp_path / "m.safetensors", VALUES)
    seal(file)
    generator = random.Random(0)
    for _ in range(200):
        at, bit = generator.randrange(file.stat().st_size), generator.randrange(8)
        flip(file, at, bit)
        assert fsck(file).exit_code() in (1, 3), (at, bit)
        flip(file, at, bit)
    assert fsck(file).exit_code() == 0


def test_what_is_said_of_a_flipped_bit(tmp_path: Path) -> None:
    file = write(tmp_path / "m.safetensors", VALUES)
    sealed = json.loads(seal(file).seal.read_text())["sealed"]
    flip(file, file.stat().st_size - 1)
    (finding,) = fsck(file).findings
    assert finding.what == (
        f"m.safetensors is not as sealed on {sealed}, with 1 tensor that differs: b"
    )
    assert finding.effect == "a restore reads other values than were sealed"
    assert finding.remedy == (
        "copy it again, or restore an older checkpoint; if the change was meant, seal the "
        "checkpoint again"
    )


def test_several_files_are_sealed_as_one(tmp_path: Path) -> None:
    index = write_shards(tmp_path, [{"w": VALUES["w"]}, {"b": VALUES["b"]}])
    assert seal(index).files == 3
    shard = tmp_path / "model-00001-of-00002.safetensors"
    flip(shard, shard.stat().st_size - 1)
    (finding,) = fsck(tmp_path).findings
    assert finding.what.startswith(f"{shard.name} is not as sealed on ")
    assert finding.what.endswith(", with 1 tensor that differs: w")


def test_a_bundle_is_sealed_by_its_prefix(tmp_path: Path) -> None:
    prefix = bundles.write(tmp_path / "model.ckpt-1", {"w": np.ones(2)})
    assert seal(prefix).seal == tmp_path / ".model.ckpt-1.seal.json"
    assert fsck(tmp_path).exit_code() == 0


def test_a_file_that_is_gone_is_not_as_sealed(tmp_path: Path) -> None:
    index = write_shards(tmp_path, [{"w": VALUES["w"]}, {"b": VALUES["b"]}])
    seal(index)
    (tmp_path / "model-00001-of-00002.safetensors").unlink()
    assert "model-00001-of-00002.safetensors is missing, but was sealed on " in " ".join(
        finding.what for finding in fsck(index).findings
    )


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"ckptcheck_seal": 2}', '{"ckptcheck_seal": 1, "sealed": 3}']
)
def test_a_seal_that_is_damaged(text: str, tmp_path: Path) -> None:
    file = write(tmp_path / "m.safetensors", VALUES)
    seal(file).seal.write_text(text)
    (finding,) = fsck(file).findings
    assert (finding.grade, finding.what) == ("unknown", "The seal cannot be read")


def test_a_seal_that_names_a_file_elsewhere_is_not_followed(tmp_path: Path) -> None:
    file = write(tmp_path / "m.safetensors", VALUES)
    place = seal(file).seal
    document = json.loads(place.read_text())
    document["files"] = {"../../etc/passwd": {"bytes": 1, "xxh3_128": ""}}
    place.write_text(json.dumps(document))
    (finding,) = fsck(file).findings
    assert finding.what == "The seal cannot be read"


def test_a_seal_whose_checkpoint_is_gone(tmp_path: Path) -> None:
    write(tmp_path / "a.safetensors", VALUES)
    seal(write(tmp_path / "b.safetensors", VALUES))
    (tmp_path / "b.safetensors").unlink()
    (finding,) = fsck(tmp_path).findings
    gone = "The checkpoint of a seal is missing: it was deleted, moved or renamed"
    assert (finding.grade, finding.what) == ("look", gone)
    (tmp_path / "a.safetensors").unlink()
    assert fsck(tmp_path).findings == (finding,)


def test_what_is_damaged_is_not_sealed(tmp_path: Path) -> None:
    file = write(tmp_path / "m.safetensors", VALUES)
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(DamagedError):
        seal(file)
    assert list(tmp_path.iterdir()) == [file]


def test_a_seal_that_cannot_be_written_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write(tmp_path / "m.safetensors", VALUES)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="No space left"):
        seal(file)
    assert list(tmp_path.iterdir()) == [file]
