"""One self-contained HTML file: curves that can be zoomed, tables that sort, every diagnosis with its evidence.

Needs the extra `html` (Bokeh draws the curves, Jinja2 fills in the page), which is imported when a page is made.
"""

import importlib
from typing import TYPE_CHECKING

from ckptcheck.errors import UsageError

if TYPE_CHECKING:
    from ckptcheck.report.report import Report


def require() -> None:
    """Raise `UsageError` where a package that the page needs is not installed."""
    for package in ("bokeh", "jinja2"):
        try:
            importlib.import_module(package)
        except ModuleNotFoundError as error:
            text = f"--html needs the package {error.name}, which is not installed: pip install 'ckptcheck[html]'."
            raise UsageError(text) from None


def report_page(report: "Report") -> str:
    """Return a verification as an HTML page."""
    from ckptcheck.report.html import verification

    return verification.page(report)
