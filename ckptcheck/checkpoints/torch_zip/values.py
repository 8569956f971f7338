"""What a pickle of PyTorch holds, by path: tensors, numbers, text.

The calls are those of `torch/_utils.py` (`_rebuild_…`) and of NumPy's pickles. An object of any
other class is what it was made from and its state, as are sparse and quantised tensors.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import ml_dtypes
import numpy as np

from ckptcheck.arrays import Array
from ckptcheck.checkpoints.reader import Bytes
from ckptcheck.checkpoints.torch_zip.pickled import Global, Made, Pairs, Persistent
from ckptcheck.text_safety import clipped

# How deep things are nested, how many there are, and how long their paths are in all: shared ones
# may be there many times.
_DEEPEST = 1000
_MOST = 2_000_000
_MOST_NAMES = 1 << 28
_LONGEST_KEY = 300

# NumPy's types by PyTorch's names.
_TYPES: dict[str, np.dtype[Any]] = {
    name: np.dtype(getattr(ml_dtypes, name, None) or name)
    for name in (
        *("float64", "float32", "float16", "bfloat16", "complex64", "complex128", "bool"),
        *("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
        *("float8_e4m3fn", "float8_e4m3fnuz", "float8_e5m2", "float8_e5m2fnuz", "float8_e8m0fnu"),
    )
}
# Types that NumPy has not, or that pack several elements into a byte: as what their bytes are.
_AS_BYTES = {
    "complex32": np.dtype("V4"),
    "float4_e2m1fn_x2": np.dtype("uint8"),
    **{f"{sign}int{bits}": np.dtype("uint8") for sign in ("", "u") for bits in range(1, 8)},
    **{f"bits{bits}": np.dtype("uint8") for bits in ("1x8", "2x4", "4x2", "8")},
    "bits16": np.dtype("uint16"),
    **{name: np.dtype("uint8") for name in ("quint8", "quint4x2", "quint2x4")},
    "qint8": np.dtype("int8"),
    "qint32": np.dtype("int32"),
}
_STORAGES = {
    "Double": "float64",
    "Float": "float32",
    "Half": "float16",
    "BFloat16": "bfloat16",
    "Long": "int64",
    "Int": "int32",
    "Short": "int16",
    "Char": "int8",
    "Byte": "uint8",
    "Bool": "bool",
    "ComplexDouble": "complex128",
    "ComplexFloat": "complex64",
    "QUInt8": "quint8",
    "QInt8": "qint8",
    "QInt32": "qint32",
    "QUInt4x2": "quint4x2",
    "QUInt2x4": "quint2x4",
    "Untyped": "uint8",
}


@dataclass(frozen=True)
class Stored:
    """A tensor whose elements lie in a storage."""

    type: str
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    strides: tuple[int, ...]  # in elements
    storage: str  # the number of the storage
    offset: int  # in elements
    is_conjugate: bool = False  # the values are the conjugates of what is stored
    is_negative: bool = False  # the values are the negatives of what is stored

    @property
    def is_contiguous(self) -> bool:
        """Whether the values lie one after another, in order, as they are."""
        if self.is_conjugate or self.is_negative:
            return False
        expected = 1
        for size, stride in zip(reversed(self.shape), reversed(self.strides), strict=True):
            if size != 1 and stride != expected:
                return prod(self.shape) == 0
            expected *= size
        return True

    @property
    def span(self) -> int:
        """The number of elements from the first to the last, with what lies between."""
        if not prod(self.shape):
            return 0
        return 1 + sum(
            (size - 1) * each for size, each in zip(self.shape, self.strides, strict=True)
        )


@dataclass(frozen=True)
class Given:
    """A number, text, or an array that the pickle itself holds."""

    type: str
    value: Array | bytes

    @property
    def text(self) -> bytes:
        """The text that it is."""
        assert isinstance(self.value, bytes)
        return self.value

    def chunks(self) -> Iterator[Bytes]:
        """Yield the bytes of its elements; of a text, of its characters."""
        content = self.value if isinstance(self.value, bytes) else self.value.tobytes()
        if content:
            yield np.frombuffer(content, np.uint8).copy()


# A value with its path: the keys of dictionaries, and places in lists.
Path = tuple[str, ...]
Found = tuple[Path, Stored | Given]


class ImpossibleError(Exception):
    """The pickle describes something that cannot be, such as a negative size."""


class TooMuchError(Exception):
    """The pickle holds more than a checkpoint does. It may be sound."""


def values(content: Any) -> Iterator[Found]:
    """Yield every tensor, number and text in what a pickle holds, in order, with its path.

    What holds itself is followed once.

    Raises:
        ImpossibleError: it describes what cannot be.
        TooMuchError: it exceeds the bounds.
    """
    given: dict[int, Given | None] = {}  # of an object that is there many times, one copy
    waiting: list[Iterator[tuple[Path, Any]]] = [iter([((), content)])]
    within: dict[int, None] = {}  # the containers that lead here, the innermost last
    count = written = 0
    while waiting:
        path, value = next(waiting[-1], (None, None))
        if path is None:
            waiting.pop()
            if within:
                within.popitem()
            continue
        count, written = count + 1, written + sum(map(len, path))
        if count > _MOST or written > _MOST_NAMES or len(waiting) > _DEEPEST:
            raise TooMuchError("it holds more than a checkpoint of a million tensors")
        if id(value) not in given:
            given[id(value)] = _given(value)
        found = given[id(value)] or _described(value)
        if found is not None:
            yield path, found
        elif id(value) not in within:
            waiting.append(iter(list(_inside(value, path))))
            within[id(value)] = None


def _described(value: Any) -> Stored | Given | None:
    """Return a tensor, a storage or an array that a call makes; None: it is none of them."""
    if isinstance(value, Persistent):
        return _storage(value)
    name = called(value)
    if name in _TENSORS:
        return _tensor(name, _arguments(value))
    return _array(name, value) if isinstance(value, Made) else None


def called(value: Any) -> str:
    """Return the class or function that makes an object; empty: nothing does."""
    is_named = isinstance(value, Made) and isinstance(value.what, Global)
    return str(value.what.name) if is_named else ""


def _arguments(value: Made) -> tuple[Any, ...]:
    return value.arguments if isinstance(value.arguments, tuple) else ()


def _inside(value: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    """Yield what is in a container or an object, with its path."""
    if isinstance(value, Made):
        yield from _inside_made(value, path)
    elif isinstance(value, Pairs):
        yield from _inside_pairs(value, path)
    elif isinstance(value, list | tuple):
        yield from (((*path, str(at)), each) for at, each in enumerate(value))


def _inside_pairs(value: Pairs, path: Path) -> Iterator[tuple[Path, Any]]:
    return (((*path, key_text(key)), each) for key, each in value.pairs)


def _inside_made(value: Made, path: Path) -> Iterator[tuple[Path, Any]]:
    name, arguments = called(value), _arguments(value)
    if name in _FIRST and arguments:
        yield path, arguments[0]
        if len(arguments) > _STATE_OF_PARAMETER and name.endswith("_with_state"):
            yield path, arguments[_STATE_OF_PARAMETER]
    elif name == _OF_TYPE and len(arguments) > _STATE_OF_TYPE:
        yield path, Made(what=arguments[0], arguments=arguments[2])
        yield path, arguments[_STATE_OF_TYPE]  # the attributes of a tensor
    else:
        if name not in _EMPTY:
            yield from _parts(value.arguments, value.state, path)
            yield path, value.items
        yield from _inside_pairs(value, path)


def _parts(arguments: Any, state: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    """Yield what an object was made from, and its state: attributes, and slots."""
    for each in arguments if isinstance(arguments, tuple) else (arguments,):
        if isinstance(each, Made | Pairs | Persistent | list | tuple | str | bytes | int | float):
            yield (*path, "arguments"), each
    yield from ((path, each) for each in (state if isinstance(state, tuple) else (state,)))


# --- Tensors ---

# Calls that make a tensor of a storage, its offset, shape and strides.
_TENSORS = tuple(
    f"torch._utils.{name}"
    for name in ("_rebuild_tensor", "_rebuild_tensor_v2", "_rebuild_tensor_v3")
)
_OF_TYPE = "torch._tensor._rebuild_from_type_v2"
# A view of conjugates or negatives is told by a dictionary after the first six arguments.
_FLAGS = 6
# Where the attributes of a tensor are among the arguments.
_STATE_OF_TYPE = _STATE_OF_PARAMETER = 3
# Calls and classes that stand for their first argument.
_FIRST = {
    "torch._utils._rebuild_parameter",
    "torch._utils._rebuild_parameter_with_state",
    "torch._utils._rebuild_device_tensor_from_numpy",
    "torch._utils._rebuild_device_tensor_from_cpu_tensor",
    "torch.Size",
    "builtins.set",
    "builtins.frozenset",
    "builtins.list",
    "builtins.tuple",
    "builtins.bytearray",
    "__builtin__.set",
    "__builtin__.frozenset",
    "__builtin__.bytearray",
}
# Classes of which the items are all: their arguments are how they begin.
_EMPTY = ("collections.OrderedDict", "collections.defaultdict", "collections.Counter")


def _tensor(name: str, arguments: Any) -> Stored:
    if not isinstance(arguments, tuple) or len(arguments) < 4:
        raise ImpossibleError(f"{name} is called without the parts of a tensor")
    storage, offset = arguments[:2]
    shape, strides = map(sizes, arguments[2:4])
    type_ = _type_of(storage)
    if name.endswith("_v3") and len(arguments) > 6 and isinstance(arguments[6], Global):
        type_ = arguments[6].name.removeprefix("torch.")
    if len(shape) != len(strides) or type(offset) is not int or not 0 <= offset < 1 << 62:
        raise ImpossibleError(f"a tensor has {len(shape)} sizes and {len(strides)} strides")
    flags = (
        arguments[-1] if len(arguments) > _FLAGS and isinstance(arguments[-1], Pairs) else Pairs()
    )
    views = (flags.get("conj") is True, flags.get("neg") is True)
    return Stored(type_, _dtype(type_), shape, strides, _number_of(storage), offset, *views)


def sizes(value: Any) -> tuple[Any, ...]:
    """Return a shape, or other sizes that are not negative.

    Raises:
        ImpossibleError: the value is no tuple of such.
    """
    if isinstance(value, Made) and isinstance(value.arguments, tuple) and value.arguments:
        value = value.arguments[0]  # torch.Size
    found = tuple(value) if isinstance(value, tuple | list) else (None,)
    if not all(type(each) is int and 0 <= each < 1 << 62 for each in found):
        raise ImpossibleError("the sizes of a tensor are no numbers, or negative")
    return found


def _storage(value: Persistent) -> Stored:
    """Return a storage that is saved by itself, as a tensor of one dimension."""
    type_, count = _type_of(value), _id(value)[4]
    if type(count) is not int or count < 0:
        raise ImpossibleError("the size of a storage is no number")
    return Stored(type_, _dtype(type_), (count,), (1,), _number_of(value), 0)


def _id(storage: Any) -> tuple[Any, ...]:
    held = storage.id if isinstance(storage, Persistent) else ()
    is_storage = isinstance(held, tuple) and len(held) >= 5 and held[0] == "storage"
    if not (isinstance(held, tuple) and is_storage and isinstance(held[1], Global)):
        raise ImpossibleError("a tensor has no storage")
    return held


def _type_of(storage: Any) -> str:
    name = _id(storage)[1].name.rpartition(".")[2].removesuffix("Storage")
    if name not in _STORAGES:
        raise ImpossibleError(f"a storage is of type {name}, which is unknown")
    return _STORAGES[name]


def _number_of(storage: Any) -> str:
    number = _id(storage)[2]
    if not isinstance(number, str) or len(number) > _LONGEST_KEY:
        raise ImpossibleError("a storage has no number")
    return number


def _dtype(type_: str) -> np.dtype[Any]:
    found = _TYPES.get(type_) or _AS_BYTES.get(type_)
    if found is None:
        raise ImpossibleError(f"a tensor is of type {type_}, which is unknown")
    return found


# --- Numbers, text, and arrays of NumPy ---


def _given(value: Any) -> Given | None:
    """Return a number, text, or a list of numbers; None: it is none of them."""
    kind = type(value)
    if kind in (bool, int, float):
        return _number(value)
    if kind is str:
        return Given("text", value.encode("utf-8", "surrogatepass"))
    if kind in (bytes, bytearray):
        return Given("uint8", np.frombuffer(bytes(value), np.uint8))
    if isinstance(value, Global):
        return Given("text", value.name.encode("utf-8", "surrogatepass"))
    if isinstance(value, list | tuple) and len(value) > 1 and _are_numbers(value):
        array = _as_array(value)
        return None if array is None else Given(array.dtype.name, array)
    return None


def _are_numbers(values: Sequence[Any]) -> bool:
    return {type(each) for each in values} in ({int}, {float})  # a mixture would be rounded


def _number(value: bool | int | float) -> Given:
    array = _as_array(value)
    if array is None:  # larger than 64 bits
        return Given("text", f"{value:#x}".encode())
    return Given(array.dtype.name, array)


def _as_array(value: Any) -> Array | None:
    try:
        array = np.asarray(value)
    except (OverflowError, ValueError):
        return None
    return array if array.dtype.kind in "biuf" else None


def contiguous(type_: str, shape: tuple[int, ...], storage: str) -> Stored:
    """Return a tensor that is all of its storage.

    Raises:
        ImpossibleError: its type is unknown.
    """
    strides = tuple(prod(shape[axis + 1 :]) for axis in range(len(shape)))
    return Stored(type_, _dtype(type_), shape, strides, storage, 0)


def _array(name: str, value: Made) -> Given | None:
    """Return an array or a number of NumPy's; None: it is none."""
    module, _, call = name.rpartition(".")
    if name in ("_codecs.encode", "builtins.complex", "__builtin__.complex"):
        return _of_builtin(call, value.arguments)
    if not module.startswith("numpy"):
        return None
    if call == "_reconstruct" and isinstance(value.state, tuple) and len(value.state) == 5:
        _, shape, dtype, is_fortran, raw = value.state
        order = "F" if is_fortran is True else "C"
    elif call == "scalar" and isinstance(value.arguments, tuple) and len(value.arguments) == 2:
        (dtype, raw), shape, order = value.arguments, (), "C"
    else:
        return None
    kind, content = _numpy_dtype(dtype), _bytes(raw)
    its = sizes(shape)
    if kind is None or content is None:
        return None
    try:
        is_whole = prod(its) * kind.itemsize == len(content)
        array = np.frombuffer(content, kind).reshape(its, order=order)  # type: ignore[call-overload]
    except ValueError:  # too many dimensions, or sizes beyond NumPy's
        is_whole = False
    if not is_whole:
        raise ImpossibleError("an array of NumPy has more or fewer bytes than its shape")
    return Given(kind.name, array)


def _of_builtin(call: str, arguments: Any) -> Given | None:
    if call == "encode":
        content = _bytes(Made(what=Global("_codecs.encode", 0), arguments=arguments))
        return None if content is None else Given("uint8", np.frombuffer(content, np.uint8))
    parts = arguments if isinstance(arguments, tuple) else ()
    if len(parts) == 2 and {type(each) for each in parts} <= {int, float}:
        with contextlib.suppress(OverflowError):
            return Given("complex128", np.array(complex(*parts)))
    return None


def _bytes(value: Any) -> bytes | None:
    """Return bytes; before protocol 3, they are a call of `_codecs.encode`."""
    if isinstance(value, bytes | bytearray):
        return bytes(value)
    if isinstance(value, str):
        return value.encode("latin-1") if value.isascii() else None
    is_call = isinstance(value, Made) and getattr(value.what, "name", "") == "_codecs.encode"
    text = _arguments(value)[:1] if is_call else ()
    if text and isinstance(text[0], str):
        with contextlib.suppress(UnicodeError):
            return text[0].encode("latin-1")
    return None


def _numpy_dtype(value: Any) -> np.dtype[Any] | None:
    """Return a type with elements of fixed size, by its code and its byte order."""
    named = isinstance(value, Made) and getattr(value.what, "name", "") == "numpy.dtype"
    if not named or not (isinstance(value.arguments, tuple) and value.arguments):
        return None
    code, state = value.arguments[0], value.state
    order = state[1] if isinstance(state, tuple) and len(state) > 1 else "="
    if not isinstance(code, str) or code[:1] not in "biufc" or order not in ("<", ">", "|", "="):
        return None
    try:
        return np.dtype(order.replace("|", "=") + code)
    except TypeError:
        return None


# How a key of a dictionary is written; that of an object, by its class.
_SHOWN: dict[type, Callable[[Any], str]] = {
    str: str,
    int: str,
    **dict.fromkeys((float, bool, bytes), repr),
}


def key_text(key: Any) -> str:
    """Return how a key of a dictionary is written in a path."""
    show = _SHOWN.get(type(key))
    if show is not None:
        try:
            return clipped(show(key), _LONGEST_KEY)
        except ValueError:  # a number of more than 4,300 digits
            return "int"
    if isinstance(key, tuple) and all(type(each) in _SHOWN for each in key[:8]):
        return clipped(f"({', '.join(map(key_text, key[:8]))})", _LONGEST_KEY)
    content = _bytes(key) if isinstance(key, Made) else None
    if content is not None:
        return key_text(content)
    return key.name if isinstance(key, Global) else type(key).__name__
