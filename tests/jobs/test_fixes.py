"""Fixes: the report cards run both recipes, and `explain` prints the lines that differ."""

from itertools import chain

import pytest

from ckptcheck.diagnosis.catalogue import CAUSES
from ckptcheck.job.excerpts import excerpt
from ckptcheck.job.shipped import Fix, fixes_for, registry
from tests.command_line import call
from tests.conftest import ROOT
from tests.jobs.test_recipes import CASES, LOST

FIXES = [(cause, fix) for cause, fixes in registry().fixes.items() for fix in fixes]
EVERY = pytest.mark.parametrize(
    ("cause", "fix"), FIXES, ids=[f"{cause}: {fix.fixed}" for cause, fix in FIXES]
)


@EVERY
def test_the_cards_show_the_cause_and_the_recovery(cause: str, fix: Fix) -> None:
    """`python -m pytest -m cards` runs every case of LOST and CASES."""
    assert cause in CAUSES
    assert cause in {lost for lost, _ in LOST[fix.broken]}
    assert fix.fixed in CASES
    assert fix.fixed not in LOST


@EVERY
def test_the_code_is_short_and_legible(cause: str, fix: Fix) -> None:
    lines = fix.code().splitlines()
    assert 3 <= len(lines) <= 45
    assert all(len(line) <= 76 for line in lines)
    assert lines[0].startswith("class ")
    compile(fix.code(), fix.fixed, "exec")


def test_causes_with_a_fix() -> None:
    assert set(registry().fixes) >= {
        "data-order",
        "python-state-lost",
        "slots-lost",
        "weights-lost",
        "moving-statistics-lost",
        "step-lost",
        "generators-restarted",
        "shadows-lost",
    }
    assert [fix.style for fix in fixes_for("slots-lost")] == ["keras", "tf2"]
    assert fixes_for("noise") == []


def test_explain_prints_the_code() -> None:
    printed = call("explain", "python-state-lost", cwd=ROOT).stdout
    for fix in fixes_for("python-state-lost"):
        assert all(f"    {line}".rstrip() in printed for line in fix.code().splitlines())
    assert "Fixed, in Keras' fit: keras/plateau-saved × keras recovers, " in printed
    assert (
        "\n  To run them: ckptcheck verify keras/plateau keras/plateau-saved keras/best "
        "keras/best-kept\n"
    ) in printed
    assert all(len(line) <= 80 for line in chain(printed.splitlines()) if "To run" not in line)


def test_an_excerpt_has_no_types() -> None:
    source = """
class A(Base):  # type: ignore[misc]
    \"\"\"What it is.\"\"\"

    x: int = 1
    passed: dict[str, str] = {
        "a": "b",
    }

    def f(self, y: int = 2, **more: int) -> None:
        \"\"\"Do it.\"\"\"
        # why
        return y
"""
    assert excerpt(source, ["A.passed", "A.f"]) == (
        'class A(Base):\n    ...\n\n    passed = {\n        "a": "b",\n    }\n\n'
        "    def f(self, y=2, **more):\n        return y"
    )
