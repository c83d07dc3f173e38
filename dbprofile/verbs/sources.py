"""Where a verb finds the reports that a person names: files."""

from __future__ import annotations

from collections.abc import Sequence

from dbprofile.errors import ConfigurationError
from dbprofile.findings.report import Report
from dbprofile.output.saved import read_saved

__all__ = ["one_report", "reports_named"]


def reports_named(names: Sequence[str], root: str) -> list[Report]:
    """The reports of files, in the order in which they are named.

    Args:
        names: as a person typed them.
        root: the folder of the project, which the paths in them are relative to.

    Raises:
        ConfigurationError: for a file that cannot be read, or is none of ours.
    """
    return [report for name in names for report in read_saved(name, root)]


def one_report(name: str, root: str) -> Report:
    """The only report of a file.

    Raises:
        ConfigurationError: as ``reports_named`` does; and for a file that holds several.
    """
    reports = reports_named([name], root)
    if len(reports) > 1:
        raise ConfigurationError(
            f"dbprofile: {name} holds {len(reports)} reports, and one can be compared; cut one line of it out:"
            f" `sed -n 1p {name} > one.json`"
        )
    return reports[0]
