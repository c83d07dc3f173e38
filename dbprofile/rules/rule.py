"""Rule: a callable that turns an analysis into findings. A function will do; there is no base class."""

from collections.abc import Callable, Iterable

from dbprofile.analysis.groups import Analysis
from dbprofile.findings.finding import Finding

__all__ = ["Rule"]

Rule = Callable[[Analysis], Iterable[Finding]]
