"""`ckptcheck judge`: the same runs, different terms."""

from pathlib import Path

from tests.command_line import TOY_RUN, call, run
from tests.conftest import toy


def test_judging_runs_again(tmp_path: Path) -> None:
    assert run("verify", toy("Rounds"), *TOY_RUN, cwd=tmp_path).returncode == 1
    assert call("judge", "ckptcheck-out", cwd=tmp_path).returncode == 1
    done = call("judge", "ckptcheck-out", "--rtol", "1e-5", "--atol", "1e-7", cwd=tmp_path)
    assert done.returncode == 0
    assert "Rounds recovers with `all`, within the tolerance rtol=1e-05 atol=1e-07." in done.stdout
    assert "Equal means: within the tolerance rtol=1e-05 atol=1e-07." in done.stdout
    assert (
        call(
            "judge", "ckptcheck-out", "--expect", "diverged", "--restore", "all", cwd=tmp_path
        ).returncode
        == 0
    )
    page = call("judge", "ckptcheck-out", "--html", "page.html", cwd=tmp_path)
    assert "\nPage: page.html\n" in page.stdout
    text = (tmp_path / "page.html").read_text()
    assert "<code>ckptcheck judge ckptcheck-out --html page.html</code>" in text
    nothing = call("judge", ".", cwd=tmp_path)
    assert nothing.returncode == 2
    assert "Give the folder that `ckptcheck verify --out` wrote." in nothing.stderr
