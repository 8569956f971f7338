"""The pytest plugin: a fixture that verifies a job and fails with the whole diagnosis.

Every pytest session imports this module, so it defers every heavy import to the fixture's call.
"""

import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from ckptcheck.job.given import Given
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
        "--ckptcheck-resume-twice",
        action="store_true",
        default=None,
        help="Also resume each run that was resumed and saved again.",
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

    Call it with a job (`"train.py:Train"`, `"package.module:Train"`, a class or an instance), the
    name of a restore, and any of `expect`, `options`, `steps`, `boundary`, `boundaries`, `repeat`,
    `unsaved`, `resume_twice`, `timeout`, `kinds`, `rtol`, `atol`, `equal_nan` and `allow`; see
    `ckptcheck.verify`.
    A path is relative to the working directory, pytest's root or the folder of the test.

    Or call it with `command=["python", "train.py", "--out", "{run}"]`, and any of `resume`,
    `writes`, `save`, `max_steps` and `metric`: a command as it is, run in the working directory.

    Without a job and a command, it verifies what `[tool.ckptcheck]` in pyproject.toml names.

    It returns the report, or fails the test with the diagnosis. Tests of one job share its control:
    the first test runs the job with all its restores.

    Example:
        ```python
        def test_recovery(verify_recovery):
            verify_recovery("train.py:Train", "all", boundary=30)
        ```
    """

    def verify_recovery(
        job: Any = None,
        restore: str | Sequence[str] = (),
        *,
        expect: str | None = None,
        rtol: float = 0.0,
        atol: float = 0.0,
        equal_nan: bool = False,
        allow: Sequence[str] | Mapping[str, str] = (),
        **asked: Any,
    ) -> "Report":
        __tracebackhide__ = True
        # Imports pandas: only for tests that verify a job.
        from ckptcheck.errors import CkptcheckError

        terms = {"expect": expect, "rtol": rtol, "atol": atol, "equal_nan": equal_nan}
        asked = {**_defaults(request.config), **asked, **terms, "allow": allow}
        given = {"job": _found(job, request), "restore": restore, **asked}
        runs: list[Path] = []
        # The failure shows the message alone, without a chain of exceptions.
        try:
            named = job is not None or "command" in asked
            whole = given if named else _of_project(given, request)
            verified = _of_command if "command" in whole else _judged
            report = verified(whole, _ckptcheck_folder, runs)
            report.assert_as_expected()
        except CkptcheckError as error:
            what = given["job"] or ("the command" if "command" in asked else "the project")
            raise pytest.fail.Exception(
                f"ckptcheck could not verify {what}: {error}", pytrace=False
            ) from None
        except AssertionError as error:
            kept = "\n".join(f"Runs: {folder}" for folder in runs)
            raise pytest.fail.Exception(f"{error}\n\n{kept}", pytrace=False) from None
        return report

    return verify_recovery


def _defaults(config: pytest.Config) -> dict[str, Any]:
    """Return the arguments of `ckptcheck.verify` that the options of the session set."""
    from ckptcheck.job.schedule import parse_boundaries

    given = {
        name: config.getoption(f"--ckptcheck-{name.replace('_', '-')}")
        for name in ("boundaries", "cache", "repeat", "resume_twice", "timeout")
    }
    if given["boundaries"] is not None:
        given["boundaries"] = parse_boundaries(given["boundaries"])
    return {name: value for name, value in given.items() if value is not None}


def _found(job: Any, request: pytest.FixtureRequest) -> Any:
    """Return a job whose path is relative to the working directory, the root or the test's file."""
    place, _, name = job.rpartition(":") if isinstance(job, str) else ("", "", "")
    if not place.endswith(".py") or Path(place).is_file():
        return job
    for folder in (request.config.rootpath, request.path.parent):
        if (folder / place).is_file():
            return f"{os.path.relpath(folder / place)}:{name}"
    return job


def _of_project(given: Mapping[str, Any], request: pytest.FixtureRequest) -> Mapping[str, Any]:
    """Return the arguments that the project's table names, where the test names none."""
    from ckptcheck.errors import UsageError
    from ckptcheck.job.project import TABLE, project

    table = project(Path.cwd()) or project(request.path.parent)
    if table is None:
        raise UsageError(f"no job is named, and no pyproject.toml has a table {TABLE}.")
    asked = {name: value for name, value in given.items() if value not in (None, (), 0.0, False)}
    if not table.jobs:
        _, settings = table.command(())
        return {**settings, **asked}
    return {"restore": table.restores, **table.settings, **asked, "job": table.jobs}


def _of_command(given: Mapping[str, Any], top: Path, runs: list[Path]) -> "Report":
    """Verify a command; what the session sets for jobs alone is not asked of it."""
    from ckptcheck.pipeline import verify

    asked = {name: value for name, value in given.items() if name not in ("boundaries", "cache")}
    top.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="command-", dir=top))
    runs.append(folder)
    return verify(**asked, folder=folder)


def _judged(given: Mapping[str, Any], top: Path, runs: list[Path]) -> "Report":
    """Run what no earlier test has run, and judge it; add the folders of the runs to `runs`."""
    from ckptcheck.job.given import given as as_given
    from ckptcheck.report.judge import report
    from ckptcheck.report.rejudge import judge_folder
    from ckptcheck.tolerance import Tolerance

    asked = dict(given)
    jobs, restore, expect = (
        as_given(asked.pop("job")),
        asked.pop("restore"),
        asked.pop("expect", None),
    )
    names = ("rtol", "atol", "equal_nan")
    tolerance = Tolerance(**{name: asked.pop(name) for name in names if name in asked})
    allow = asked.pop("allow", ())
    for job in jobs:
        runs.append(
            _runs_of(job, {**asked, "expect": expect if isinstance(expect, Mapping) else None}, top)
        )
    restores = [restore] if isinstance(restore, str) else restore
    outcome = None if isinstance(expect, Mapping) else expect or "recovered"
    judged = [
        judge_folder(each, restores, expect=outcome, allow=allow, tolerance=tolerance)
        for each in runs
    ]
    return report([case for each in judged for case in each.cases])


def _runs_of(job: "Given", asked: Mapping[str, Any], top: Path) -> Path:
    """Return the folder with the runs of a job; run them if no earlier test has."""
    from filelock import FileLock

    from ckptcheck.job.loading import is_own
    from ckptcheck.job.shipped import entry
    from ckptcheck.pipeline import verify
    from ckptcheck.report.rejudge import QUESTIONS

    asked = {name: value for name, value in asked.items() if value is not None}
    if "boundary" in asked:
        asked.pop("boundaries", None)
    sent = hashlib.sha256(job.pickled or b"").hexdigest()
    request = json.dumps([job.name, sent, str(Path.cwd()), asked], sort_keys=True, default=repr)
    name = job.name.rpartition("/")[2]
    readable = "".join(letter if letter.isalnum() else "-" for letter in name)
    folder = top / f"{readable}-{hashlib.sha256(request.encode()).hexdigest()[:12]}"
    top.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_suffix(".lock")):
        if not (folder / QUESTIONS).is_file():
            every_restore = None if is_own(job.name) else list(entry(job.name).expected)
            verify(job, every_restore, folder=folder, **asked)
    return folder
