"""The stock savers, and the fixed twin of each that loses data. Imports no framework."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec

from ckptcheck.counts import filled
from ckptcheck.errors import unknown

SUITE = "savers"


@dataclass(frozen=True)
class Saver:
    """A way to save and restore.

    Attributes:
        name: its name.
        summary: the calls that it makes.
        script: the module that has it in a table `SAVERS`.
        needs: the packages that it imports, or that write its files.
        fixes: the stock savers that it is the fixed twin of; empty: it is a stock saver.
    """

    name: str
    summary: str
    script: str
    needs: tuple[str, ...]
    fixes: tuple[str, ...] = ()


_FILE = "a temporary file, fsync, os.replace, fsync of the folder"
_FOLDER = "a temporary folder, fsync of all in it, os.replace, fsync of the folder above"


def _family(
    script: str, needs: tuple[str, ...], stock: dict[str, str], fixed: str | None
) -> tuple[Saver, ...]:
    """Return stock savers, and the one twin that fixes them all; None: they need none."""
    module = f"ckptcheck.jobs.savers.{script}"
    savers = [Saver(name, summary, module, needs) for name, summary in stock.items()]
    if fixed is not None:
        twin = f"{next(iter(stock))}-fixed"
        savers.append(Saver(twin, fixed, module, needs, tuple(stock)))
    return tuple(savers)


_TENSORFLOW, _TORCH = ("tensorflow",), ("torch",)
_KERAS = (*_TENSORFLOW, "keras", "h5py")
SAVERS: tuple[Saver, ...] = (
    *_family(
        "tf_saver",
        _TENSORFLOW,
        {
            "tf-saver": "tf.train.Saver, saver.save(session, path)",
            "tf-saver-step": "tf.train.Saver(max_to_keep=1), with global_step",
        },
        _FOLDER,
    ),
    *_family(
        "checkpoint_manager",
        _TENSORFLOW,
        {"checkpoint-manager": "tf.train.CheckpointManager(max_to_keep=1)"},
        _FOLDER,
    ),
    *_family("keras_files", _KERAS, {"keras-save": 'model.save("last.keras")'}, _FILE),
    *_family(
        "keras_files",
        _KERAS,
        {"keras-save-weights": 'model.save_weights("last.weights.h5")'},
        _FILE,
    ),
    *_family(
        "keras_files",
        _KERAS,
        {"model-checkpoint": 'keras.callbacks.ModelCheckpoint("last.keras")'},
        f"a callback: {_FILE}",
    ),
    *_family(
        "backup_and_restore",
        _KERAS,
        {
            "backup-and-restore": "keras.callbacks.BackupAndRestore",
            "backup-and-restore-double": "keras.callbacks.BackupAndRestore(double_checkpoint=True)",
        },
        f"a callback: {_FOLDER}",
    ),
    *_family(
        "torch_save",
        _TORCH,
        {
            "torch-save": "torch.save(state, path)",
            "torch-save-rename": "torch.save under a temporary name, os.replace",
        },
        _FILE,
    ),
    *_family(
        "safetensors_file",
        (*_TORCH, "safetensors"),
        {"safetensors": "safetensors.torch.save_file(tensors, path)"},
        _FILE,
    ),
    *_family("dcp", _TORCH, {"dcp": "torch.distributed.checkpoint.save to one folder"}, _FOLDER),
    *_family(
        "lightning_checkpoint",
        (*_TORCH, "lightning", "fsspec"),
        {
            "lightning": 'ModelCheckpoint(save_last=True), ckpt_path="last"',
            "lightning-other-disk": "the same call, temporary files on a different disk",
        },
        f"a CheckpointIO: {_FILE}",
    ),
    *_family(
        "hf_trainer",
        (*_TORCH, "transformers", "accelerate", "safetensors"),
        {"hf-trainer": "Trainer with save_total_limit=1, get_last_checkpoint"},
        "a callback: fsync of all, then a file that marks the checkpoint as whole",
    ),
)


def chosen(only: Sequence[str]) -> list[Saver]:
    """Return the savers of these names, each with its fixed twin; of no name: all.

    Raises:
        UsageError: There is no such saver.
    """
    names = {saver.name: saver for saver in SAVERS}
    for name in only:
        if name not in names:
            raise unknown("saver", name, names)
    return [each for each in SAVERS if not only or {each.name, *each.fixes} & {*only}]


def why_left_out(saver: Saver) -> str | None:
    """Return why a saver cannot be run here; None: its packages are installed."""
    missing = [each for each in saver.needs if find_spec(each) is None]
    if not missing:
        return None
    names = " and ".join(missing)
    return filled("{names} {count:is|are} not installed", names=names, count=len(missing))
