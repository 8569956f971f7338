"""The jobs as a caller gives them, names, files, classes or instances, as targets of processes."""

import inspect
import io
import linecache
import pickle
import sys
from collections import ChainMap
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import CodeType
from typing import Any, ClassVar

from ckptcheck.errors import UsageError
from ckptcheck.job import source
from ckptcheck.job.loading import check, is_own


@dataclass(frozen=True)
class Given:
    """A job as processes load it.

    Attributes:
        name: Its name: of a shipped job, or a target for `ckptcheck.job.load`.
        pickled: What a new process unpickles instead of importing the name; None: it imports.
    """

    name: str
    pickled: bytes | None = None


def given(jobs: Any) -> list[Given]:
    """Return the jobs as targets, each once.

    Args:
        jobs: A name, a file with one job, a class, an instance, or several of these.

    Raises:
        UsageError: A file defines no job or several, an object is no job, or it refers to something
            that cannot be sent to a new process.
    """
    known: dict[str, Given] = {}
    for each in _several(jobs):
        one = _given(each)
        name, number = one.name, 1
        while one.pickled is not None and name in known:
            number += 1
            name = f"{one.name}~{number}"  # several instances of one class
        known[name] = Given(name, one.pickled)
    return list(known.values())


def check_names(names: Iterable[str]) -> None:
    """Raise `UsageError` now, before a framework is imported, for a name that is not defined."""
    for name in filter(is_own, names):
        source.check_name(name)


def _several(jobs: Any) -> Iterable[Any]:
    is_one = isinstance(jobs, str | type) or not isinstance(jobs, Iterable)
    return [] if jobs is None else [jobs] if is_one or hasattr(jobs, "restores") else jobs


def _given(job: Any) -> Given:
    if isinstance(job, Given):
        return job
    if isinstance(job, str):
        return Given(source.only_job(job) if job.endswith(".py") and not is_own(job) else job)
    maker = job if inspect.isclass(job) or inspect.isroutine(job) else type(job)
    if maker is job and (file := _file_of(maker)):
        return Given(f"{file}:{maker.__name__}")
    if maker is not job:
        check(job, maker.__qualname__)
    module = getattr(maker, "__module__", None) or "__main__"
    return Given(f"{module}:{maker.__qualname__.rpartition('.')[2]}", _pickled(job))


def _file_of(maker: Any) -> str | None:
    """Return the file that a new process loads to get a class; None: it cannot."""
    module = sys.modules.get(maker.__module__)
    if maker.__module__ == "__main__" or getattr(module, maker.__qualname__, None) is not maker:
        return None  # defined in a script, a notebook or a function
    # A module of a package has relative imports, which a file alone does not.
    file = None if getattr(module, "__package__", None) else getattr(module, "__file__", None)
    if not file or not file.endswith(".py"):
        return None
    path, here = Path(file), Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def _pickled(job: Any) -> bytes:
    """Return the path that finds a job's modules, its cells, and all that the job refers to."""
    buffer = io.BytesIO()
    try:
        sent, cells = _by_value(job)
        pickle.dump(sys.path, buffer)
        pickle.dump(cells, buffer)
    except Exception as error:
        raise UsageError(
            f"{_name(job)} cannot be sent to a new process: {type(error).__name__}: {error}. It "
            "refers to an object of this process. Create that object in a method of the job, or "
            "move the class into a file and pass file.py:NAME."
        ) from None
    return buffer.getvalue() + sent


def _by_value(job: Any) -> tuple[bytes, dict[str, Any]]:
    """Pickle a job, and return the notebook cells that define it, for `linecache`.

    No file holds these cells, but Keras reads the source of a lambda that it saves.
    """
    import cloudpickle  # only for a job that no process can import

    names: dict[str, str] = {}  # by the file that the kernel pretends
    usual = cloudpickle.Pickler.dispatch_table[CodeType]

    def reduced(code: CodeType) -> Any:
        make, arguments = usual(code)
        file = code.co_filename
        if file in linecache.cache and not Path(file).exists():
            name = names.setdefault(file, f"<cell {len(names) + 1}>")
            arguments = tuple(name if _is_file(each, file) else each for each in arguments)
        return make, arguments

    class Pickler(cloudpickle.Pickler):  # type: ignore[misc]
        dispatch_table: ClassVar = ChainMap({CodeType: reduced}, cloudpickle.Pickler.dispatch_table)

    buffer = io.BytesIO()
    Pickler(buffer).dump(job)
    return buffer.getvalue(), {name: linecache.cache[file] for file, name in names.items()}


def _is_file(argument: Any, file: str) -> bool:
    """Return whether an argument of a code object is its file, which cloudpickle 3.1 replaces."""
    return isinstance(argument, str) and argument in (file, "<dynamic-code>")


def _name(job: Any) -> str:
    return str(getattr(job, "__qualname__", type(job).__qualname__))


def unpickled(path: Path) -> Any:
    """Return the class, function or instance that a caller gave, in a new process."""
    with path.open("rb") as file:
        sys.path += [each for each in pickle.load(file) if each not in sys.path]
        linecache.cache.update(pickle.load(file))
        return pickle.load(file)
