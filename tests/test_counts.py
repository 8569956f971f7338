"""Numbers in sentences."""

import pytest

from ckptcheck.counts import counted, filled


@pytest.mark.parametrize(
    ("count", "sentence"),
    [(0, "0 tensors are lost."), (1, "1 tensor is lost."), (2, "2 tensors are lost.")],
)
def test_words_fit_the_number(count: int, sentence: str) -> None:
    assert filled("{count} {count:tensor is|tensors are} lost.", count=count) == sentence


def test_a_word_may_hold_the_number() -> None:
    template = "{count:the only tensor|all {count} tensors}"
    assert [filled(template, count=count) for count in (1, 3)] == [
        "the only tensor",
        "all 3 tensors",
    ]


def test_other_formats_are_those_of_str_format() -> None:
    assert filled("{name} by {apart:.3g}", name="w", apart=0.12345) == "w by 0.123"
    with pytest.raises(KeyError):
        filled("{name}")


def test_counted() -> None:
    assert [counted(number, "step") for number in (0, 1, 2)] == ["0 steps", "1 step", "2 steps"]
