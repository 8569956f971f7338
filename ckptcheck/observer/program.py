"""What a program keeps outside of its framework: numbers and NumPy arrays of its own."""

import contextlib
import inspect
import sys
import sysconfig
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import FrameType, FunctionType, MethodType, ModuleType, SimpleNamespace
from typing import Any

import numpy as np

from ckptcheck.arrays import Array
from ckptcheck.run.containers import attributes, items, shown
from ckptcheck.run.digests import digest

# How far lists and objects are followed, how many items of each, and the size of an array of which
# all values are kept, in bytes. Of a larger one, the digest is: it is most likely data.
_DEPTH = 4
_MOST = 200
_MOST_BYTES = 1 << 22

_LIBRARIES = tuple(
    {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
)


class Program:
    """The program of this process, as an object whose attributes can be read like a job's.

    Its attributes are the globals of the main module, and the local variables of its functions that
    are running, as `main.best`. What several functions hold stands under the outermost first.

    Args:
        as_array: returns the values of a framework's array that belongs to nothing; None: the value
            is none.
        added: returns what a program may have put onto an object of a framework's class.
    """

    def __init__(
        self,
        as_array: Callable[[Any], Array | None] = lambda value: None,
        added: Callable[[Any], Mapping[str, Any]] = lambda value: {},
    ) -> None:
        self._as_array, self._added = as_array, added
        self._lasting: list[FrameType] | None = None
        self._remembered: dict[str, Any] = {}
        self._decisive: dict[str, str] = {}

    def remember(self, things: Sequence[Any], decisive: Mapping[str, str]) -> None:
        """Remember objects that the program passed to its framework, such as callbacks."""
        self._remembered = {type(each).__name__: each for each in things}
        self._decisive = dict(decisive)

    def remembers(self) -> Mapping[str, Any]:
        """Return these objects by class name."""
        return self._remembered

    def decisive(self) -> Mapping[str, str]:
        """Return the attributes of these objects that change the training."""
        return self._decisive

    def at_step(self) -> None:
        """Note which functions have been running at every step, the innermost first.

        They hold their variables when they have returned, and are read at the end.
        """
        if self._lasting is None:
            self._lasting = list(_running())
        frame: FrameType | None = sys._getframe(1) if self._lasting else None
        for each in tuple(self._lasting):
            at = frame
            while at is not None and at is not each:
                at = at.f_back
            if at is None:
                self._lasting.remove(each)
            else:
                frame = at

    def close(self) -> None:
        """Let go of the functions that have returned."""
        self._lasting = []

    def arrays(self) -> dict[str, Array]:
        """Return copies of the arrays that it holds, by name: in lists, objects, closures, too.

        A large array is its digest, as an array of characters.
        """
        found: dict[str, Array] = {}
        own = {name: each for name, each in self._remembered.items() if is_own(type(each))}
        for name, value in self._arrays_in((self.held() | own).items(), _DEPTH):
            if name not in found and not value.dtype.hasobject:
                found[name] = _digest_of(value) if _is_large(value) else value.copy()
        return found

    def _arrays_in(
        self, held: Iterable[tuple[str, Any]], depth: int
    ) -> Iterator[tuple[str, Array]]:
        for name, value in held:
            is_array = issubclass(type(value), np.ndarray)
            array = np.asarray(value) if is_array else self._as_array(value)
            if array is not None:
                if not (_is_large(array) and issubclass(type(value), np.memmap)):
                    yield name, array  # a file may be larger than the memory
            elif depth and not name.rpartition(".")[2].startswith("__"):
                yield from self._arrays_in(inside(name, value), depth - 1)
                added = self._added(value).items()
                yield from self._arrays_in(((f"{name}.{key}", it) for key, it in added), depth - 1)

    @property
    def __dict__(self) -> dict[str, Any]:  # type: ignore[override]
        functions = (FunctionType, MethodType)
        return {
            name: value
            for name, value in self.held().items()
            if not issubclass(type(value), functions)
        }

    def held(self) -> dict[str, Any]:
        """Return what the program holds, by name."""
        main = sys.modules.get("__main__")
        held = {} if main is None else dict(vars(main))
        running = [*_running()]
        ended = [each for each in self._lasting or () if each not in running]
        # What several hold stands under the outermost: it is there before the others, and after.
        for frame in reversed([*running, *ended]):
            name = frame.f_code.co_name
            held |= {f"{name}.{key}": value for key, value in _locals(frame).items()}
        return {
            name: value
            for name, value in held.items()
            if not issubclass(type(value), (ModuleType, type))
        }


def _is_large(array: Array) -> bool:
    return array.nbytes > _MOST_BYTES


def _digest_of(array: Array) -> Array:
    return np.frombuffer(digest(array).encode(), np.uint8)


def _running() -> Iterator[FrameType]:
    """Yield the frames of the program's own functions in this thread, the innermost first."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        code = frame.f_code
        is_own = not code.co_filename.startswith((*_LIBRARIES, "<"))
        of_observer = str(frame.f_globals.get("__name__", "")).startswith("ckptcheck.")
        if code.co_flags & inspect.CO_OPTIMIZED and is_own and not of_observer:
            yield frame
        frame = frame.f_back


def _locals(frame: FrameType) -> dict[str, Any]:
    """Return the local variables of a function, unless that would change the program.

    Before Python 3.13 they are read into a dictionary that the frame keeps, and that `locals()`
    returns: a program that has called it would see its dictionary change. One that was made here is
    emptied: it would let values outlive their variables.
    """
    if sys.version_info >= (3, 13):
        return dict(frame.f_locals)
    if "locals" in frame.f_code.co_names:
        return {}
    seen = frame.f_locals
    held = dict(seen)
    # One reference is the frame's, one the variable's, and one that of the call.
    if sys.getrefcount(seen) <= 3 and sys.gettrace() is None:
        seen.clear()
    return held


def inside(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Yield what a list, a dictionary, or an object or function of the program's own holds."""
    held = items(value, _MOST)
    kind = type(value)
    if held is not None:
        yield from ((f"{name}[{shown(key)}]", inner) for key, inner in held)
    elif kind is MethodType:
        yield from inside(name, value.__self__)
    elif kind is FunctionType:
        yield from ((f"{name}.{key}", inner) for key, inner in _closure(value))
    elif is_own(kind) or kind is SimpleNamespace:
        yield from ((f"{name}.{key}", inner) for key, inner in attributes(value).items())


def _closure(function: FunctionType) -> Iterator[tuple[str, Any]]:
    """Yield the variables of other functions that a function of the program uses."""
    while type(inner := vars(function).get("__wrapped__")) is FunctionType:
        function = inner
    names, cells = function.__code__.co_freevars, function.__closure__ or ()
    for name, cell in zip(names, cells, strict=True) if is_own(function) else ():
        with contextlib.suppress(ValueError):  # it has no value yet
            yield name, cell.cell_contents


def is_own(kind: type | FunctionType) -> bool:
    """Return whether a class or function is the program's own: it is in no library."""
    module = sys.modules.get(kind.__module__)
    path = getattr(module, "__file__", None)
    is_script = kind.__module__ == "__main__"
    return is_script or (path is not None and not path.startswith(_LIBRARIES))
