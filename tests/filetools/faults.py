"""Folders with a fault planted, and what `fsck` finds in them."""

import math
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ckptcheck.filetools import Finding, fsck
from ckptcheck.filetools.fsck_findings import LOOK, WRONG
from tests.checkpoints.bundles import Value, sealed, write, write_state

NOTHING_FOUND = "tf.train.latest_checkpoint finds nothing: a job that restores where it can begins anew, without an error"


def tensors(step: int) -> dict[str, Value]:
    drawn = np.random.default_rng(step).normal(size=(3, 4)).astype("float32")
    return {
        "bias": drawn[0],
        "global_step": np.array(step),
        "kernel": drawn,
        "vocabulary": [b"a", b"b"],
    }


def found_in(folder: Path, path: Path | None = None) -> list[Finding]:
    """Check a folder, or a path in it, and return the findings with places told from the folder on."""
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


GO_BACK = "go back to a checkpoint that is whole"

STALE = Finding(
    WRONG,
    "It names a checkpoint that does not exist: model.ckpt-10",
    "checkpoint",
    NOTHING_FOUND,
    'name one that is there: model_checkpoint_path: "model.ckpt-5"',
)


@planted(
    Finding(
        WRONG,
        "1 tensor cannot be trusted (kernel): its 48 bytes do not have the checksum that the index holds: "
        "the data are corrupt, or of another save",
        "model.ckpt-10.data-00000-of-00001, from byte 24",
        "a restore of it raises",
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
        "The file is too short: 2 tensors reach beyond its end (kernel, vocabulary)",
        "model.ckpt-10.data-00000-of-00001",
        "a restore of it raises",
        f"its writing or copying was interrupted: copy it again, or {GO_BACK}",
    )
)
def data_cut_off(folder: Path) -> None:
    path = data_of(folder)
    path.write_bytes(path.read_bytes()[:40])


@planted(
    Finding(
        WRONG,
        "Index and data are of different saves, or the data are corrupt throughout: 3 of 4 tensors do not have their checksums "
        "(bias, global_step, kernel)",
        "model.ckpt-10.data-00000-of-00001",
        "a restore of it raises",
        "a save under a prefix that was there already was interrupted: restore an older checkpoint, and let each save have a "
        "prefix of its own (global_step=…, CheckpointManager)",
    )
)
def index_and_data_of_two_saves(folder: Path) -> None:
    shutil.copy(data_of(folder, 5), data_of(folder))


@planted(
    Finding(
        WRONG,
        "The file is missing, and 4 tensors with it",
        "model.ckpt-10.data-00000-of-00001",
        "a restore of it raises; TensorFlow's message blames the names of variables",
        f"copy what is missing from where the checkpoint was made, or {GO_BACK}",
    )
)
def data_missing(folder: Path) -> None:
    data_of(folder).unlink()


@planted(
    Finding(
        WRONG,
        "The file does not end like an index: it is cut off, or another kind of file",
        "model.ckpt-10.index, byte 52",
        "a restore of it raises",
        f"delete model.ckpt-10.*, and {GO_BACK}",
    )
)
def index_torn(folder: Path) -> None:
    index_of(folder).write_bytes(index_of(folder).read_bytes()[:100])


@planted(
    Finding(
        WRONG,
        "The file has 0 bytes, too few for an index; its writing was interrupted",
        "model.ckpt-10.index",
        "a restore of it raises",
        f"delete model.ckpt-10.*, and {GO_BACK}",
    )
)
def index_empty(folder: Path) -> None:
    index_of(folder).write_bytes(b"")


@planted(
    Finding(
        WRONG,
        "NaN in 2 tensors: bias (1 of 4), kernel (2 of 12)",
        "model.ckpt-10",
        "a restore goes through, and what is computed from these tensors is NaN",
        "go back to a checkpoint from before; check tensors before a save (tf.debugging.check_numerics)",
    ),
    Finding(
        LOOK,
        "Infinite values in 1 tensor: kernel (1 of 12)",
        "model.ckpt-10",
        "a restore goes through; whether infinity is meant there (a mask, a best loss so far) no file tells",
        "see that it is meant",
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
        "The name says 10, but no step in it does: global_step is 5",
        "model.ckpt-10",
        "what takes the step from the name goes on with another one than the state's",
        "take the step from the restored state; see whether files were renamed",
    )
)
def renamed(folder: Path) -> None:
    write(folder / "model.ckpt-10", tensors(5))


@planted(
    Finding(
        LOOK,
        "3 bytes behind the last tensor",
        "model.ckpt-10.data-00000-of-00001",
        "none: no restore reads them",
        "see where the file comes from: it is longer than its index says",
    )
)
def data_too_long(folder: Path) -> None:
    data_of(folder).write_bytes(data_of(folder).read_bytes() + b"xyz")


@planted(
    Finding(
        WRONG,
        "A block of 8 bytes does not have its checksum: the index is corrupt",
        "model.ckpt-10.index, byte 137",
        "a restore of it raises",
        f"delete model.ckpt-10.*, and {GO_BACK}",
    )
)
def a_block_that_no_restore_reads(folder: Path) -> None:
    """The metaindex: nobody asks for it, but who knows what else was changed."""
    content = index_of(folder).read_bytes()
    at = content.rindex(sealed(bytes(4) + (1).to_bytes(4, "little")))
    index_of(folder).write_bytes(content[:at] + b"\1" + content[at + 1 :])


def interrupted(name: str) -> Finding:
    what = "A save was interrupted before its files had their names"
    return Finding(
        LOOK, what, name, "none: no restore reads it", "delete it when no process is saving there"
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
        "1 data file without an index: a save or a deletion was interrupted, or the index was not copied",
        "model.ckpt-10.data-00000-of-00001",
        "model.ckpt-10 cannot be restored",
        "delete model.ckpt-10.data-*, or copy its index too",
    ),
    STALE,
)
def index_missing(folder: Path) -> None:
    index_of(folder).unlink()


@planted(
    Finding(
        LOOK,
        "1 data file of this prefix that its index does not count",
        "model.ckpt-10.data-00000-of-00002",
        "none: no restore reads them",
        "an earlier save in more or fewer files has left them: delete them",
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
    (folder / "my_temp" / "notes").touch()  # nothing of a save


@planted(
    Finding(
        LOOK,
        "There is no state file beside 2 checkpoints",
        "checkpoint",
        NOTHING_FOUND,
        'write one: model_checkpoint_path: "model.ckpt-10"',
    )
)
def no_state_file(folder: Path) -> None:
    (folder / "checkpoint").unlink()


@planted(
    Finding(
        WRONG,
        "The state file cannot be read: it names no checkpoint: it is empty, or its writing was interrupted",
        "checkpoint",
        NOTHING_FOUND,
        'write it anew: model_checkpoint_path: "model.ckpt-10"',
    )
)
def state_file_empty(folder: Path) -> None:
    (folder / "checkpoint").write_bytes(b"")


@planted(
    Finding(
        WRONG,
        "It names model.ckpt-5, and model.ckpt-10 is there and whole",
        "checkpoint",
        "a restore takes model.ckpt-5, an older one: the state file is not of the last save",
        'name the newest: model_checkpoint_path: "model.ckpt-10"',
    )
)
def state_file_of_an_older_step(folder: Path) -> None:
    write_state(folder, "model.ckpt-5")


@planted(
    Finding(
        WRONG,
        "It names a checkpoint that does not exist: model.ckpt-15",
        "checkpoint",
        NOTHING_FOUND,
        'name one that is there: model_checkpoint_path: "model.ckpt-10"',
    )
)
def state_file_of_what_is_not_there(folder: Path) -> None:
    write_state(folder, "model.ckpt-15")


@planted(
    Finding(
        WRONG,
        "It names a checkpoint that does not exist: /gone/model.ckpt-10, though there is one of that name here",
        "checkpoint",
        NOTHING_FOUND,
        'name one that is there: model_checkpoint_path: "model.ckpt-10"',
    )
)
def copied_from_what_is_gone(folder: Path) -> None:
    write_state(folder, "/gone/model.ckpt-10")


@planted(
    Finding(
        LOOK,
        "It lists model.ckpt-1, which is not there",
        "checkpoint",
        "none, as long as nobody asks for it; CheckpointManager counts it among those it keeps",
        'take the line out: all_model_checkpoint_paths: "model.ckpt-1"',
    )
)
def state_file_lists_what_is_gone(folder: Path) -> None:
    write_state(folder, "model.ckpt-10", "model.ckpt-1", "model.ckpt-10")
