"""Chores: `nox` runs those of every commit, `nox --list` shows all. None needs root.

`.ci/run` is the sum of them.
"""

import os
import shlex
from pathlib import Path

import nox

nox.options.sessions = ["lint", "types", "tests", "docs", "light"]
nox.options.reuse_venv = "yes"
nox.needs_version = ">=2024.10.9"

PYTHONS = ["3.10", "3.11", "3.12", "3.13"]
# The oldest Keras that TensorFlow 2.21 accepts, and the newest.
KERAS = {"oldest": "keras==3.12.*", "newest": "keras"}
PYTEST = ["pytest", "pytest-timeout", "pytest-xdist"]
# What the PyTorch scripts train with.
AROUND_TORCH = ["lightning", "transformers", "accelerate", "torchdata"]
# What saves the folders that our reader of Orbax is compared on; it brings JAX.
ORBAX = "orbax-checkpoint>=0.12"

# The sessions that need everything share one environment: TensorFlow is large.
FULL = Path(os.environ.get("NOX_ENVDIR", Path(__file__).parent / ".nox")) / "full"


def run(session: nox.Session, command: str) -> None:
    """Run a command in the environment of a session; further arguments of nox go to it."""
    session.run(*shlex.split(command), *session.posargs)


def run_in_full(session: nox.Session, command: str) -> None:
    """Run a command in the shared environment; make or update that first."""
    binaries = FULL / "bin"
    if not binaries.exists():
        session.run("python", "-m", "venv", str(FULL))
    session.env["PATH"] = f"{binaries}{os.pathsep}{os.environ['PATH']}"
    python = str(binaries / "python")
    session.run(python, "-m", "pip", "install", "--quiet", "-e", ".[test]")
    program, *arguments = shlex.split(command)
    session.run(str(binaries / program), *arguments, *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Check style, spelling, and the directions of imports."""
    session.install("-e", ".", "ruff", "codespell", "import-linter")
    for command in ("ruff check .", "ruff format --check .", "codespell", "lint-imports"):
        run(session, command)


@nox.session(venv_backend="none")
def types(session: nox.Session) -> None:
    """Check types."""
    run_in_full(session, "mypy")


@nox.session(venv_backend="none")
def tests(session: nox.Session) -> None:
    """Run the test suite."""
    run_in_full(session, "python -m pytest")


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation; a warning fails."""
    session.install("-e", ".[docs]")
    run(session, "mkdocs build --strict")


@nox.session
def light(session: nox.Session) -> None:
    """Test what works without a framework, in an environment that has none."""
    session.install("-e", ".", *PYTEST)
    run(session, "python -m pytest tests/test_light.py")


@nox.session(venv_backend="none")
def cards(session: nox.Session) -> None:
    """Run the report cards, and the studies of the documentation: minutes."""
    run_in_full(session, "python -m pytest -m cards")


@nox.session(venv_backend="none")
def damage(session: nox.Session) -> None:
    """Read every damage of small checkpoints: minutes."""
    run_in_full(session, "python -m tests.damage")


@nox.session(venv_backend="none")
def defects(session: nox.Session) -> None:
    """Find every planted defect on TensorFlow, in three variants: ten minutes."""
    run_in_full(session, "python -m tests.defects")


@nox.session(venv_backend="none")
def clean(session: nox.Session) -> None:
    """Verify a fifth of the clean jobs: minutes."""
    run_in_full(session, "python -m tests.clean --sample")


@nox.session(venv_backend="none")
def trials(session: nox.Session) -> None:
    """Verify the jobs that people met: minutes."""
    run_in_full(session, "python -m tests.trials")


@nox.session(venv_backend="none")
def commands(session: nox.Session) -> None:
    """Verify real training scripts, unchanged: minutes."""
    run_in_full(session, "python -m tests.commands")


def install_torch(session: nox.Session) -> None:
    """Install PyTorch, without TensorFlow, and what its scripts train with."""
    session.install("torch==2.13.0")  # first: a small build
    session.run_install(*shlex.split("pip install -e '.[torch]'"))
    session.install(*PYTEST, "hypothesis>=6.100", *AROUND_TORCH)


@nox.session
def torch(session: nox.Session) -> None:
    """Verify PyTorch scripts, defects and clean jobs, and test the adapter: minutes."""
    install_torch(session)
    session.install(ORBAX)
    run(session, "python -m tests.commands.torch")
    run(session, "python -m tests.damage --sample torch dcp")
    for chore in ("tests.defects", "tests.clean"):
        session.run("python", "-m", chore, "--sample", "--framework", "torch")


@nox.session
def drills(session: nox.Session) -> None:
    """Kill PyTorch scripts, broken and fixed, at every point: a quarter of an hour."""
    install_torch(session)
    run(session, "python -m pytest -m drills tests/drills")


@nox.session
def torch_cards(session: nox.Session) -> None:
    """Run the report cards of PyTorch and of the libraries around it: ten minutes."""
    install_torch(session)
    run(session, "python -m pytest -n 0 -m cards tests/jobs/test_torch_cards.py")


@nox.session(python=PYTHONS)
@nox.parametrize("keras", list(KERAS))
def matrix(session: nox.Session, keras: str) -> None:
    """Run the test suite on a version of Python and of Keras."""
    session.install("-e", ".[test]", KERAS[keras])
    run(session, "python -m pytest")
