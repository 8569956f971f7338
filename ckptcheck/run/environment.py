"""The environment of a process.

Runs from different environments are not compared: a difference would prove nothing.
"""

import importlib.metadata
import os
import platform
from collections.abc import Mapping

from ckptcheck.cores import cores
from ckptcheck.job.frameworks import Framework, frameworks, has_deterministic_ops, numerics


def fingerprint() -> dict[str, str]:
    """Return what describes this process: Python, machine, cores, versions and switches."""
    installed = [each for each in frameworks() if each.is_loaded or _is_installed(each)]
    packages = ["numpy", *(package for framework in installed for package in framework.packages)]
    # Switches of OpenMP and OpenBLAS can change the last bits of a result, like a framework's.
    own = [switch for framework in installed for switch in framework.switches]
    switches = ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", *own]
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cores": str(cores()),
        "op determinism": "on" if has_deterministic_ops() else "off",
        **numerics(),
        **{package: version_of(package) for package in packages},
        **{switch: os.environ.get(switch, "unset") for switch in switches},
    }


def _is_installed(framework: Framework) -> bool:
    return any(version_of(package) != "absent" for package in framework.packages)


def mismatches(control: Mapping[str, str], other: Mapping[str, str]) -> list[str]:
    """Return each difference of a run's fingerprint from its control's as a clause."""
    return [
        f"{name} is {other.get(name, 'unknown')} (control: {control.get(name, 'unknown')})"
        for name in sorted({*control, *other})
        if control.get(name) != other.get(name)
    ]


def version_of(package: str) -> str:
    """Return the installed version of a package, or `absent`."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "absent"
