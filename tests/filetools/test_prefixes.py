"""Names that differ in a prefix or in separators."""

from dataclasses import replace
from pathlib import Path

import ml_dtypes
import numpy as np

from ckptcheck.filetools.diff import CheckpointDiff, Renamed
from tests.checkpoints.bundles import Value
from tests.filetools.differing import between, drawn, said

MODEL: dict[str, Value] = {
    "fc.weight": drawn(4, 3),
    "fc.bias": np.zeros(3, "float32"),
    "norm.weight": np.ones(3, "float32"),
    "norm.bias": np.zeros(3, "float32"),
    "norm.count": np.array(0),
}


def under(prefix: str, model: dict[str, Value], change: float = 0) -> dict[str, Value]:
    return {
        prefix + name: value + np.float32(change) if change else value  # type: ignore[operator]
        for name, value in model.items()
    }


def names(found: CheckpointDiff) -> list[tuple[str, str, str]]:
    """All pairs under different names, and what differs."""
    return [(each.a.name, each.b.name, "same") for each in found.renamed] + [
        (each.a.name, each.b.name, each.what) for each in found.elsewhere
    ]


def test_constants_under_a_prefix(tmp_path: Path) -> None:
    a = {**under("model/", MODEL), "epoch": np.array(0)}
    found = between(tmp_path, a, MODEL)
    assert names(found) == [(f"model/{name}", name, "same") for name in sorted(MODEL)]
    assert ([entry.name for entry in found.only_a], found.only_b) == (["epoch"], ())
    assert found.exit_code == 1
    assert said(found, 80)[:9] == [
        "Different: 5 renamed, 1 only in A.",
        "",
        "Only in A:",
        "name   kind     type",
        "epoch  counter  int64",
        "",
        "Under a different prefix, as model/fc.bias in A and fc.bias in B: 5 tensors with",
        "the same value.",
        "",
    ]


def test_trained_further_under_a_prefix(tmp_path: Path) -> None:
    """No value is equal: the names decide, in either direction."""
    later = under("", MODEL, 0.5)
    for folder, a, b in (
        ("1", under("model/", MODEL), later),
        ("2", later, under("model/", MODEL)),
    ):
        found = between(tmp_path / folder, a, b)
        assert (len(found.elsewhere), found.renamed) == (5, ())
        assert (found.only_a, found.only_b) == ((), ())
    assert found.to_dict()["under_different_names"][0] == {"a": "fc.bias", "b": "model/fc.bias"}
    assert said(found)[:4] == [
        "Different: 5 of 5 tensors in both checkpoints, 5 under different names.",
        "",
        "Under a different prefix, as fc.bias in A and model/fc.bias in B: 5 tensors, compared below by their names in A.",
        "",
    ]


def test_a_type_and_a_prefix(tmp_path: Path) -> None:
    half = {
        name: np.asarray(value).astype(ml_dtypes.bfloat16) if name != "norm.count" else value
        for name, value in MODEL.items()
    }
    found = between(tmp_path, under("model/", MODEL), half)
    assert [what for *_, what in names(found)] == ["same", *["dtype"] * 4]
    assert all(pair.cast and pair.cast.rounds for pair in found.elsewhere)
    assert said(found)[:3] == [
        "Different: 4 of 4 tensors in both checkpoints (float32 in A, bfloat16 in B, equal after rounding), 1 renamed, 4 under different names.",
        "",
        "Under a different prefix, as model/norm.count in A and norm.count in B: 5 tensors. The same type and value: 1. The others are compared below by their names in A.",
    ]


def test_separators(tmp_path: Path) -> None:
    slashes = {name.replace(".", "/"): value for name, value in under("", MODEL, 0.5).items()}
    found = between(tmp_path, MODEL, slashes)
    assert len(found.elsewhere) == 5
    assert said(found)[2] == (
        "Under a different separator, as fc.bias in A and fc/bias in B: 5 tensors, compared below"
        " by their names in A."
    )


def test_two_prefixes_need_an_equal_value(tmp_path: Path) -> None:
    """Two models with the same layers are not one model."""
    a, b = under("encoder.", MODEL), under("decoder.", MODEL)
    found = between(tmp_path / "equal", a, b)
    assert names(found) == [
        (f"encoder.{name}", f"decoder.{name}", "same") for name in sorted(MODEL)
    ]
    found = between(tmp_path / "different", a, under("", b, 0.5))
    assert (names(found), len(found.only_a), len(found.only_b)) == ([], 5, 5)


def test_the_value_decides_between_a_model_and_its_average(tmp_path: Path) -> None:
    average = under("", MODEL, 0.5)
    average["fc.weight"] = drawn(4, 3, seed=1)
    a = under("model/", MODEL) | under("ema/", average)
    found = between(tmp_path / "ema", a, average)
    assert names(found) == [(f"ema/{name}", name, "same") for name in sorted(MODEL)]
    found = between(tmp_path / "neither", a, under("", MODEL, 0.25))
    assert (names(found), len(found.only_a), len(found.only_b)) == ([], 10, 5)


def test_the_value_decides_for_a_smaller_average(tmp_path: Path) -> None:
    """The model has all names, the average has the value."""
    average = {name: value for name, value in MODEL.items() if name.startswith("norm")}
    average = {"fc.weight": drawn(4, 3, seed=1), **under("", average, 0.5)}
    a = under("model/", MODEL) | under("ema/", average)
    b = under("", MODEL, 0.25) | {"fc.weight": average["fc.weight"]}
    found = between(tmp_path / "equal", a, b)
    assert sorted(one for one, *_ in names(found)) == sorted(f"ema/{name}" for name in average)
    found = between(tmp_path / "different", a, under("", MODEL, 0.25))
    assert names(found) == []


def test_values_of_two_prefixes(tmp_path: Path) -> None:
    """As many values are equal under one prefix as under the other."""
    model: dict[str, Value] = {"v": drawn(3), "w": drawn(4), "count": np.array(2)}
    other: dict[str, Value] = {"v": drawn(3, seed=1), "w": drawn(4, seed=1), "count": np.array(2)}
    b = {"v": model["v"], "w": other["w"], "count": np.array(2)}
    found = between(tmp_path, under("d/", model) | under("e/", other), b)
    assert names(found) == [("d/v", "v", "same"), ("e/w", "w", "same")]


def test_one_equal_value_tells_two_prefixes(tmp_path: Path) -> None:
    b = under("decoder.", MODEL, 0.5) | {"decoder.fc.weight": MODEL["fc.weight"]}
    found = between(tmp_path, under("encoder.", MODEL), b)
    assert [name.partition(".")[0] for _, name, _ in names(found)] == ["decoder"] * 5
    assert (len(found.renamed), len(found.elsewhere)) == (1, 4)


def test_a_single_name_is_a_coincidence(tmp_path: Path) -> None:
    assert names(between(tmp_path, {"ema/w": drawn(3)}, {"w": drawn(3, seed=1)})) == []


def test_different_shapes_are_a_different_model(tmp_path: Path) -> None:
    other = under("", MODEL, 0.5) | {"fc.weight": drawn(4, 2)}
    found = between(tmp_path, under("model/", MODEL), other)
    assert (names(found), len(found.only_a), len(found.only_b)) == ([], 5, 5)


def test_a_prefix_of_few_names_is_a_coincidence(tmp_path: Path) -> None:
    a = under("model/", MODEL, 0.5)
    b = {"fc.weight": MODEL["fc.weight"], "fc.bias": MODEL["fc.bias"]}
    b |= {f"head.{number}": np.array([number, 0.5]) for number in range(3)}
    found = between(tmp_path, a, b)
    assert (names(found), len(found.only_a), len(found.only_b)) == ([], 5, 5)


def test_tied_weights_keep_their_names(tmp_path: Path) -> None:
    """Two tensors of A have the value: the prefix tells which one B has."""
    weight, other = drawn(4, 3), drawn(3, seed=1)
    a = {"m/embed.weight": weight, "m/head.bias": other, "m/z.weight": weight}
    found = between(tmp_path, {**a}, {"z.weight": weight, "head.bias": other})
    assert names(found) == [
        ("m/head.bias", "head.bias", "same"),
        ("m/z.weight", "z.weight", "same"),
    ]
    assert [entry.name for entry in found.only_a] == ["m/embed.weight"]


def test_a_second_prefix(tmp_path: Path) -> None:
    """The model and its optimizer moved to different places."""
    slots = {"m.count": np.array(2), "m.fc": drawn(4, 3, seed=1), "m.norm": drawn(3, seed=2)}
    a = under("state/", MODEL) | {**slots}
    found = between(tmp_path, a, under("", MODEL, 0.5) | under("opt/", {**slots}, 0.5))
    assert (len(found.elsewhere), found.only_a, found.only_b) == (8, (), ())
    assert [line[:60] for line in said(found) if "prefix" in line] == [
        "Under a different prefix, as state/fc.bias in A and fc.bias ",
        "Under a different prefix, as m.count in A and opt/m.count in",
    ]


def test_one_name_under_two_keys(tmp_path: Path) -> None:
    """In a bundle of objects, readers see the name of a variable; the key is its path."""
    found = between(tmp_path, {"x.y": drawn(3)}, {"x/y": drawn(3)})
    (pair,) = found.renamed
    pair = Renamed(replace(pair.a, name="y", key="model/y"), replace(pair.b, name="y", key="net/y"))
    assert said(replace(found, renamed=(pair,)))[:3] == [
        "Different: 1 renamed.",
        "",
        "Under a different key, as model/y in A and net/y in B: 1 tensor with the same value.",
    ]


def test_many_prefixes_take_linear_time(tmp_path: Path) -> None:
    a: dict[str, Value] = {f"{number}/x/y/z": np.array(number) for number in range(4000)}
    found = between(tmp_path, a, {"x/y/z": np.array(-1), "z": np.array(-2)})
    assert names(found) == []
