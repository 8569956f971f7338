"""Remedies in PyTorch's words: which of them is given for which tensor."""

import re
from itertools import product

import pytest

from ckptcheck.adapters.torch.remedies import REMEDIES
from ckptcheck.diagnosis.catalogue import CAUSES, remedy
from ckptcheck.diagnosis.cause import Stage

# Words of other frameworks, and of the catalogue for any framework.
OTHERS = re.compile(r"\btf\.|keras|np\.savez|np\.load|\.npz|restore\(path\)|initialise\(\)")


def told(cause: str, *tensors: str, stage: Stage | None = None, sentence: str = "") -> str:
    return remedy(CAUSES[cause], stage, "torch", "torch.load", tensors, sentence)


@pytest.mark.parametrize("cause", sorted(set(REMEDIES) - {"resumed-run-raised", "restore-raised"}))
def test_remedies_are_in_the_words_of_pytorch(cause: str) -> None:
    for stage, name in product((None, *Stage), ("model/fc.weight", "opt/fc.weight/exp_avg", "x")):
        assert not OTHERS.search(told(cause, name, stage=stage))


def test_every_cause_has_words_of_pytorch() -> None:
    assert set(REMEDIES) == set(CAUSES)


def test_the_optimizer_is_named_as_the_program_names_it() -> None:
    assert told("slots-lost", "oD/fc.weight/exp_avg", "oD/fc.bias/exp_avg") == (
        'Save the state of `oD`, torch.save({"optimizer": optimizer.state_dict(), …}, path), and '
        'load it in the restore: optimizer.load_state_dict(checkpoint["optimizer"]). Make no new '
        "optimizer after it."
    )
    held = told("slots-lost", "oD/fc.weight/exp_avg", stage=Stage.NOT_APPLIED_AT_LOAD)
    assert held.startswith("The checkpoint holds `oD`, but the restore does not load all of it: ")


def test_counts_of_an_optimizer_have_its_remedy() -> None:
    assert told("step-lost", "opt/fc.weight/step") == told("slots-lost", "opt/fc.weight/exp_avg")
    assert "scheduler.load_state_dict" in told("step-lost", "sched/last_epoch")
    assert told("step-lost", "opt/group 0/lr") == "The settings of `opt` follow from that."
    assert told("python-state-lost", "sched/best") == told("step-lost", "sched/last_epoch")


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("random/torch", "torch.set_rng_state("),
        ("random/cuda:0", "torch.cuda.set_rng_state_all("),
        ("random/python", "random.setstate("),
        ("random/numpy", "np.random.set_state("),
        ("random/loader.sampler.generator", "generator.set_state("),
    ],
)
def test_each_generator_has_its_calls(name: str, call: str) -> None:
    for cause in ("generators-restarted", "generators-reseeded"):
        text = told(cause, name)
        assert f"Save the state of `{name}`" in text
        assert call in text
        assert ("weights_only=False" in text) is (name == "random/numpy")


def test_a_shifted_generator_is_set_where_it_was() -> None:
    text = told("generators-shifted", "random/torch")
    assert "Set the state of `random/torch` where the run that saved had it." in text
    assert "DataLoader(dataset, generator=torch.Generator())" in text


def test_averages_by_hand_have_no_state_dict() -> None:
    assert "ema[name].copy_(value)" in told("shadows-lost", "ema[fc.weight]")
    assert "ema.load_state_dict" in told("shadows-lost", "ema/module.fc.weight")


def test_state_that_an_optimizer_casts_is_set_again() -> None:
    assert "load_state_dict casts" in told("precision-lost", "opt/fc.weight/momentum_buffer")
    assert "load_state_dict casts" not in told("precision-lost", "model/fc.weight")


@pytest.mark.parametrize(
    ("words", "call"),
    [
        ("Weights only load failed: Unsupported global", "weights_only=False"),
        ("Attempting to deserialize object on a CUDA device", "map_location=device"),
        ("Error(s) in loading state_dict for Net: Missing key(s)", "model.module.state_dict()"),
        ("loaded state dict has a different number of parameter groups", "model.parameters()"),
    ],
)
def test_exceptions_of_pytorch_have_their_remedies(words: str, call: str) -> None:
    assert call in told("restore-raised", sentence=f"The restore raised RuntimeError: {words}.")


def test_a_cast_may_show_in_the_first_step() -> None:
    sentence = "… raised in train: RuntimeError: expected dtype BFloat16 but got dtype float."
    assert "load_state_dict casts" in told("resumed-run-raised", sentence=sentence)
