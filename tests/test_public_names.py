"""What a user imports, and what that import must not load."""

import pkgutil
import re
import subprocess
import sys

import pytest

import ckptcheck


def test_public_names() -> None:
    assert ckptcheck.__all__ == sorted(ckptcheck.__all__, key=str)
    assert ckptcheck.__all__ == [
        "Case",
        "CkptcheckError",
        "Job",
        "Kind",
        "Loop",
        "LoopingJob",
        "NotVerifiedError",
        "Report",
        "RestoreRefusedError",
        "Restored",
        "Step",
        "Study",
        "Tensor",
        "Tolerance",
        "UsageError",
        "compare_runs",
        "diff",
        "fsck",
        "inspect",
        "judge_folder",
        "open_checkpoint",
        "plot",
        "plot_study",
        "record",
        "study",
        "verify",
    ]
    for name in ckptcheck.__all__:
        assert getattr(ckptcheck, name).__name__ == name
    with pytest.raises(AttributeError, match="No ckptcheck attribute verfy"):
        _ = ckptcheck.verfy


def loaded_by(code: str) -> set[str]:
    command = f"{code}\nimport sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", command], check=True, capture_output=True, text=True)
    return {name.partition(".")[0] for name in done.stdout.split()}


HEAVY = {"tensorflow", "keras", "tf_keras", "matplotlib", "bokeh", "distributed"}
# What only a worker loads.
EDGES = re.compile(
    r"ckptcheck\.(adapters\.(?!tensorflow\.(framework|remedies)$|tensorflow$)|jobs\.(?!registry|options|datasets|recipes\.suites)"
    r"|report\.html\.(page|verification)|studies\.html|__main__)"
)


def test_the_core_never_loads_tensorflow() -> None:
    modules = [module.name for module in pkgutil.walk_packages(ckptcheck.__path__, "ckptcheck.")]
    core = [module for module in modules if not EDGES.match(module)]
    assert len(core) > 120
    assert not loaded_by("\n".join(f"import {module}" for module in core)) & HEAVY


def test_the_command_line_starts_light() -> None:
    assert not loaded_by("import ckptcheck.cli") & (HEAVY | {"numpy", "pandas", "rich.progress"})


def test_the_check_itself_bites() -> None:
    assert "matplotlib" in loaded_by("import ckptcheck.cli, matplotlib")
