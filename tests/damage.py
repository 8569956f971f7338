"""Every damage of small checkpoints, saved by TensorFlow and Keras.

    python -m tests.damage

Each bit is flipped, each byte inverted, the file truncated at each length, missing, or from a
different save. Each read must give the right values, or an error that names a file of the
checkpoint; never wrong values, a different exception, a hang, or much memory. `fsck` must not call
unreadable files whole. `.weights.h5` has no checksums, so its values may be wrong, and only a sample
of its damage is tried.
"""

import contextlib
import os
import resource
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from ckptcheck.checkpoints import DamagedError, open_checkpoint
from ckptcheck.errors import UsageError
from ckptcheck.filetools.fsck import fsck

RIGHT, REFUSED = "right values", "refused"
SLOW = 5.0  # seconds for one read; it takes a millisecond
# Keras files are larger, and each HDF5 read starts a process: only every so many damages are tried.
EVERY = {"keras": 13, "weights": 499}
MEMORY = 1 << 29  # bytes, in addition to those at the start of the process

Values = dict[str, tuple[str, tuple[int, ...], bytes]]


@dataclass(frozen=True)
class Damage:
    """A changed file of a checkpoint; without content, the file is missing."""

    what: str
    file: str
    content: bytes | None


def damages(folder: Path, other: Path, every: int = 1) -> Iterator[Damage]:
    """Yield every damage of a folder's files, or one of `every`; `other` has a later save under the same names."""
    files = sorted(folder.iterdir())
    yield from islice(_in_files(files), 0, None, every)
    in_parts = sum(path.name != "checkpoint" for path in files) > 1
    for path in files:
        yield Damage("missing", path.name, None)
        if in_parts:  # a checkpoint in one file of another save is another checkpoint
            yield Damage("of another save", path.name, (other / path.name).read_bytes())


def _in_files(files: list[Path]) -> Iterator[Damage]:
    for path in files:
        content, name = path.read_bytes(), path.name
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
    folder: Path, path: Path, damage: Damage, truth: Values, *, trusted: bool = True
) -> str:
    """Damage a checkpoint, read it, repair it, and return the outcome.

    Args:
        folder, path: the checkpoint's folder, and the path to open.
        damage: the damage to do.
        truth: the checkpoint's values.
        trusted: whether wrong values are a failure, because the format has checksums.
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
        wrong = (
            fsck(folder).exit_code(strict=damage.content is None) if any(folder.iterdir()) else 1
        )
        assert found is not None or wrong, f"{damage.file}, {damage.what}: fsck finds nothing"
        assert time.monotonic() - started < SLOW, f"{damage.file}, {damage.what}: slow"
        return REFUSED if found is None else RIGHT if found == truth else "not known: no checksums"
    finally:
        file.write_bytes(whole)


def _read(folder: Path, path: Path, damage: Damage) -> Values | None:
    try:
        return values(path)
    except DamagedError as error:
        if error.file.parent != folder or str(error.file) not in str(error):
            raise AssertionError(
                f"{damage.file}, {damage.what}: {error} does not name the file"
            ) from error
        return None
    except UsageError:
        assert damage.content is None, f"{damage.file}, {damage.what}: not found"
        return None


# --- Checkpoints to damage ------------------------------------------------------------------------


def save(kind: str, folder: Path, step: int) -> Path:
    """Save a small checkpoint with TensorFlow or Keras, and return the path to open."""
    folder.mkdir(parents=True)
    return {
        "saver": _saver,
        "tracked": _tracked,
        "v1": _v1,
        "keras": _keras,
        "weights": _keras,
    }[kind](folder, step, kind)


def _saver(folder: Path, step: int, kind: str) -> Path:
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


def _v1(folder: Path, step: int, kind: str) -> Path:
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


def _tracked(folder: Path, step: int, kind: str) -> Path:
    """An object graph, and an iterator."""
    import tensorflow as tf

    batches = iter(tf.data.Dataset.range(3 + step))
    next(batches)
    checkpoint = tf.train.Checkpoint(
        layer=tf.Module(), weight=tf.Variable([1.0 * step, 2.0]), batches=batches
    )
    checkpoint.layer.bias = tf.Variable([float("nan")])
    return Path(checkpoint.write(str(folder / "ckpt")))


def _keras(folder: Path, step: int, kind: str) -> Path:
    import keras

    keras.utils.set_random_seed(step)
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    if kind == "keras":
        model.save(folder / "model.keras")
        return folder / "model.keras"
    model.save_weights(folder / "model.weights.h5")
    return folder / "model.weights.h5"


def main() -> int:
    """Try every damage of every kind of checkpoint."""
    failed = 0
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        made = {
            kind: [save(kind, root / kind / str(step), step) for step in (1, 2)]
            for kind in ("saver", "tracked", "v1", "keras", "weights")
        }
        pages = (
            int(Path("/proc/self/statm").read_text().split()[0])
            if Path("/proc/self/statm").exists()
            else 0
        )
        if pages:
            resource.setrlimit(
                resource.RLIMIT_AS,
                (pages * os.sysconf("SC_PAGESIZE") + MEMORY, resource.RLIM_INFINITY),
            )
        for kind, (path, other) in made.items():
            found = Counter[str]()
            truth = values(path)
            folder, later = (each if each.is_dir() else each.parent for each in (path, other))
            for damage in damages(folder, later, EVERY.get(kind, 1)):
                try:
                    found[outcome(folder, path, damage, truth, trusted=kind != "weights")] += 1
                except Exception as error:
                    failed += 1
                    print(
                        f"FAILED {kind}: {damage.file}, {damage.what}: {type(error).__name__}: {error}",
                        flush=True,
                    )
            print(
                f"{kind:<8} {sum(found.values()):,}: {', '.join(f'{count:,} {what}' for what, count in found.items())}",
                flush=True,
            )
        with contextlib.suppress(OSError):
            shutil.rmtree(root)
    print(f"{failed:,} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
