"""What README.md and docs/ say: links lead somewhere, numbers are those of the kept data, nothing is left out."""

import importlib.util
import re
from typing import Any

import pandas as pd
import pytest

from tests.conftest import ROOT
from tests.documents import PAGES, README
from tests.refresh_docs import most_similar

DOCS = "\n".join(text for page, text in PAGES.items() if page.startswith("docs/"))


@pytest.mark.parametrize("page", PAGES)
def test_what_is_linked_is_there(page: str) -> None:
    for path in re.findall(r"\]\((?!https:|#)([^)#]+)(?:#[\w-]+)?\)", PAGES[page]):
        assert ((ROOT / page).parent / path).is_file(), path


@pytest.mark.parametrize("page", PAGES)
def test_prose_has_lines_of_at_most_100_columns(page: str) -> None:
    prose = re.sub(r"^```.*?^```", "", PAGES[page], flags=re.MULTILINE | re.DOTALL)
    for line in prose.splitlines():
        assert len(line) <= 100 or line.startswith(("|", "![")), line


def test_the_readme_is_a_page() -> None:
    assert len(README.splitlines()) <= 150


def test_the_readme_leads_to_every_page_that_is_written_by_hand() -> None:
    generated = {"docs/causes.md", "docs/command-line.md", "docs/api.md"}
    # Reached from the page about drills.
    generated |= {"docs/savers.md"} if "](savers.md)" in PAGES["docs/drill.md"] else set()
    linked = set(re.findall(r"\]\((docs/[\w.-]+)\)", README))
    assert linked == {page for page in PAGES if page.startswith("docs/")} - generated


def test_the_site_has_every_page() -> None:
    navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    for page in PAGES:
        if page.startswith("docs/"):
            assert f": {page.removeprefix('docs/')}\n" in navigation


def test_the_wheel_is_that_of_this_version() -> None:
    (version,) = re.findall(
        r'^version = "(.*)"', (ROOT / "pyproject.toml").read_text(), re.MULTILINE
    )
    wheels = re.findall(r"ckptcheck-[\w.]+-py3-none-any\.whl", README + DOCS)
    assert set(wheels) == {f"ckptcheck-{version}-py3-none-any.whl"}


def kept(study: str, table: str) -> pd.DataFrame:
    return pd.read_csv(ROOT / "data" / "study" / f"{study}-{table}.csv")


def test_the_numbers_of_the_studies_are_those_of_the_kept_data() -> None:
    runs = kept("convergence", "runs").pivot(index="seed", columns="variant")
    to_98: Any = runs["epochs_to_0.98"].median()
    ends, plain = (
        runs["final_validation_accuracy"],
        kept("convergence", "runs").query("variant == 'plain'"),
    )
    apis = kept("bn-apis", "runs").query("humps > 0").groupby("variant")["seed"].agg(list)
    ablation, humps = kept("bn-ablation", "runs"), kept("bn-ablation", "humps").query("returned")
    of_training = humps.query("train_rise > 0.5").merge(ablation[["variant", "seed", "training"]])
    start: Any = ablation.groupby("variant")["epochs_to_0.98"].median()
    low = humps[humps["train_rise"] <= 0.5]["size"]
    rises = ablation.pivot(index="seed", columns="variant", values="largest_rise")
    assert list(apis["bn-nn"]) == list(apis["bn-layers"])
    text = " ".join(PAGES["docs/studies.md"].split())
    for sentence in (
        f"reaches a validation accuracy of 98 % after {to_98['bn-nn']:g} epochs, without it after {to_98['plain']:g}.",
        f"the final accuracy is higher in {(ends['bn-nn'] > ends['plain']).sum()} of {len(runs)} seeds.",
        f"{len(apis['bn-layers'])} of 12 runs on `tf.layers` have a hump. So do {len(apis['bn-nn'])} of 12 runs on "
        f"`tf.nn`, with the same seeds, and {(plain['humps'] > 0).sum()} of 12 runs without batch norm.",
        f"Of {len(ablation)} runs of {ablation['variant'].nunique()} variants, {len(humps)} have a hump. In "
        f"{len(of_training)} of the {len(humps)} the training loss rises at the same time",
        f"These {len(of_training)} runs are {of_training['training'].nunique()} different trainings, of the same "
        f"{of_training['seed'].nunique()} seeds",
        f"The other {len(low)} humps are {100 * low.min():.0f} to {100 * low.max():.0f} % above the minimum",
        f"the largest rise is higher in {(rises['decay-0.999'] > rises['bn-nn']).sum()} of 12 seeds (median "
        f"{100 * rises['decay-0.999'].median():.0f} % above the minimum, against {100 * rises['bn-nn'].median():.0f} %)",
        f"`tf.layers` takes {start['bn-layers']:g} epochs to a validation accuracy of 98 %, and the article's code takes "
        f"{start['bn-nn']:g}. With warm-up (`layers-warm-up`), `tf.layers` takes {start['layers-warm-up']:g} as well.",
    ):
        assert sentence in text, sentence


def test_options_are_explained() -> None:
    for option in [
        "--set",
        "--expect",
        "--timeout",
        "--json",
        "--out",
        "--boundary",
        "--boundaries",
        "--steps",
        "--repeat",
        "--allow",
        "--rtol",
        "--html",
        "--junit",
        "--markdown",
        "--executor",
        "--dataset",
        "--suite",
        "--no-unsaved",
        "--resume",
        "--save",
        "--max-steps",
        "--writes",
        "--metric",
    ]:
        assert f"`{option}" in DOCS or f" {option} " in DOCS, option


@pytest.fixture(scope="module")
def hooks() -> Any:
    spec = importlib.util.spec_from_file_location("hooks", ROOT / "docs" / "hooks.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_cause_has_a_section(hooks: Any) -> None:
    from ckptcheck.diagnosis.catalogue import CAUSES
    from ckptcheck.job.shipped import fixes_for

    page = hooks.on_page_markdown(PAGES["docs/causes.md"])
    assert re.findall(r"^## (\S+)$", page, re.MULTILINE) == list(CAUSES)
    for cause in CAUSES.values():
        assert f"\n{hooks._prose(cause.summary)}\n" in page
        assert f"]({cause.reported})" in page
        assert (f"`--allow {cause.name}`" in page) == cause.acceptable
        for fix in fixes_for(cause.name):
            assert f"```python\n{fix.code()}\n```" in page


def test_every_command_has_its_help(hooks: Any) -> None:
    page = hooks.on_page_markdown(PAGES["docs/command-line.md"])
    commands = re.findall(r"^## (\S+)$", page, re.MULTILINE)
    assert {
        "verify",
        "study",
        "compare",
        "judge",
        "inspect",
        "diff",
        "fsck",
        "seal",
        "explain",
        "jobs",
    } <= set(commands)
    assert page.count("--help") >= len(commands)


def test_every_job_and_recipe_has_a_row(hooks: Any) -> None:
    from ckptcheck.job.shipped import ShippedCommand
    from ckptcheck.jobs.registry import JOBS, REGISTRY

    rows = [row.split("|")[1:-1] for row in hooks.jobs().splitlines()]
    restores = [cell.strip(" `") for cell in rows[0][2:]]
    outcomes = {row[0].strip(" `"): [cell.strip() for cell in row[2:]] for row in rows[2:]}
    assert list(outcomes) == list(JOBS)
    for name, job in JOBS.items():
        assert outcomes[name] == [job.expected.get(restore, "") for restore in restores]
    scripts = [each for each in REGISTRY.recipes.values() if isinstance(each, ShippedCommand)]
    for script in scripts:
        twin = REGISTRY.recipes.get(f"{script.name}-fixed")
        fix = hooks._prose(twin.summary.removeprefix("Fixed: ")) if twin else ""
        what = f"{hooks._prose(script.summary)} | {script.expected['restart']} | {fix}"
        is_listed = f"\n| `{script.name}` | {what} |" in hooks.scripts()
        assert is_listed == (not script.arguments)
    for recipe in REGISTRY.recipes.values():
        if recipe in scripts:
            continue
        listed = ", ".join(f"`{restore}` {outcome}" for restore, outcome in recipe.expected.items())
        assert (
            f"\n| `{recipe.name}` | {hooks._prose(recipe.summary)} | {listed} |" in hooks.recipes()
        )


def test_figures_are_found_on_the_site(hooks: Any) -> None:
    assert hooks.on_page_markdown("![x](../data/curves.png)") == "![x](data/curves.png)"


PRINTED = """\
Case    Result
first   passed

first: everything came back
  from the file

second: the weights are gone
  → Save the weights.

That is all.
"""


def test_an_output_is_found_again_when_its_words_change() -> None:
    old = "second: weights have gone\n  → Save weights.\n"
    assert most_similar(old, [PRINTED], is_cut=False) == (
        "second: the weights are gone\n  → Save the weights.\n"
    )
    assert most_similar("Case    Outcome\nfirst   passed\n", [PRINTED], is_cut=False) == (
        "Case    Result\nfirst   passed\n"
    )
    assert most_similar("second: weights are gone\n", [PRINTED], is_cut=True) == (
        "second: the weights are gone\n"
    )
    assert most_similar("Something else entirely.\n", [PRINTED], is_cut=False) is None


def test_local_tools_are_all_that_a_commit_needs() -> None:
    """A hook fetched from a repository of strangers would run on every contributor's machine."""
    hooks = (ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8")
    assert re.findall(r"repo: (\S+)", hooks) == ["local"]


def test_no_path_of_one_machine() -> None:
    for page, text in PAGES.items():
        assert not re.search(r"/(?:work|root|home)/", text), page
