"""Models of `tf_keras`: what a way to save loses has its right name, for every optimizer."""

from collections.abc import Mapping
from typing import Any

import pytest

from ckptcheck import Case, verify
from tests.clean import keras_2 as clean

# One verification of all jobs, which a busy machine takes minutes for.
pytestmark = [pytest.mark.trials, pytest.mark.timeout(900)]

OPTIMIZERS = (
    "Sequential",
    "Momentum",
    "RMSprop",
    "Adagrad",
    "Adadelta",
    "Adamax",
    "AdamW",
    "Nadam",
    "Ftrl",
    "Adafactor",
    "Lion",
    "LegacyAdam",
    "LegacySGD",
    "LegacyRMSprop",
    "LegacyFtrl",
)
for _name in OPTIMIZERS:
    globals()[_name] = type(_name, (getattr(clean, _name),), {"restores": ("weights",)})


class NadamInFiles(clean.Nadam):
    restores = ("keras", "h5")


class LegacyInKeras(clean.LegacyAdam):
    restores = ("keras",)


class Folder(clean.BatchNorm):
    restores = ("saved-model",)


Cases = Mapping[tuple[str, str], Case]


@pytest.fixture(scope="module")
def cases() -> Cases:
    jobs = [f"{__file__}:{job}" for job in (*OPTIMIZERS, "NadamInFiles", "LegacyInKeras", "Folder")]
    report = verify(jobs)
    return {(case.job.rpartition(":")[2], case.restore): case for case in report.cases}


def causes(case: Case) -> set[str]:
    return {found.cause for found in case.diagnoses}


@pytest.mark.parametrize("job", OPTIMIZERS)
def test_weights_lose_slots_and_step(cases: Cases, job: str) -> None:
    case = cases[job, "weights"]
    assert causes(case) == {"slots-lost", "step-lost"}
    # Files hold nothing of a legacy optimizer; load_weights skips any other without slots.
    stage = "omitted at save" if job.startswith("Legacy") else "not applied at load"
    product = {"omitted at save"} if job == "Nadam" else set()
    assert {found.stage for found in case.diagnoses} == {stage} | product


@pytest.mark.parametrize("restore", ["keras", "h5"])
def test_the_product_of_nadam_is_in_no_file(cases: Cases, restore: str) -> None:
    found: Any = cases["NadamInFiles", restore].diagnoses
    assert [(each.cause, tuple(each.tensors)) for each in found] == [
        ("slots-lost", ("Nadam/u_product",))
    ]


def test_a_legacy_optimizer_is_in_no_keras_file(cases: Cases) -> None:
    assert causes(cases["LegacyInKeras", "keras"]) == {"slots-lost", "step-lost"}


def test_a_saved_model_brings_no_optimizer_back(cases: Cases) -> None:
    assert causes(cases["Folder", "saved-model"]) == {"slots-lost", "step-lost"}
