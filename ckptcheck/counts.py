"""Numbers in sentences: singular and plural by the number itself."""

from string import Formatter
from typing import Any


class _Sentence(Formatter):
    def format_field(self, value: Any, format_spec: str) -> Any:
        singular, bar, plural = format_spec.partition("|")
        if not bar:
            return super().format_field(value, format_spec)
        return singular if value == 1 else plural


_SENTENCE = _Sentence()


def filled(template: str, **fields: Any) -> str:
    """Fill in a template as `str.format` does; `{count:is|are}` becomes the word that fits."""
    return _SENTENCE.vformat(template, (), fields)


def counted(number: int, noun: str) -> str:
    """Return a number with its noun: 1 step, 2 steps."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
