"""The checkpoint reader against TensorFlow's: everything TensorFlow saves is read bit for bit."""

from collections import Counter
from functools import partialmethod
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ckptcheck.arrays import Array
from ckptcheck.checkpoints import Checkpoint, open_checkpoint
from ckptcheck.checkpoints.tensor_bundle import bundle as tensor_bundle
from ckptcheck.filetools.fsck import fsck
from ckptcheck.kinds import Kind
from tests import damage
from tests.checkpoints import bundles

tf = pytest.importorskip("tensorflow")

keras = pytest.importorskip("keras")

TYPES = [
    *(
        np.dtype(name)
        for name in ("float16", "float32", "float64", "complex64", "complex128", "bool")
    ),
    *(np.dtype(f"{sign}int{width}") for sign in ("", "u") for width in (8, 16, 32, 64)),
    *(
        np.dtype(getattr(ml_dtypes, name))
        for name in (
            "bfloat16",
            "float8_e5m2",
            "float8_e4m3fn",
            "float8_e4m3fnuz",
            "float8_e4m3b11fnuz",
            "float8_e5m2fnuz",
            "int4",
            "uint4",
            "int2",
            "uint2",
            "float4_e2m1fn",
        )
    ),
]

SHAPES = st.lists(st.integers(0, 4), max_size=4).map(tuple)

NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30)


def values(dtype: np.dtype, shape: tuple[int, ...], seed: int) -> Array:
    """Return random bits as values of a type."""
    drawn = np.random.default_rng(seed).integers(
        0, 256, int(np.prod(shape)) * dtype.itemsize, np.uint8
    )
    if dtype.kind == "b" or "int2" in dtype.name or "int4" in dtype.name or "float4" in dtype.name:
        drawn %= 2
    return drawn.view(dtype).reshape(shape)


def save(prefix: Path, tensors: dict[str, Array], slices: dict[str, str] | None = None) -> None:
    names = list(tensors)
    given = [(slices or {}).get(name, "") for name in names]
    tf.raw_ops.SaveV2(
        prefix=str(prefix),
        tensor_names=names,
        shape_and_slices=given,
        tensors=[tf.constant(each) for each in tensors.values()],
    )


def as_tensorflow_reads(prefix: Path, name: str) -> Array:
    return np.asarray(tf.train.load_checkpoint(str(prefix)).get_tensor(name))


tensors = st.dictionaries(
    NAMES,
    st.tuples(st.sampled_from(TYPES), SHAPES, st.integers(0, 2**32 - 1)),
    min_size=1,
    max_size=6,
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(wanted=tensors)
def test_every_type_and_shape(
    wanted: dict[str, tuple[np.dtype, tuple[int, ...], int]], tmp_path: Path
) -> None:
    prefix = tmp_path / "any"
    saved = {name: values(*each) for name, each in wanted.items()}
    save(prefix, saved)
    found = open_checkpoint(prefix)
    assert set(found.entries) == set(saved)
    for name, value in saved.items():
        read = found.value(found.entries[name])
        theirs = as_tensorflow_reads(prefix, name)
        assert (read.dtype, read.shape, read.tobytes()) == (
            value.dtype,
            value.shape,
            value.tobytes(),
        )
        assert (theirs.shape, theirs.tobytes()) == (value.shape, value.tobytes())


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(texts=st.lists(st.binary(max_size=300), max_size=8))
def test_text(texts: list[bytes], tmp_path: Path) -> None:
    save(tmp_path / "text", {"texts": np.array(texts, object)})
    found = open_checkpoint(tmp_path / "text")
    assert (
        found.value(found.entries["texts"]).tolist()
        == texts
        == as_tensorflow_reads(tmp_path / "text", "texts").tolist()
    )


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(name=NAMES, rows=st.integers(2, 300), columns=st.integers(2, 300), data=st.data())
def test_slices_are_one_tensor(
    name: str, rows: int, columns: int, data: st.DataObject, tmp_path: Path
) -> None:
    value = values(np.dtype("float32"), (rows, columns), 0)
    row, column = data.draw(st.integers(1, rows - 1)), data.draw(st.integers(1, columns - 1))
    parts = [
        (slice(0, row), slice(0, column)),
        (slice(0, row), slice(column, columns)),
        (slice(row, rows), slice(0, columns)),
    ]
    texts = [f"0,{row}:0,{column}", f"0,{row}:{column},{columns - column}", f"{row},{rows - row}:-"]
    tf.raw_ops.SaveV2(
        prefix=str(tmp_path / "slices"),
        tensor_names=[name] * 3,
        shape_and_slices=[f"{rows} {columns} {text}" for text in texts],
        tensors=[tf.constant(value[part]) for part in parts],
    )
    found = open_checkpoint(tmp_path / "slices")
    (entry,) = found.entries.values()
    assert (entry.key, entry.shape, len(entry.pieces)) == (name, value.shape, 3)
    assert found.value(entry).tobytes() == value.tobytes()


def test_shards(tmp_path: Path) -> None:
    parts = [tmp_path / f"part-{number}" for number in range(3)]
    for number, part in enumerate(parts):
        save(part, {f"tensor-{number}": np.full((number + 1, 7), number, "float32")})
    tf.raw_ops.MergeV2Checkpoints(
        checkpoint_prefixes=[str(each) for each in parts],
        destination_prefix=str(tmp_path / "whole"),
        delete_old_dirs=False,
    )
    found = open_checkpoint(tmp_path / "whole")
    assert [each.name for each in found.files] == [
        "whole.index",
        *(f"whole.data-0000{number}-of-00003" for number in range(3)),
    ]
    for number in range(3):
        assert (found.value(found.entries[f"tensor-{number}"]) == number).all()


def test_an_index_of_many_blocks(tmp_path: Path) -> None:
    names = [f"layer_{number:05d}/{'x' * 200}/kernel" for number in range(12_000)]
    tf.raw_ops.SaveV2(
        prefix=str(tmp_path / "many"),
        tensor_names=names,
        shape_and_slices=[""] * len(names),
        tensors=[tf.constant(float(number)) for number in range(len(names))],
    )
    found = open_checkpoint(tmp_path / "many")
    assert [float(found.value(each)) for each in found.entries.values()] == list(range(len(names)))


def test_tensorflow_reads_what_the_tests_write(tmp_path: Path) -> None:
    """Tests of damage forge files with the encoder of bundles.py, which must write TensorFlow's format."""
    tensors = {
        f"t{number}": values(dtype, (2, 3), number)
        for number, dtype in enumerate(TYPES)
        if dtype.name in bundles.NUMBERS
    }
    prefix = bundles.write(tmp_path / "ours", {**tensors, "text": [b"one", b"", b"x" * 300]})
    for name, value in tensors.items():
        assert as_tensorflow_reads(prefix, name).tobytes() == value.tobytes()
    assert as_tensorflow_reads(prefix, "text").tolist() == [b"one", b"", b"x" * 300]
    grid = values(np.dtype("float32"), (4, 6), 0)
    cuts = [((0, 4), (0, 2)), ((0, 1), (2, 4)), ((1, 3), (2, 4))]
    assert (
        as_tensorflow_reads(bundles.write_sliced(tmp_path / "cut", "x", grid, cuts), "x").tobytes()
        == grid.tobytes()
    )


def test_a_snappy_index(tmp_path: Path) -> None:
    """TensorFlow's savers do not compress, but its reader, and so other writers, know Snappy."""
    tensors = {f"layer_{number}/kernel": values(TYPES[1], (3,), number) for number in range(300)}
    prefix = bundles.write(tmp_path / "packed", tensors)
    index = Path(f"{prefix}.index")
    plain = index.read_bytes()
    rows = {key.encode(): row.message() for key, row in bundles.rows_and_data(tensors)[0].items()}
    index.write_bytes(bundles.table([(b"", bundles.header()), *sorted(rows.items())], snappy=True))
    assert index.stat().st_size < 0.6 * len(plain)
    found = open_checkpoint(prefix)
    for name, value in tensors.items():
        assert found.value(found.entries[name]).tobytes() == value.tobytes()
        assert as_tensorflow_reads(prefix, name).tobytes() == value.tobytes()
    assert fsck(prefix).tensors == 300


def tracked(folder: Path) -> Checkpoint:
    """Save a typical program: a model with batch norm and Dropout (TensorFlow leaves out its seed), an optimizer with averages, a step, batches, a list."""
    keras.utils.clear_session()  # layer numbers are global to the process
    keras.utils.set_random_seed(0)
    layers = [
        keras.layers.Dense(3, name="hidden"),
        keras.layers.BatchNormalization(),
        keras.layers.Dropout(0.5),
    ]
    model = keras.Sequential([keras.Input((2,)), *layers])
    optimizer = keras.optimizers.Adam(use_ema=True)
    optimizer.build(model.trainable_variables)
    blocks = tf.Module()
    blocks.all = [tf.Variable([1.0, 2.0]), tf.Variable([3.0, 4.0])]
    batches = iter(tf.data.Dataset.range(5))
    step = tf.Variable(7, dtype=tf.int64)
    saved = tf.train.Checkpoint(
        model=model, optimizer=optimizer, step=step, batches=batches, blocks=blocks
    )
    return open_checkpoint(saved.save(str(folder / "ckpt")))


def test_readable_names_and_kinds(tmp_path: Path) -> None:
    found = tracked(tmp_path)
    kinds = {entry.name: entry.kind for entry in found.entries.values()}
    assert {name: kind for name, kind in kinds.items() if not name.startswith("adam/")} == {
        "sequential/hidden/kernel": Kind.WEIGHT,
        "sequential/hidden/bias": Kind.WEIGHT,
        "sequential/batch_normalization/gamma": Kind.WEIGHT,
        "sequential/batch_normalization/beta": Kind.WEIGHT,
        "sequential/batch_normalization/moving_mean": Kind.MOVING_STATISTIC,
        "sequential/batch_normalization/moving_variance": Kind.MOVING_STATISTIC,
        "blocks.all[0]": Kind.WEIGHT,
        "blocks.all[1]": Kind.WEIGHT,
        "batches (iterator state)": Kind.OTHER,
        "optimizer._iterations": Kind.COUNTER,
        "optimizer._learning_rate": Kind.HYPERPARAMETER,
        "step": Kind.COUNTER,
        "save_counter": Kind.COUNTER,
    }
    of_optimizer = [
        (name.rpartition("_")[2], kind) for name, kind in kinds.items() if name.startswith("adam/")
    ]
    assert Counter(of_optimizer) == {
        ("average", Kind.SHADOW): 4,
        ("momentum", Kind.SLOT): 4,
        ("velocity", Kind.SLOT): 4,
    }
    assert found.promised == ()


@pytest.mark.parametrize("kind", ["saver", "tracked"])
def test_damage(kind: str, tmp_path: Path) -> None:
    """A sample of the damage that `python -m tests.damage` tries in full."""
    path, other = (damage.save(kind, tmp_path / str(step), step) for step in (1, 2))
    truth = damage.values(path)
    found = [
        damage.outcome(path.parent, path, each, truth)
        for each in damage.damages(path.parent, other.parent, every=19)
    ]
    assert len(found) > 200
    assert found.count(damage.REFUSED) > 0.7 * len(found)


def test_a_reader_that_trusts_files_is_caught(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the reader skips checksums, the same sample yields wrong values."""
    path, other = (damage.save("saver", tmp_path / str(step), step) for step in (1, 2))
    truth = damage.values(path)
    monkeypatch.setattr(
        tensor_bundle.TensorBundle,
        "chunks",
        partialmethod(tensor_bundle.TensorBundle.chunks, verify=False),
    )
    some = damage.damages(path.parent, other.parent, every=19)
    with pytest.raises(AssertionError, match="other values"):
        [damage.outcome(path.parent, path, each, truth) for each in some]
