"""The studies: the question of each, and its variants. A new study is a new entry here."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from ckptcheck.errors import UsageError, unknown


@dataclass(frozen=True)
class Variant:
    """A job with options, to be compared with a reference variant.

    `options` are defaults, which the user's options replace. `changed` are the options that
    distinguish it from the variant `against`, its reference; they are fixed. The comparison is
    seed by seed.
    """

    name: str
    job: str
    text: str
    options: Mapping[str, str] = field(default_factory=dict)
    changed: Mapping[str, str] = field(default_factory=dict)
    against: str | None = None


@dataclass(frozen=True)
class Definition:
    """A study: its question, its variants, and the default length of a run in epochs."""

    name: str
    question: str
    variants: tuple[Variant, ...]
    epochs: int = 100

    def chosen(self, names: tuple[str, ...]) -> tuple[Variant, ...]:
        """Return the variants with these names, in the order of the study; no names mean all."""
        known = {variant.name: variant for variant in self.variants}
        for name in names:
            if name not in known:
                raise unknown(f"variant of {self.name}", name, known)
        return tuple(variant for variant in self.variants if not names or variant.name in names)


# The options by which the article's batch norm differs from that of tf.layers. No option covers the
# fused kernel of tf.layers: it rounds differently, and after convolutions it averages the unbiased
# variance, n / (n - 1) times the biased one.
EPSILON = {"epsilon": "0.001"}
NO_WARM_UP = {"num_updates": "off"}
START = {"start": "unit"}
FUSED = {"update": "fused"}
LIKE_LAYERS = EPSILON | NO_WARM_UP | START | FUSED


def _changed(name: str, text: str, changed: Mapping[str, str], against: str = "bn-nn") -> Variant:
    return Variant(name, "bn-nn", text, changed=changed, against=against)


def _without(name: str, text: str, kept: Mapping[str, str]) -> Variant:
    """Return the variant that is like tf.layers except for the options in `kept`."""
    changed = {key: value for key, value in LIKE_LAYERS.items() if key not in kept}
    return _changed(name, text, changed, "like-layers")


_BN_NN = Variant(
    "bn-nn",
    "bn-nn",
    "tf.nn, as in the article: epsilon 1e-5, warm-up, start at 0, second pass, decay 0.99",
)
# The decay of tf.layers' default and of the article; `verify bn-layers` uses a lower one.
_BN_LAYERS = Variant(
    "bn-layers",
    "bn-layers",
    "tf.layers with its defaults: epsilon 1e-3, decay 0.99",
    {"decay": "0.99"},
)

_STUDIES = (
    Definition(
        "convergence",
        "Does batch norm make the network converge faster, and to a higher accuracy?",
        (Variant("plain", "plain", "no batch norm"), replace(_BN_NN, against="plain")),
    ),
    Definition(
        "bn-apis",
        "Do tf.nn and tf.layers train alike, and does the loss of tf.layers have a hump?",
        (_BN_NN, replace(_BN_LAYERS, against="bn-nn")),
    ),
    Definition(
        "bn-ablation",
        "Which difference between the two batch norms, if any, causes the humps?",
        (
            _BN_NN,
            _changed("epsilon", "epsilon 1e-3, not 1e-5", EPSILON),
            _changed("no-warm-up", "constant decay: no num_updates", NO_WARM_UP),
            _changed("start-unit", "moving variances start at 1, not 0", START),
            _changed(
                "fused",
                "averages updated in the training step, not in a second pass",
                FUSED,
            ),
            _changed("decay-0.9", "decay 0.9, not 0.99", {"decay": "0.9"}),
            _changed("decay-0.999", "decay 0.999, not 0.99", {"decay": "0.999"}),
            _changed(
                "like-layers", "all four: epsilon 1e-3, no warm-up, start at 1, fused", LIKE_LAYERS
            ),
            replace(_BN_LAYERS, against="like-layers"),
            _without("layers-epsilon", "like-layers with epsilon 1e-5", EPSILON),
            _without("layers-warm-up", "like-layers with warm-up", NO_WARM_UP),
            _without("layers-start", "like-layers with moving variances that start at 0", START),
            _without(
                "layers-two-pass", "like-layers with averages updated in a second pass", FUSED
            ),
            _changed(
                "layers-0.9",
                "like-layers with decay 0.9",
                LIKE_LAYERS | {"decay": "0.9"},
                "like-layers",
            ),
            _changed(
                "layers-0.999",
                "like-layers with decay 0.999",
                LIKE_LAYERS | {"decay": "0.999"},
                "like-layers",
            ),
        ),
    ),
)
STUDIES: Mapping[str, Definition] = {study.name: study for study in _STUDIES}


def definition(name: str) -> Definition:
    """Return the study with this name.

    Raises:
        UsageError: there is no such study; the text has the nearest names.
    """
    if name not in STUDIES:
        raise unknown("study", name, STUDIES)
    return STUDIES[name]


def options_of(variant: Variant, given: Mapping[str, str], study: Definition) -> dict[str, str]:
    """Return the options that a variant is trained with.

    The options in `given` replace the variant's defaults.

    Raises:
        UsageError: `given` holds the seed, or an option that the study itself changes.
    """
    if "seed" in given:
        raise UsageError(
            f"The option seed={given['seed']} cannot be set: a study uses the seeds 0, 1, … "
            "Set their number with --seeds."
        )
    for each in study.variants:
        for name in each.changed:
            if name in given:
                raise UsageError(
                    f"The option {name}={given[name]} cannot be set: the variant {each.name} of "
                    f"the study {study.name} changes it."
                )
    return {**variant.options, **given, **variant.changed}
