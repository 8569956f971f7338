"""One self-contained HTML file: curves that zoom, tables that sort, diagnoses with their evidence.

Needs the extra `html`, Bokeh and Jinja2, which is imported only when a page is made.
"""

import importlib
from typing import TYPE_CHECKING

from ckptcheck.errors import NotVerifiedError

if TYPE_CHECKING:
    from ckptcheck.report.report import Report


def require() -> None:
    """Raise `NotVerifiedError` if a package that the page needs is not installed."""
    for package in ("bokeh", "jinja2"):
        try:
            importlib.import_module(package)
        except ModuleNotFoundError as error:
            raise NotVerifiedError(
                f"--html needs the package {error.name}, which is not installed. "
                "Install it: pip install 'ckptcheck[html]'"
            ) from None


def report_page(report: "Report", command: str = "", drawing: str = "") -> str:
    """Return a verification as an HTML page.

    Args:
        report: the verification.
        command: the command that made it.
        drawing: an SVG document that is shown below the table of all cases.
    """
    from ckptcheck.report.html import verification

    return verification.page(report, command, drawing)
