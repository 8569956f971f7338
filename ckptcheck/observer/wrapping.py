"""Replace a method or a function by one that does the same and reports it.

What fails in the observer never fails the program: it is noted, and the process is no longer
observed.
"""

import functools
import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ckptcheck.observer.observation import TROUBLE


class _Guard:
    """Whether this process is still observed, and where is noted why not.

    Attributes:
        folder: the folder of the record; None: what fails is not noted.
    """

    def __init__(self) -> None:
        self.folder: Path | None = None
        self.has_failed = False

    def failed(self, error: Exception) -> None:
        """Note an exception of the observer, the first time."""
        if self.has_failed:
            return
        self.has_failed = True
        text = " ".join(str(error).split())
        kind = "" if isinstance(error, NotImplementedError) else f"{type(error).__name__}: "
        note = f"The command could not be observed: {kind}{text}."
        try:
            if self.folder is not None:
                with (self.folder / TROUBLE).open("a", encoding="utf-8") as file:
                    file.write(f"{note}\n")
        except OSError:
            pass


_GUARD = _Guard()


def note_failures_in(folder: str) -> None:
    """Note what fails in the observer in the folder of the record."""
    _GUARD.folder = Path(folder)


class _Original:
    """The original of a replaced function, for one call, and what that came to.

    Attributes:
        has_run: whether it has been called.
        result: what it returned.
        error: what it raised, or None.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function
        self.__name__ = getattr(function, "__name__", "")
        self.has_run = False
        self.result: Any = None
        self.error: BaseException | None = None

    def __call__(self, /, *given: Any, **named: Any) -> Any:
        self.has_run = True
        try:
            self.result = self._function(*given, **named)
        except BaseException as error:
            self.error = error
            raise
        return self.result


def around(owner: Any, name: str, call: Callable[..., Any]) -> None:
    """Replace `owner.name` by a function that calls `call(original, *arguments)` instead.

    The original runs exactly once, also when `call` fails before or after that.
    """
    original = getattr(owner, name)

    @functools.wraps(original)
    def wrapped(*positional: Any, **named: Any) -> Any:
        if _GUARD.has_failed:
            return original(*positional, **named)
        once = _Original(original)
        try:
            return call(once, *positional, **named)
        except Exception as error:
            if error is once.error:
                raise
            _GUARD.failed(error)
        if once.error is not None:
            raise once.error
        return once.result if once.has_run else original(*positional, **named)

    # Keras asks for the arguments of its own methods, in a way that does not look through wrappers.
    wrapped.__signature__ = inspect.signature(original)  # type: ignore[attr-defined]
    setattr(owner, name, wrapped)


def after(owner: Any, name: str, call: Callable[..., None]) -> None:
    """Replace `owner.name` by a function that also calls `call(*arguments)` afterwards."""

    def then(original: Callable[..., Any], /, *positional: Any, **named: Any) -> Any:
        result = original(*positional, **named)
        call(*positional, **named)
        return result

    around(owner, name, then)


def guarded(call: Callable[..., None]) -> Callable[..., None]:
    """Return a function that the program's framework calls, and that never fails it."""

    @functools.wraps(call)
    def wrapped(*positional: Any, **named: Any) -> None:
        if _GUARD.has_failed:
            return
        try:
            call(*positional, **named)
        except Exception as error:
            _GUARD.failed(error)

    return wrapped


def everywhere(package: str, module: Any, name: str, call: Callable[..., Any]) -> None:
    """Replace a function in each loaded module of a package: other modules have imported it."""
    original = getattr(module, name)
    around(module, name, call)
    wrapped = getattr(module, name)
    for full, each in list(sys.modules.items()):
        if full.split(".")[0] == package and vars(each).get(name) is original:
            setattr(each, name, wrapped)
