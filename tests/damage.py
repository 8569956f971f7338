"""Every damage of small checkpoints, saved by TensorFlow, Keras, PyTorch and others.

    python -m tests.damage [--sample] [KIND…]

Each bit is flipped, each byte inverted, the file truncated at each length, missing, or from a
different save. Each read must give the right values, or an error that names a file of the
checkpoint; never wrong values, a different exception, a hang, or much memory. `fsck` must not call
unreadable files whole. Formats without checksums may give other values; there, all is done once more
with a seal, which must show any damage. Of large files only a sample of the damage is tried. What is
saved by a framework that is not installed is left out, and named. `--sample` tries a seventh.
"""

import contextlib
import os
import resource
import shutil
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import Any

from ckptcheck.checkpoints import DamagedError, open_checkpoint
from ckptcheck.errors import UsageError
from ckptcheck.filetools.fsck import fsck
from ckptcheck.filetools.seal import is_seal, seal

SAMPLE = "--sample"
RIGHT, REFUSED = "right values", "refused"
SLOW = 5.0  # seconds for one read; it takes a millisecond
MEMORY = 1 << 29  # bytes, in addition to those at the start of the process

Values = dict[str, tuple[str, tuple[int, ...], bytes]]


@dataclass(frozen=True)
class Saved:
    """A kind of checkpoint to damage: how it is saved, by which framework."""

    name: str
    framework: str  # a module; empty: none
    save: Callable[[Path, int], Path]
    every: int = 1  # of so many damages, one is tried: of large files, or slow ones
    trusted: bool = True  # no damage gives other values: each has a checksum


@dataclass(frozen=True)
class Damage:
    """A changed file of a checkpoint; without content, the file is missing."""

    what: str
    file: str
    content: bytes | None


def damages(folder: Path, other: Path, every: int = 1) -> Iterator[Damage]:
    """Yield every damage of a folder's files, or one of `every`; `other` has a later save under the same names."""
    files = sorted(file for file in folder.rglob("*") if file.is_file() and not is_seal(file.name))
    yield from islice(_in_files(files, folder), 0, None, every)
    in_parts = sum(path.name != "checkpoint" for path in files) > 1
    for path in files:
        name = str(path.relative_to(folder))
        yield Damage("missing", name, None)
        if in_parts and (other / name).exists():  # one file of another save is another checkpoint
            content = (other / name).read_bytes()
            if content != path.read_bytes():
                yield Damage("of another save", name, content)


def _in_files(files: list[Path], folder: Path) -> Iterator[Damage]:
    for path in files:
        content, name = path.read_bytes(), str(path.relative_to(folder))
        for at, byte in enumerate(content):
            for turned in (*(1 << bit for bit in range(8)), 0xFF):
                yield Damage(
                    f"byte {at} ^ {turned:#04x}",
                    name,
                    content[:at] + bytes([byte ^ turned]) + content[at + 1 :],
                )
        for length in range(len(content)):
            yield Damage(f"cut off at {length}", name, content[:length])


def values(path: Path) -> Values:
    """Read all values of a checkpoint."""
    checkpoint = open_checkpoint(path)
    found = {}
    for key, entry in checkpoint.entries.items():
        content = (
            b"\0".join(checkpoint.texts(entry))
            if entry.dtype is None
            else checkpoint.value(entry).tobytes()
        )
        found[key] = (entry.type, entry.shape, content)
    return found


def outcome(
    folder: Path,
    path: Path,
    damage: Damage,
    truth: Values,
    *,
    trusted: bool = True,
    sealed: bool = False,
) -> str:
    """Damage a checkpoint, read it, repair it, and return the outcome.

    Args:
        folder, path: the checkpoint's folder, and the path to open.
        damage: the damage to do.
        truth: the checkpoint's values.
        trusted: whether wrong values are a failure, because the format has checksums.
        sealed: whether there is a seal, so that `fsck` must find any damage.
    """
    file = folder / damage.file
    whole = file.read_bytes()
    try:
        file.unlink() if damage.content is None else file.write_bytes(damage.content)
        started = time.monotonic()
        found = _read(folder, path, damage)
        if trusted and found is not None:
            assert found == truth, f"{damage.file}, {damage.what}: other values"
        # Data without an index are leftovers of an interrupted save, not a checkpoint.
        wrong = _is_wrong(folder, strict=damage.content is None)
        is_right = found is not None and not sealed
        assert is_right or wrong, f"{damage.file}, {damage.what}: fsck finds nothing"
        assert time.monotonic() - started < SLOW, f"{damage.file}, {damage.what}: slow"
        other = "seen by the seal" if sealed else "not known: no checksums"
        return REFUSED if found is None else RIGHT if found == truth else other
    finally:
        file.write_bytes(whole)


def _is_wrong(folder: Path, *, strict: bool) -> bool:
    try:
        return fsck(folder).exit_code(strict) != 0
    except UsageError:  # nothing is left of it
        return True


def _read(folder: Path, path: Path, damage: Damage) -> Values | None:
    try:
        return values(path)
    except DamagedError as error:
        is_here = folder in (error.file, *error.file.parents)
        if not is_here or str(error.file) not in str(error):
            raise AssertionError(
                f"{damage.file}, {damage.what}: {error} does not name the file"
            ) from error
        return None
    except UsageError:
        assert damage.content is None, f"{damage.file}, {damage.what}: not found"
        return None


# --- Checkpoints to damage ------------------------------------------------------------------------


def _saver(folder: Path, step: int) -> Path:
    """Two data files, text, a partitioned variable, types smaller than a byte."""
    import ml_dtypes
    import numpy as np
    import tensorflow as tf

    parts = [folder.with_name(f"{folder.name}-{part}") for part in range(2)]
    first = [
        tf.range(step, step + 5, dtype=tf.float32),
        tf.constant([b"text", b"", b"more"]),
        tf.constant(np.array([1, 2, 3], ml_dtypes.int4)),
    ]
    halves = [tf.fill([2, 3], float(step)), tf.fill([1, 3], -1.0)]
    _save(parts[0], ["range", "text", "small"], ["", "", ""], first)
    _save(
        parts[1],
        ["cut", "cut", "step"],
        ["3 3 0,2:-", "3 3 2,1:-", ""],
        [*halves, tf.constant(np.int64(step))],
    )
    whole = folder / "model.ckpt"
    tf.raw_ops.MergeV2Checkpoints(
        checkpoint_prefixes=[str(each) for each in parts],
        destination_prefix=str(whole),
        delete_old_dirs=False,
    )
    return whole


def _save(prefix: Path, names: list[str], slices: list[str], tensors: list[object]) -> None:
    import tensorflow as tf

    tf.raw_ops.SaveV2(
        prefix=str(prefix), tensor_names=names, shape_and_slices=slices, tensors=tensors
    )


def _v1(folder: Path, step: int) -> Path:
    """A V1 checkpoint, and the state file without which a torn one cannot be recognised."""
    import numpy as np
    import tensorflow as tf

    tf.raw_ops.SaveSlices(
        filename=str(folder / "model.ckpt-1"),
        tensor_names=["range", "text", "cut", "cut", "small"],
        shapes_and_slices=["", "", "3 3 0,2:-", "3 3 2,1:-", ""],
        data=[
            tf.range(step, step + 5, dtype=tf.int32),
            tf.constant([b"text", b"", b"more"]),
            tf.fill([2, 3], float(step)),
            tf.fill([1, 3], -1.0),
            tf.constant(np.array([1.5, -2.0], np.float16)),
        ],
    )
    (folder / "checkpoint").write_text('model_checkpoint_path: "model.ckpt-1"\n')
    return folder


def _tracked(folder: Path, step: int) -> Path:
    """An object graph, and an iterator."""
    import tensorflow as tf

    batches = iter(tf.data.Dataset.range(3 + step))
    next(batches)
    checkpoint = tf.train.Checkpoint(
        layer=tf.Module(), weight=tf.Variable([1.0 * step, 2.0]), batches=batches
    )
    checkpoint.layer.bias = tf.Variable([float("nan")])
    return Path(checkpoint.write(str(folder / "ckpt")))


def _keras(folder: Path, step: int) -> Path:
    _model(step).save(folder / "model.keras")
    return folder / "model.keras"


def _weights(folder: Path, step: int) -> Path:
    _model(step).save_weights(folder / "model.weights.h5")
    return folder / "model.weights.h5"


def _model(step: int) -> Any:
    import keras

    keras.utils.set_random_seed(step)
    return keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])


def _orbax(folder: Path, step: int) -> Path:
    return _of_orbax(folder, step, is_ocdbt=True)


def _zarr(folder: Path, step: int) -> Path:
    return _of_orbax(folder, step, is_ocdbt=False)


def _of_orbax(folder: Path, step: int, *, is_ocdbt: bool) -> Path:
    import numpy as np

    from tests.checkpoints.orbax.writer import item

    values = np.arange(step, step + 2000, dtype=np.float32)
    return item(folder, {"params/w": values, "step": np.array(step)}, is_ocdbt=is_ocdbt)


def _safetensors(folder: Path, step: int) -> Path:
    """Two shards and their index."""
    import numpy as np

    from tests.checkpoints.safetensors.writer import write_shards

    values = np.arange(step, step + 6, dtype=np.float32).reshape(2, 3)
    return write_shards(folder, [{"whole": values}, {"half": values.astype(np.float16)}])


def _state(step: int) -> dict[str, Any]:
    """Tensors of several types and strides, one storage twice, numbers, text, an optimizer."""
    import torch

    values = torch.arange(step, step + 6.0).reshape(2, 3)
    weight = torch.nn.Parameter(values.clone())
    optimizer = torch.optim.SGD([weight], momentum=0.5)
    weight.sum().backward()
    optimizer.step()
    return {
        "model": {"weight": weight.detach(), "tied": weight.detach(), "half": values.bfloat16()},
        "turned": values.t(),
        "optimizer": optimizer.state_dict(),
        "epoch": step,
        "name": f"run {step}",
    }


def _torch(folder: Path, step: int) -> Path:
    import torch

    torch.save(_state(step), folder / "saved.pt")
    return folder / "saved.pt"


def _dcp(folder: Path, step: int) -> Path:
    import torch.distributed.checkpoint as dcp

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that no process group is there
        dcp.save(_state(step), checkpoint_id=folder)
    return folder


# Damage to the metadata of DCP and Orbax, and to an index of safetensors, shows in a seal only.
KINDS = (
    Saved("saver", "tensorflow", _saver),
    Saved("tracked", "tensorflow", _tracked),
    Saved("v1", "tensorflow", _v1),
    Saved("keras", "keras", _keras, every=13),
    Saved("weights", "keras", _weights, every=499, trusted=False),
    Saved("safetensors", "", _safetensors, trusted=False),
    Saved("orbax", "tensorstore", _orbax, every=997, trusted=False),
    Saved("zarr", "tensorstore", _zarr, every=997, trusted=False),
    Saved("torch", "torch", _torch, every=17),
    Saved("dcp", "torch", _dcp, every=61, trusted=False),
)


def main() -> int:
    """Try every damage of every kind of checkpoint."""
    arguments = [each for each in sys.argv[1:] if each != SAMPLE]
    named = arguments or [kind.name for kind in KINDS]
    every = 7 if SAMPLE in sys.argv else 1
    wanted = [kind for kind in KINDS if kind.name in named]
    kinds = [kind for kind in wanted if not kind.framework or find_spec(kind.framework)]
    failed = 0
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        made = [
            (
                kind,
                save(kind.name, root / kind.name / "1", 1),
                save(kind.name, root / kind.name / "2", 2),
            )
            for kind in kinds
        ]
        _bound_memory()
        for kind, path, other in made:
            failed += _try(kind, path, other, every)
            if not kind.trusted:
                seal(path)
                failed += _try(kind, path, other, 7 * every, sealed=True)
        with contextlib.suppress(OSError):
            shutil.rmtree(root)
    absent = {kind.name: kind.framework for kind in wanted if kind not in kinds}
    for each, framework in absent.items():
        print(f"{each:<11} not tried: {framework} is not installed")
    print(f"{failed:,} failed")
    return 1 if failed else 0


def save(name: str, folder: Path, step: int) -> Path:
    """Save a small checkpoint of a kind, and return the path to open."""
    folder.mkdir(parents=True)
    return next(kind for kind in KINDS if kind.name == name).save(folder, step)


def _bound_memory() -> None:
    sizes = Path("/proc/self/statm")
    if sizes.exists():
        now = int(sizes.read_text().split()[0]) * os.sysconf("SC_PAGESIZE")
        resource.setrlimit(resource.RLIMIT_AS, (now + MEMORY, resource.RLIM_INFINITY))


def _try(kind: Saved, path: Path, other: Path, every: int, *, sealed: bool = False) -> int:
    """Try the damage of one kind, or one of `every`; print what came of it, return the failures."""
    found, failed = Counter[str](), 0
    truth = values(path)
    folder, later = (each if each.is_dir() else each.parent for each in (path, other))
    for damage in damages(folder, later, kind.every * every):
        try:
            trusted = kind.trusted
            found[outcome(folder, path, damage, truth, trusted=trusted, sealed=sealed)] += 1
        except Exception as error:
            failed += 1
            what = f"{damage.file}, {damage.what}: {type(error).__name__}: {error}"
            print(f"FAILED {kind.name}: {what}", flush=True)
    name = f"{kind.name}{', sealed' if sealed else ''}"
    counts = ", ".join(f"{count:,} {what}" for what, count in found.items())
    print(f"{name:<19} {sum(found.values()):,}: {counts}", flush=True)
    return failed


if __name__ == "__main__":
    sys.exit(main())
