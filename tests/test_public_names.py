"""The public names, and the modules that importing them must not load."""

import pkgutil
import re
import subprocess
import sys

import pytest

import ckptcheck


def test_public_names() -> None:
    names = ckptcheck.__all__  # type: ignore[attr-defined]  # made by lazy_loader from the stub
    assert names == sorted(names, key=str)
    assert names == [
        "Case",
        "CkptcheckError",
        "DrillReport",
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
        "drill",
        "fsck",
        "inspect",
        "judge_folder",
        "open_checkpoint",
        "plot",
        "plot_study",
        "record",
        "seal",
        "study",
        "verify",
    ]
    for name in names:
        assert getattr(ckptcheck, name).__name__ == name
    with pytest.raises(AttributeError, match="No ckptcheck attribute verfy"):
        getattr(ckptcheck, "verfy")  # noqa: B009  # a name that no type checker knows


def loaded_by(code: str) -> set[str]:
    command = f"{code}\nimport sys; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", command], check=True, capture_output=True, text=True
    )
    return {name.partition(".")[0] for name in done.stdout.split()}


HEAVY = {"tensorflow", "keras", "tf_keras", "matplotlib", "bokeh", "distributed"}
# Modules that may import frameworks, figures and pages.
MAY_LOAD_HEAVY = re.compile(
    r"ckptcheck\.(adapters|jobs\.(article|bn_\w+|no_norm|(recipes|savers)\.\w+)|.*\bhtml|.*\bplot|.*\bfigure)\b"
)


def test_the_core_never_loads_tensorflow() -> None:
    modules = [
        name
        for _, name, _ in pkgutil.walk_packages(ckptcheck.__path__, "ckptcheck.")
        if not MAY_LOAD_HEAVY.match(name)
    ]
    core = [name for name in modules if not name.endswith("__main__")]
    assert len(core) > 50
    assert not loaded_by("\n".join(f"import {name}" for name in core)) & HEAVY


def test_the_command_line_starts_light() -> None:
    assert not loaded_by("import ckptcheck.cli") & (HEAVY | {"numpy", "pandas", "rich.progress"})


def test_the_check_finds_a_heavy_module() -> None:
    assert "matplotlib" in loaded_by("import ckptcheck.cli, matplotlib")
