"""Folders with a planted fault, and the findings of `fsck`."""

import math
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ckptcheck.filetools.fsck import fsck
from ckptcheck.filetools.fsck_findings import LOOK, WRONG, Finding
from tests.checkpoints.bundles import Value, sealed, write, write_state

NOTHING_FOUND = (
    "tf.train.latest_checkpoint returns None, and most jobs then start over without an error"
)


def tensors(step: int) -> dict[str, Value]:
    drawn = np.random.default_rng(step).normal(size=(3, 4)).astype("float32")
    return {
        "bias": drawn[0],
        "global_step": np.array(step),
        "kernel": drawn,
        "vocabulary": [b"a", b"b"],
    }


def found_in(folder: Path, path: Path | None = None) -> list[Finding]:
    """Check a folder, or a path in it, and return the findings with paths relative to the folder."""
    findings = fsck(path or folder).findings
    return [
        Finding(
            *(getattr(each, name).replace(f"{folder}/", "") for name in each.__dataclass_fields__)
        )
        for each in findings
    ]


def data_of(folder: Path, step: int = 10) -> Path:
    return folder / f"model.ckpt-{step}.data-00000-of-00001"


def index_of(folder: Path, step: int = 10) -> Path:
    return folder / f"model.ckpt-{step}.index"


Plant = Callable[[Path], object]

PLANTED: dict[str, tuple[Plant, list[Finding]]] = {}


def planted(*findings: Finding) -> Callable[[Plant], Plant]:
    def keep(plant: Plant) -> Plant:
        PLANTED[plant.__name__.replace("_", " ")] = (plant, list(findings))
        return plant

    return keep


GO_BACK = "restore an older checkpoint that is whole"

STALE = Finding(
    WRONG,
    "The state file names a checkpoint that does not exist: model.ckpt-10",
    "checkpoint",
    NOTHING_FOUND,
    'name an existing checkpoint: model_checkpoint_path: "model.ckpt-5"',
)


@planted(
    Finding(
        WRONG,
        "1 tensor damaged (kernel): the checksum of its 48 bytes does not match the index: "
        "the data are corrupt, or from a different save",
        "model.ckpt-10.data-00000-of-00001, from byte 24",
        "a restore raises",
        f"copy the file again, or {GO_BACK}",
    )
)
def a_byte_changed(folder: Path) -> None:
    path = data_of(folder)
    content = path.read_bytes()
    path.write_bytes(content[:30] + bytes([content[30] ^ 1]) + content[31:])


@planted(
    Finding(
        WRONG,
        "The file is truncated: 2 tensors beyond its end (kernel, vocabulary)",
        "model.ckpt-10.data-00000-of-00001",
        "a restore raises",
        f"a save or copy was interrupted: copy the file again, or {GO_BACK}",
    )
)
def data_cut_off(folder: Path) -> None:
    path = data_of(folder)
    path.write_bytes(path.read_bytes()[:40])


@planted(
    Finding(
        WRONG,
        "Index and data are from different saves, or the data are corrupt throughout: the checksums of 3 of 4 tensors do not match "
        "(bias, global_step, kernel)",
        "model.ckpt-10.data-00000-of-00001",
        "a restore raises",
        f"{GO_BACK}; a save that overwrote this prefix was interrupted: give each save its own "
        "prefix (global_step=…, CheckpointManager)",
    )
)
def index_and_data_of_two_saves(folder: Path) -> None:
    shutil.copy(data_of(folder, 5), data_of(folder))


@planted(
    Finding(
        WRONG,
        "A data file is missing, with 4 tensors",
        "model.ckpt-10.data-00000-of-00001",
        "a restore raises; TensorFlow's message blames variable names instead",
        f"copy the missing files from the original folder, or {GO_BACK}",
    )
)
def data_missing(folder: Path) -> None:
    data_of(folder).unlink()


@planted(
    Finding(
        WRONG,
        "The file does not end as TensorFlow's do: it is truncated, or a different file",
        "model.ckpt-10.index, byte 52",
        "a restore raises",
        f"copy model.ckpt-10.* again, or {GO_BACK}",
    )
)
def index_torn(folder: Path) -> None:
    index_of(folder).write_bytes(index_of(folder).read_bytes()[:100])


@planted(
    Finding(
        WRONG,
        "The file is empty",
        "model.ckpt-10.index",
        "a restore raises",
        f"copy or download it again; if a save was interrupted, {GO_BACK}",
    )
)
def index_empty(folder: Path) -> None:
    index_of(folder).write_bytes(b"")


@planted(
    Finding(
        WRONG,
        "NaN in 2 tensors: bias (1 of 4), kernel (2 of 12)",
        "model.ckpt-10",
        "a restore succeeds, but whatever is computed from these tensors is NaN",
        "restore a checkpoint without NaN; check tensors before each save (tf.debugging.check_numerics, torch.isfinite)",
    ),
    Finding(
        LOOK,
        "Infinite values in 1 tensor: kernel (1 of 12)",
        "model.ckpt-10",
        "a restore succeeds; infinity may be intended (a mask, the best loss so far)",
        "check that infinity is intended there",
    ),
)
def nan_and_infinity(folder: Path) -> None:
    bias, kernel = np.ones(4, "float32"), np.ones((3, 4), "float32")
    bias[0] = kernel[1, 1] = kernel[2, 2] = math.nan
    kernel[0, 0] = -math.inf
    write(folder / "model.ckpt-10", tensors(10) | {"bias": bias, "kernel": kernel})


@planted(
    Finding(
        LOOK,
        "The name says step 10, but the checkpoint's global_step is 5",
        "model.ckpt-10",
        "code that takes the step from the name continues at the wrong step",
        "take the step from the restored state; check whether the files were renamed",
    )
)
def renamed(folder: Path) -> None:
    write(folder / "model.ckpt-10", tensors(5))


@planted(
    Finding(
        LOOK,
        "3 bytes after the last tensor",
        "model.ckpt-10.data-00000-of-00001",
        "none: restores ignore them",
        "check where the file comes from: it is longer than its index says",
    )
)
def data_too_long(folder: Path) -> None:
    data_of(folder).write_bytes(data_of(folder).read_bytes() + b"xyz")


@planted(
    Finding(
        WRONG,
        "The checksum of a block of 8 bytes does not match: the index is corrupt",
        "model.ckpt-10.index, byte 137",
        "a restore raises",
        f"copy model.ckpt-10.* again, or {GO_BACK}",
    )
)
def a_block_that_no_restore_reads(folder: Path) -> None:
    """No restore reads the metaindex, but its damage suggests more."""
    content = index_of(folder).read_bytes()
    at = content.rindex(sealed(bytes(4) + (1).to_bytes(4, "little")))
    index_of(folder).write_bytes(content[:at] + b"\1" + content[at + 1 :])


def interrupted(name: str) -> Finding:
    what = "A temporary file of a save that was interrupted"
    return Finding(
        LOOK,
        what,
        name,
        "none: restores ignore it",
        "delete it, unless a process is saving there now",
    )


TEMPORARY = [
    "checkpoint.tmp0123456789abcdef0123456789abcdef",
    "ckpt-3_temp",
    "model.ckpt-15.data-00000-of-00001.tempstate17",
    "model.ckpt-15.index.tempstate17",
    "model.ckpt-15_temp_0123456789abcdef0123456789abcdef",
]


@planted(
    Finding(
        LOOK,
        "1 data file without an index: a save or deletion was interrupted, or the index was not copied",
        "model.ckpt-10.data-00000-of-00001",
        "model.ckpt-10 cannot be restored",
        "copy model.ckpt-10.index too: without it, the data cannot be read",
    ),
    STALE,
)
def index_missing(folder: Path) -> None:
    index_of(folder).unlink()


@planted(
    Finding(
        LOOK,
        "1 data file of this prefix not listed in its index",
        "model.ckpt-10.data-00000-of-00002",
        "none: restores ignore them",
        "leftovers of an earlier save with a different number of files: delete them",
    )
)
def data_of_an_earlier_save(folder: Path) -> None:
    (folder / "model.ckpt-10.data-00000-of-00002").touch()


@planted(*map(interrupted, TEMPORARY))
def interrupted_saves(folder: Path) -> None:
    for name in TEMPORARY:
        if "_temp" in name:
            (folder / name).mkdir()
            (folder / name / "part-00000-of-00001.data-00000-of-00001").touch()
        else:
            (folder / name).touch()
    (folder / "my_temp").mkdir()
    (folder / "my_temp" / "notes").touch()  # not part of a save


@planted(
    Finding(
        LOOK,
        "There is no state file for 2 checkpoints",
        "checkpoint",
        NOTHING_FOUND,
        'create it: model_checkpoint_path: "model.ckpt-10"',
    )
)
def no_state_file(folder: Path) -> None:
    (folder / "checkpoint").unlink()


@planted(
    Finding(
        WRONG,
        "The state file cannot be read: there is no model_checkpoint_path; the file is empty, or a write was interrupted",
        "checkpoint",
        NOTHING_FOUND,
        'replace its content: model_checkpoint_path: "model.ckpt-10"',
    )
)
def state_file_empty(folder: Path) -> None:
    (folder / "checkpoint").write_bytes(b"")


@planted(
    Finding(
        WRONG,
        "The state file names model.ckpt-5, but model.ckpt-10 is newer and whole",
        "checkpoint",
        "a restore takes model.ckpt-5: the state file is older than the last save",
        'name the newest checkpoint: model_checkpoint_path: "model.ckpt-10"',
    )
)
def state_file_of_an_older_step(folder: Path) -> None:
    write_state(folder, "model.ckpt-5")


@planted(
    Finding(
        WRONG,
        "The state file names a checkpoint that does not exist: model.ckpt-15",
        "checkpoint",
        NOTHING_FOUND,
        'name an existing checkpoint: model_checkpoint_path: "model.ckpt-10"',
    )
)
def state_file_of_what_is_not_there(folder: Path) -> None:
    write_state(folder, "model.ckpt-15")


@planted(
    Finding(
        WRONG,
        "The state file names a checkpoint that does not exist: /gone/model.ckpt-10; this folder has one of that name",
        "checkpoint",
        NOTHING_FOUND,
        'name an existing checkpoint: model_checkpoint_path: "model.ckpt-10"',
    )
)
def copied_from_what_is_gone(folder: Path) -> None:
    write_state(folder, "/gone/model.ckpt-10")


@planted(
    Finding(
        LOOK,
        "The state file lists model.ckpt-1, which does not exist",
        "checkpoint",
        "none, unless you restore it by name; CheckpointManager still counts it",
        'delete the line all_model_checkpoint_paths: "model.ckpt-1"',
    )
)
def state_file_lists_what_is_gone(folder: Path) -> None:
    write_state(folder, "model.ckpt-10", "model.ckpt-1", "model.ckpt-10")
