"""`Study`: the result of a study, with its findings, warnings and JSON summary."""

import json
from dataclasses import asdict
from typing import Any

from ckptcheck.report.report import finite
from ckptcheck.studies import findings
from ckptcheck.studies.catalogue import Variant
from ckptcheck.studies.humps import END, RISE, WINDOW
from ckptcheck.studies.result import Result
from ckptcheck.text_safety import shown_as_json

SCHEMA_VERSION = 1


class Study(Result):
    """The result of a study, as `ckptcheck.study` returns it."""

    def findings(self) -> list[str]:
        """Return what the data supports, in sentences."""
        return findings.findings(self)

    def warnings(self) -> list[str]:
        """Return a sentence for each reason to doubt the runs themselves."""
        return findings.warnings(self)

    def document(self) -> dict[str, Any]:
        """Return the summary as plain values, as in `summary.json` and `--json`."""
        plain: dict[str, Any] = finite(
            {
                "schema_version": SCHEMA_VERSION,
                "study": self.definition.name,
                "question": self.definition.question,
                "dataset": self.dataset,
                "seeds": self.seeds,
                "epochs": self.epoch_count,
                "versions": dict(self.trained[0].run.recipe.versions),
                "hump": {"window": WINDOW, "rise": RISE, "end": END},
                "variants": [self._variant(each) for each in self.variants],
                "comparisons": [asdict(each) for each in self.comparisons],
                "findings": self.findings(),
                "warnings": self.warnings(),
            }
        )
        return plain

    def _variant(self, variant: Variant) -> dict[str, Any]:
        trained, against = self.of(variant.name), dict(self.pairs).get(variant.name)
        return {
            "name": variant.name,
            "text": variant.text,
            "options": {
                key: value for key, value in trained[0].run.recipe.options.items() if key != "seed"
            },
            **{measure: asdict(self.spread(variant.name, measure)) for measure in self.measures},
            "humps": [len(each.humps) for each in trained],
            "rises_without_return": [len(each.rises) - len(each.humps) for each in trained],
            "against": variant.against,
            "seeds_with_same_training": None
            if against is None
            else self.same_training(variant.name, against),
        }

    def to_json(self) -> str:
        """Return the summary as strict JSON. NaN and infinities become null."""
        document = self.document()
        return shown_as_json(json.dumps(document, indent=2, allow_nan=False, ensure_ascii=False))
