"""Trace what the process of a control depends on, so that it can be reused while nothing changed.

Python's audit events (PEP 578) report the files and folders that Python opens, processes and
network connections. They miss what a library reads in C or C++, and the metadata of files. A
control whose source may use these is not traceable, and neither is one that another program could
influence.
"""

import ast
import json
import os
import platform
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import xxhash

INPUTS = "inputs.json"  # beside the records of the traced run

_TRACED_PACKAGES = {"ckptcheck", "keras", "numpy", "tensorflow", "tf_keras", "torch"}
# Names whose use may read a file that Python does not open. In `restore`, they read the checkpoint.
_OPAQUE = (
    *("FixedLengthRecordDataset", "TFRecordDataset", "TextLineDataset", "CsvDataset", "SqlDataset"),
    *(
        "make_csv_dataset",
        "gfile",
        "read_file",
        "list_files",
        "match_files",
        "match_filenames_once",
    ),
    *("load_weights", "load_model", "load_variable", "load_checkpoint", "latest_checkpoint"),
    *("restore", "from_preset", "applications", "saved_model", "fromfile", "memmap"),
    *("from_file", "jit.load", "cpp_extension"),
    *("Dataset.load", "experimental.load", "init_from_checkpoint", "TextFileInitializer"),
    *("image_dataset_from_directory", "text_dataset_from_directory"),
    *("audio_dataset_from_directory", "timeseries_dataset_from_directory"),
)
# Names whose use asks for the metadata of a file, of which there is no audit event.
_METADATA = (
    *("stat", "lstat", "fstat", "os.access", "statvfs", "disk_usage", "owner", "which"),
    *("exists", "lexists", "is_file", "isfile", "is_dir", "isdir", "is_mount", "ismount"),
    *("is_symlink", "islink", "readlink", "realpath", "resolve", "samefile"),
    *("getsize", "getmtime", "getatime", "getctime"),
)
# Calls that resolve the source itself, whose place is an input in any case.
_OF_SOURCE = (
    "Path(__file__).resolve()",
    "pathlib.Path(__file__).resolve()",
    "os.path.realpath(__file__)",
)
_GLOB = ("glob", "iglob", "rglob")
_OUTSIDE = {
    "os.exec": "starts a program",
    "os.fork": "starts a process",
    "os.forkpty": "starts a process",
    "os.posix_spawn": "starts a program",
    "os.system": "starts a program",
    "subprocess.Popen": "starts a program",
    "socket.connect": "uses the network",
    "socket.getaddrinfo": "uses the network",
    "socket.sendto": "uses the network",
    "sqlite3.connect": "reads a database",
    "urllib.Request": "uses the network",
}
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_TRUNC


@dataclass
class _Trace:
    read: dict[str, bool] = field(default_factory=dict)  # by path: whether it was first read
    written: set[str] = field(default_factory=set)
    listed: set[str] = field(default_factory=set)
    reasons: list[str] = field(default_factory=list)


_trace: _Trace | None = None


def _on_audit_event(event: str, arguments: tuple[Any, ...]) -> None:
    if _trace is None:
        return
    if event == "open" and isinstance(arguments[0], str | bytes | os.PathLike):
        path, writes = _absolute(arguments[0]), bool(arguments[2] & _WRITES)
        _trace.read.setdefault(path, not writes)
        if writes:
            _trace.written.add(path)
    elif event == "os.rename":
        _trace.written.add(_absolute(arguments[1]))
    elif event in ("os.listdir", "os.scandir") and not isinstance(arguments[0], int):
        if not _is_import(sys._getframe(1)):
            _trace.listed.add(_absolute(arguments[0] or "."))
    elif event in _OUTSIDE:
        _trace.reasons.append(f"it {_OUTSIDE[event]}")


def _absolute(path: str | bytes | os.PathLike[Any]) -> str:
    return os.path.abspath(os.fsdecode(path))  # noqa: PTH100  # called often


def _is_import(frame: Any) -> bool:
    return bool(frame and frame.f_code.co_filename.startswith("<frozen importlib"))


@contextmanager
def traced(folder: Path, own: Path) -> Iterator[None]:
    """Trace this process; write what it depends on to `folder`.

    Files in `own`, the folder of the job's runs, do not count. An audit hook cannot be removed:
    afterwards it stays, and collects nothing.
    """
    global _trace
    platform.platform()  # starts `uname` when it is first called, for the record of every run
    trace, loaded = _Trace(), set(sys.modules)
    _trace = trace
    sys.addaudithook(_on_audit_event)
    try:
        yield
    finally:
        _trace = None
    document = _document(trace, own.resolve(), set(sys.modules) - loaded)
    (folder / INPUTS).write_text(json.dumps(document, indent=1), encoding="utf-8")


def _document(trace: _Trace, own: Path, loaded: Iterable[str]) -> dict[str, Any]:
    sources = sorted(
        {str(Path(file).resolve()) for name in loaded if (file := _file_of(sys.modules.get(name)))}
    )
    users = [path for path in sources if _is_users(path)]
    read = [path for path, first in trace.read.items() if first and _counts(path, own)]
    written = [path for path in sorted(trace.written) if _counts(path, own) and Path(path).exists()]
    reasons = [*trace.reasons, *(f"it writes {path}" for path in written)]
    reasons += [reason for path in users for reason in opaque(Path(path))]
    beside = {str(Path(path).parent) for path in users}
    return {
        "files": {path: file_digest(Path(path)) for path in sorted({*sources, *read})},
        "folders": {
            path: names_digest(Path(path)) for path in sorted(trace.listed) if _counts(path, own)
        },
        "places": _places(sys.modules[name] for name in loaded if name in sys.modules),
        "modules": {path: names_digest(Path(path), ".py") for path in sorted(beside)},
        "untraceable": list(dict.fromkeys(reasons)),
    }


def _places(modules: Iterable[Any]) -> dict[str, str]:
    """Return where the user's sources are in truth, by the paths by which they were imported."""
    files = sorted({file for module in modules if (file := _file_of(module))})
    return {file: real for file in files if _is_users(real := os.path.realpath(file))}


def _file_of(module: Any) -> str | None:
    file = getattr(module, "__file__", None)
    return file if isinstance(file, str) and Path(file).is_file() else None


def _is_users(path: str) -> bool:
    here = str(Path(__file__).resolve().parents[1])
    prefixes = (here, str(Path(sys.prefix).resolve()), str(Path(sys.base_prefix).resolve()))
    standard = str(Path(os.__file__).resolve().parent)
    inside = any(Path(path).is_relative_to(prefix) for prefix in (*prefixes, standard))
    return (
        path.endswith(".py")
        and (not inside or "site-packages" not in path)
        and not (Path(path).is_relative_to(here) or Path(path).is_relative_to(standard))
    )


def _counts(path: str, own: Path) -> bool:
    place = Path(path)
    return (
        not path.startswith(("/proc/", "/sys/", "/dev/"))
        and "__pycache__" not in place.parts
        and not place.name.startswith("__autograph_generated_file")
        and not place.resolve().is_relative_to(own)
    )


def opaque(source: Path) -> list[str]:
    """Return why the user's source may read what cannot be traced; empty: it does not."""
    try:
        tree = ast.parse(source.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return [f"{source.name} cannot be read"]
    found: list[str] = []
    for node in _outside_restore(tree):
        for name in _imported(node):
            package = name.partition(".")[0]
            if package not in _TRACED_PACKAGES and not _is_seen(package, source):
                found.append(f"{source.name} imports {package}, whose reads cannot be seen")
        # A variable may be called `restore`; a method of that name reads a checkpoint.
        is_use = isinstance(node, ast.Attribute) or (
            isinstance(node, ast.Name) and node.id != "restore"
        )
        name = ast.unparse(node) if is_use else ""
        found += [
            f"{source.name} uses {each}, whose reads cannot be seen"
            for each in (*_OPAQUE, *_METADATA, *_imported_opaque(node))
            if each in _imported_opaque(node) or f".{name}".endswith(f".{each}")
        ]
        if _looks_for_names(node):
            found.append(f"{source.name} looks for files by name, which cannot be seen")
    return list(dict.fromkeys(found))


def _looks_for_names(node: ast.AST) -> bool:
    """Return whether a call of `glob` may look for a name instead of listing a folder."""
    if not isinstance(node, ast.Call) or ast.unparse(node.func).split(".")[-1] not in _GLOB:
        return False
    pattern = node.args[0] if node.args else None
    pieces = pattern.values if isinstance(pattern, ast.JoinedStr) else [pattern]
    texts = [piece.value if isinstance(piece, ast.Constant) else "" for piece in pieces]
    parts = "".join(map(str, texts)).split("/")
    is_wild = [any(mark in part for mark in "*?[") for part in parts]
    # Only a wild part lists its folder; what follows one must be wild, too.
    return True not in is_wild or not all(is_wild[is_wild.index(True) :])


def _outside_restore(tree: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(tree):
        is_restore = isinstance(child, ast.FunctionDef) and child.name == "restore"
        if not is_restore and not (
            isinstance(child, ast.Call) and ast.unparse(child) in _OF_SOURCE
        ):
            yield child
            yield from _outside_restore(child)


def _imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [each.name for each in node.names]
    return [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []


def _imported_opaque(node: ast.AST) -> list[str]:
    names = node.names if isinstance(node, ast.ImportFrom) else []
    return [each.name for each in names if each.name in (*_OPAQUE, *_METADATA)]


def _is_seen(package: str, source: Path) -> bool:
    """Return whether a package is of Python's library, or the user's own, which is traced too."""
    if package in sys.stdlib_module_names:
        return package not in ("ctypes", "mmap", "multiprocessing")
    module = sys.modules.get(package)
    file = _file_of(module)
    return file is not None and _is_users(str(Path(file).resolve()))


def file_digest(path: Path) -> str:
    """Return the XXH3 hash of a file's content; `absent` if there is no such file."""
    summed = xxhash.xxh3_128()
    try:
        with path.open("rb") as file:
            while chunk := file.read(1 << 20):
                summed.update(chunk)
    except OSError:
        return "absent"
    return summed.hexdigest()


def names_digest(folder: Path, suffix: str = "") -> str:
    """Return the hash of the names in a folder that end so; `absent` if there is no such folder."""
    try:
        names = sorted(path.name for path in folder.iterdir() if path.name != "__pycache__")
    except OSError:
        return "absent"
    kept = [name for name in names if name.endswith(suffix)]
    return xxhash.xxh3_128("\0".join(kept).encode("utf-8", "surrogateescape")).hexdigest()


def changed(inputs: Mapping[str, Mapping[str, str]]) -> str | None:
    """Return the first input of a traced run that is different now, or None."""
    for path, digest in inputs["files"].items():
        if file_digest(Path(path)) != digest:
            return path
    for path, place in inputs.get("places", {}).items():
        if os.path.realpath(path) != place:
            return path
    for group, suffix in (("folders", ""), ("modules", ".py")):
        for path, digest in inputs[group].items():
            if names_digest(Path(path), suffix) != digest:
                return path
    return None
