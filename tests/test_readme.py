"""What the README says: its figures and links are there, its numbers are those of the kept data, and nothing is left out."""

import re
from typing import Any

import pandas as pd

from tests.conftest import ROOT
from tests.documents import README


def test_what_is_linked_is_there() -> None:
    for path in re.findall(r"\]\((?!https:)([^)#]+)\)", README):
        assert (ROOT / path).is_file(), path


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
    text = " ".join(README.split())
    for sentence in (
        f"a validation accuracy of 98 % after {to_98['bn-nn']:g} epochs (median), the network without after {to_98['plain']:g}, "
        f"and ends higher in {(ends['bn-nn'] > ends['plain']).sum()} of {len(runs)} seeds",
        f"{len(apis['bn-layers'])} of 12 runs do, and so do {len(apis['bn-nn'])} of 12 runs on `tf.nn`, with the same seeds, and "
        f"even {(plain['humps'] > 0).sum()} of 12 without batch norm",
        f"Of {len(ablation)} runs of {ablation['variant'].nunique()} variants {len(humps)} have a hump; in {len(of_training)} of "
        f"the {len(humps)} the training loss rises",
        f"These {len(of_training)} are {of_training['training'].nunique()} different trainings, of the same "
        f"{of_training['seed'].nunique()} seeds",
        f"The other {len(low)} humps are low ({100 * low.min():.0f} to {100 * low.max():.0f} % above the minimum)",
        f"the largest rise is higher in {(rises['decay-0.999'] > rises['bn-nn']).sum()} of 12 seeds (median "
        f"{100 * rises['decay-0.999'].median():.0f} % above the minimum, against {100 * rises['bn-nn'].median():.0f} %)",
        f"`tf.layers` takes {start['bn-layers']:g} epochs to a validation accuracy of 98 % where the article's code takes "
        f"{start['bn-nn']:g}; with warm-up (`layers-warm-up`) it is {start['layers-warm-up']:g} again",
    ):
        assert sentence in text


def test_every_option_outcome_and_restore_is_named() -> None:
    from ckptcheck.jobs.registry import JOBS

    for word in [
        "--set",
        "--expect",
        "--timeout",
        "--json",
        "--out",
        "--boundary",
        "--steps",
        "--html",
        "--executor",
        "--dataset",
        *JOBS,
    ]:
        assert word in README
    for name, job in JOBS.items():
        for restore, outcome in job.expected.items():
            row = next(line for line in README.splitlines() if line.startswith(f"| `{restore}`"))
            column = ["bn-nn", "bn-layers", "bn-polyak", "plain"].index(name)
            assert row.split("|")[3 + column].strip() == outcome
