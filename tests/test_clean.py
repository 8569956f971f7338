"""The clean jobs are found. `python -m tests.clean` verifies all of them."""

from collections import Counter

from tests.clean.discovery import FRAMEWORKS, SAMPLED, clean_jobs
from tests.documents import PAGES, ROOT

ENOUGH = {"tensorflow": 200, "torch": 30}


def test_there_are_enough() -> None:
    jobs = clean_jobs()
    for framework in FRAMEWORKS:
        assert sum(job.framework == framework for job in jobs) >= ENOUGH[framework]
    assert len({(job.file, job.name) for job in jobs}) == len(jobs)
    files = {"fit", "graph", "keras_2", "layers", "loop", "optimizers"}
    of_torch = {"torch_data", "torch_networks", "torch_optimizers"}
    assert {job.file for job in jobs} == files | of_torch


def test_the_documentation_counts_them() -> None:
    count = Counter(job.framework for job in clean_jobs())
    said = f"{count['tensorflow']} jobs of TensorFlow and {count['torch']} of PyTorch"
    assert said in PAGES["docs/accuracy.md"]
    assert said in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_no_job_hides_another() -> None:
    """Two classes of one name in a file would be one job."""
    for file in {job.file for job in clean_jobs()}:
        names = [job.name for job in clean_jobs(only=[file])]
        assert len(set(names)) == len(names)


def test_a_sample_is_a_part_of_every_file() -> None:
    jobs, sample = clean_jobs(), clean_jobs(sample=True)
    assert sample == clean_jobs(sample=True)
    assert set(sample) < set(jobs)
    assert {job.file for job in sample} == {job.file for job in jobs}
    assert len(jobs) <= SAMPLED * len(sample)


def test_one_job_or_one_file() -> None:
    """Files share names of jobs: an optimizer may be in three of them."""
    for file in ("optimizers", "keras_2"):
        assert [job.file for job in clean_jobs(only=[f"{file}:Adafactor"])] == [file]
    assert {job.file for job in clean_jobs(only=["loop"])} == {"loop"}
    assert clean_jobs(only=["missing"]) == []
