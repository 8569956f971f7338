"""The reader of V1 checkpoints against TensorFlow's: all that TensorFlow saves is read bit for bit."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ckptcheck.arrays import Array
from ckptcheck.checkpoints import open_checkpoint
from ckptcheck.filetools.diff import diff
from ckptcheck.filetools.fsck import fsck
from ckptcheck.kinds import Kind
from tests import damage

tf = pytest.importorskip("tensorflow")

# All types that V1 can hold. The quantised ones are integers for NumPy.
TYPES = [
    np.dtype(name)
    for name in (
        *("float16", "float32", "float64", "complex64", "complex128", "bool"),
        *("int8", "int16", "int32", "int64", "uint8", "uint16"),
    )
]
QUANTISED = {tf.qint8: "int8", tf.quint8: "uint8", tf.qint32: "int32"}
NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30)
SHAPES = st.lists(st.integers(0, 4), max_size=4).map(tuple)
FEW = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def values(dtype: np.dtype, shape: tuple[int, ...], seed: int) -> Array:
    """Return random bits as values of a type."""
    size = int(np.prod(shape)) * dtype.itemsize
    drawn = np.random.default_rng(seed).integers(0, 256, size, np.uint8)
    return (drawn % 2 if dtype.kind == "b" else drawn).view(dtype).reshape(shape)


def save(path: Path, names: list[str], slices: list[str], tensors: list[object]) -> Path:
    tf.raw_ops.SaveSlices(
        filename=str(path), tensor_names=names, shapes_and_slices=slices, data=tensors
    )
    return path


def as_tensorflow_reads(path: Path, name: str, type_: object, whole: str = "") -> Array:
    return np.asarray(
        tf.raw_ops.RestoreSlice(
            file_pattern=str(path), tensor_name=name, shape_and_slice=whole, dt=type_
        )
    )


tensors = st.dictionaries(
    NAMES,
    st.tuples(st.sampled_from(TYPES), SHAPES, st.integers(0, 2**32 - 1)),
    min_size=1,
    max_size=6,
)


@FEW
@given(wanted=tensors)
def test_every_type_and_shape(
    wanted: dict[str, tuple[np.dtype, tuple[int, ...], int]], tmp_path: Path
) -> None:
    saved = {name: values(*each) for name, each in wanted.items()}
    path = save(
        tmp_path / "any", list(saved), [""] * len(saved), [tf.constant(each) for each in saved.values()]
    )  # fmt: skip
    found = open_checkpoint(path)
    assert set(found.entries) == set(saved)
    for name, value in saved.items():
        read = found.value(found.entries[name])
        theirs = as_tensorflow_reads(path, name, tf.as_dtype(value.dtype))
        assert (read.dtype, read.shape, read.tobytes()) == (
            value.dtype,
            value.shape,
            value.tobytes(),
        )
        assert (theirs.shape, theirs.tobytes()) == (value.shape, value.tobytes())
    assert fsck(path).exit_code() in (0, 1)  # 1: random bits may be NaN


@pytest.mark.parametrize("type_", QUANTISED, ids=lambda each: each.name)
def test_quantised_types(type_: object, tmp_path: Path) -> None:
    value = values(np.dtype(QUANTISED[type_]), (2, 5), 3)
    path = save(tmp_path / "small", ["x"], [""], [tf.bitcast(tf.constant(value), type_)])
    (entry,) = open_checkpoint(path).entries.values()
    assert entry.type == type_.name  # type: ignore[attr-defined]
    assert open_checkpoint(path).value(entry).tobytes() == value.tobytes()


@FEW
@given(texts=st.lists(st.binary(max_size=300), max_size=8))
def test_text(texts: list[bytes], tmp_path: Path) -> None:
    path = save(tmp_path / "text", ["texts"], [""], [tf.constant(np.array(texts, object))])
    found = open_checkpoint(path)
    read = found.value(found.entries["texts"]).tolist()
    assert read == texts == as_tensorflow_reads(path, "texts", tf.string).tolist()


@FEW
@given(name=NAMES, rows=st.integers(2, 300), columns=st.integers(2, 300), data=st.data())
def test_slices_are_one_tensor(
    name: str, rows: int, columns: int, data: st.DataObject, tmp_path: Path
) -> None:
    """A grid of three slices, over two shards."""
    value = values(np.dtype("float32"), (rows, columns), 0)
    row, column = data.draw(st.integers(1, rows - 1)), data.draw(st.integers(1, columns - 1))
    whole = f"{rows} {columns} "
    shards = [tmp_path / f"cut-0000{number}-of-00002" for number in range(2)]
    save(
        shards[0],
        [name] * 2,
        [f"{whole}0,{row}:0,{column}", f"{whole}0,{row}:{column},{columns - column}"],
        [tf.constant(value[:row, :column]), tf.constant(value[:row, column:])],
    )
    save(shards[1], [name], [f"{whole}{row},{rows - row}:-"], [tf.constant(value[row:])])
    pattern = tmp_path / "cut-?????-of-00002"
    theirs = as_tensorflow_reads(pattern, name, tf.float32, f"{whole}-:-")
    for path in (pattern, tmp_path / "cut", shards[0], tmp_path):
        found = open_checkpoint(path)
        (entry,) = found.entries.values()
        assert (found.path, entry.key, entry.shape, len(entry.pieces)) == (
            pattern,
            name,
            value.shape,
            3,
        )
    assert found.value(entry).tobytes() == value.tobytes() == theirs.tobytes()


def test_many_blocks(tmp_path: Path) -> None:
    """Tensors larger than a block, and blocks of many tensors."""
    saved: dict[str, Array] = {
        f"layer_{number:04d}/{'x' * 90}": np.array(number, "float32") for number in range(3000)
    }
    saved["large"] = values(np.dtype("int64"), (200, 1000), 5)
    path = save(tmp_path / "many", list(saved), [""] * 3001, [tf.constant(each) for each in saved.values()])  # fmt: skip
    found = open_checkpoint(path)
    for name, value in saved.items():
        assert found.value(found.entries[name]).tobytes() == value.tobytes(), name


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A program of TensorFlow 1, saved in V1, V1 with shards, and V2."""
    path = tmp_path_factory.mktemp("saved")
    tf1 = tf.compat.v1
    with tf.Graph().as_default():
        halves = tf1.fixed_size_partitioner(2)
        tf1.get_variable("kernel", initializer=tf1.random_normal([5, 3]), partitioner=halves)
        tf1.get_variable("bn/moving_mean", (3,))
        step = tf1.train.create_global_step()
        savers = {
            "plain": tf1.train.Saver(write_version=tf1.train.SaverDef.V1),
            "shards": tf1.train.Saver(write_version=tf1.train.SaverDef.V1, sharded=True),
            "v2": tf1.train.Saver(),
        }
        with tf1.Session() as session:
            session.run(tf1.global_variables_initializer())
            session.run(step.assign(7))
            for name, saver in savers.items():
                (path / name).mkdir()
                saver.save(session, str(path / name / "model.ckpt"), step)
    return path


def test_a_state_file_names_v1(folder: Path) -> None:
    for name, path in {"plain": "model.ckpt-7", "shards": "model.ckpt-7-?????-of-00001"}.items():
        found = open_checkpoint(folder / name)
        assert str(found.path) == tf.train.latest_checkpoint(str(folder / name))
        assert (found.path.name, found.format, found.chosen) == (
            path,
            "TensorFlow, tf.train.Saver (V1)",
            f"named by {folder / name / 'checkpoint'}: {folder / name / path}",
        )
        assert open_checkpoint(folder / name / "model.ckpt-7.meta").path == found.path
        assert {entry.name: entry.kind for entry in found.entries.values()} == {
            "kernel": Kind.WEIGHT,
            "bn/moving_mean": Kind.MOVING_STATISTIC,
            "global_step": Kind.COUNTER,
        }


def test_v1_against_v2(folder: Path) -> None:
    assert diff(folder / "plain", folder / "v2").same
    assert diff(folder / "v2", folder / "shards").same


@pytest.mark.parametrize("name", ["plain", "shards"])
def test_fsck_of_v1(name: str, folder: Path) -> None:
    check = fsck(folder / name)
    assert (check.findings, len(check.checkpoints), check.tensors) == ((), 1, 3)


def test_damage(tmp_path: Path) -> None:
    """A sample of the damage that `python -m tests.damage` tries in full."""
    path, other = (damage.save("v1", tmp_path / str(step), step) for step in (1, 2))
    truth = damage.values(path)
    found = [
        damage.outcome(path, path, each, truth) for each in damage.damages(path, other, every=19)
    ]
    assert len(found) > 200
    assert found.count(damage.REFUSED) > 0.7 * len(found)
