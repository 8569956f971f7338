"""The pytest plugin: a fixture that verifies a job and fails with the whole diagnosis.

Every pytest session imports this module, so it defers every heavy import to the fixture's call.
"""

import hashlib
import inspect
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from ckptcheck.report.report import Report

VerifyRecovery = Callable[..., "Report"]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of the plugin."""
    group = parser.getgroup("ckptcheck", "verify that training jobs recover from their checkpoints")
    group.addoption(
        "--ckptcheck-out", metavar="DIR", help="Keep the runs of every verified job in DIR."
    )
    group.addoption("--ckptcheck-cache", metavar="DIR", help="Reuse unchanged controls from DIR.")
    group.addoption(
        "--ckptcheck-boundaries",
        metavar="LIST",
        help="Save and resume at each of these boundaries: 1,mid,epoch,last, or a count.",
    )
    group.addoption(
        "--ckptcheck-repeat",
        type=int,
        metavar="N",
        help="Run each control N more times to measure the noise of the job.",
    )
    group.addoption(
        "--ckptcheck-timeout",
        type=float,
        default=300.0,
        metavar="SECONDS",
        help="Kill a process that is silent for SECONDS. Default: 300.",
    )


@pytest.fixture(scope="session")
def _ckptcheck_folder(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Return the folder of this session's runs, shared by all workers of pytest-xdist."""
    kept = request.config.getoption("--ckptcheck-out")
    if kept:
        return Path(kept).resolve()
    base = tmp_path_factory.getbasetemp()
    # Each worker of xdist has its own folder below the one of the session.
    return (base.parent if hasattr(request.config, "workerinput") else base) / "ckptcheck"


@pytest.fixture
def verify_recovery(request: pytest.FixtureRequest, _ckptcheck_folder: Path) -> VerifyRecovery:
    """Verify that a job recovers from its checkpoint.

    Call it with a job (`"train.py:Train"`, `"package.module:Train"` or the class itself), the name
    of a restore, and any of `expect`, `options`, `steps`, `boundary`, `boundaries`, `repeat`,
    `unsaved`, `timeout`, `rtol`, `atol`, `equal_nan` and `allow`; see `ckptcheck.verify`.

    It returns the report, or fails the test with the diagnosis. Tests of one job share its control:
    the first test runs the job with all its restores.

    Example:
        ```python
        def test_recovery(verify_recovery):
            verify_recovery("train.py:Train", "all", boundary=30)
        ```
    """

    def verify_recovery(
        job: Any,
        restore: str | Sequence[str] = (),
        *,
        expect: str = "recovered",
        rtol: float = 0.0,
        atol: float = 0.0,
        equal_nan: bool = False,
        allow: Sequence[str] = (),
        **asked: Any,
    ) -> "Report":
        __tracebackhide__ = True
        # Imports pandas: only for tests that verify a job.
        from ckptcheck.errors import CkptcheckError
        from ckptcheck.report.rejudge import judge_folder
        from ckptcheck.tolerance import Tolerance

        target = job if isinstance(job, str) else f"{inspect.getfile(job)}:{job.__qualname__}"
        restores = [restore] if isinstance(restore, str) else restore
        # The failure shows the message alone, without a chain of exceptions.
        try:
            runs = _runs_of(target, {**_defaults(request.config), **asked}, _ckptcheck_folder)
            report = judge_folder(
                runs,
                restores,
                expect=expect,
                allow=allow,
                tolerance=Tolerance(rtol, atol, equal_nan),
            )
            report.assert_as_expected()
        except CkptcheckError as error:
            raise pytest.fail.Exception(
                f"ckptcheck could not verify {target}: {error}", pytrace=False
            ) from None
        except AssertionError as error:
            raise pytest.fail.Exception(f"{error}\n\nRuns: {runs}", pytrace=False) from None
        return report

    return verify_recovery


def _defaults(config: pytest.Config) -> dict[str, Any]:
    """Return the arguments of `ckptcheck.verify` that the options of the session set."""
    from ckptcheck.job.schedule import parse_boundaries

    given = {
        name: config.getoption(f"--ckptcheck-{name}")
        for name in ("boundaries", "cache", "repeat", "timeout")
    }
    if given["boundaries"] is not None:
        given["boundaries"] = parse_boundaries(given["boundaries"])
    return {name: value for name, value in given.items() if value is not None}


def _runs_of(job: str, asked: Mapping[str, Any], top: Path) -> Path:
    """Return the folder with the runs of a job; run them if no earlier test has."""
    from filelock import FileLock

    from ckptcheck.job.loading import is_own
    from ckptcheck.job.shipped import shipped
    from ckptcheck.pipeline import verify
    from ckptcheck.report.rejudge import QUESTIONS

    if asked.get("boundary") is not None:
        asked = {name: value for name, value in asked.items() if name != "boundaries"}
    request = json.dumps([job, str(Path.cwd()), asked], sort_keys=True, default=repr)
    readable = "".join(letter if letter.isalnum() else "-" for letter in job.rpartition("/")[2])
    folder = top / f"{readable}-{hashlib.sha256(request.encode()).hexdigest()[:12]}"
    top.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_suffix(".lock")):
        if not (folder / QUESTIONS).is_file():
            every_restore = None if is_own(job) else list(shipped(job).expected)
            verify(job, every_restore, folder=folder, **asked)
    return folder
