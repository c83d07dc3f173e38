"""Pages of an application, written to a file and run: their lines are real, and a fix can be put into them."""

from __future__ import annotations

import importlib.util
import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, StaticPool, create_engine
from sqlalchemy.orm import Session

import dbprofile
from dbprofile import Finding, Fix
from tests.editing import edited
from tests.integrations.sqlalchemy.models import fill

IMPORTS = """\
from sqlalchemy import func, select, text
from sqlalchemy.orm import (
    contains_eager, immediateload, joinedload, lazyload, selectinload, subqueryload, undefer,
)
from tests.integrations.sqlalchemy import models
from tests.integrations.sqlalchemy.models import Author, Book, Country, Node, Profile, Reader, Tag
"""
_numbers = itertools.count()


class Page:
    """A module with a function ``page(session)``, and the lines in it that carry ``# origin`` and ``# trigger``."""

    def __init__(self, folder: Path, source: str) -> None:
        self.folder = folder
        self.source = IMPORTS + source
        self.path = folder / f"page_{next(_numbers)}.py"
        self.path.write_text(self.source, encoding="utf-8")

    def line(self, mark: str) -> int | None:
        lines = self.source.splitlines()
        return next((number for number, line in enumerate(lines, 1) if line.endswith(f"# {mark}")), None)

    def run(self, engine: Engine, *, kind: str = "request") -> dbprofile.Recording:
        """Visit the page once."""
        module = self._module()
        with dbprofile.record("page") as recording:
            scope = recording_scope(kind)
            with scope, Session(engine) as session:
                module.page(session)
        return recording

    def visit(self, size: int) -> dbprofile.Recording:
        """Visit the page once, with so many authors in the library."""
        engine = create_engine("sqlite://", poolclass=StaticPool)
        try:
            fill(engine, size)
            return self.run(engine)
        finally:
            engine.dispose()

    def _module(self) -> Any:
        specification = importlib.util.spec_from_file_location(self.path.stem, self.path)
        assert specification is not None
        assert specification.loader is not None
        module = importlib.util.module_from_spec(specification)
        specification.loader.exec_module(module)
        return module

    def cured(self, fix: Fix) -> Page:
        """The page with a fix put in, by what the fix says of itself and nothing else."""
        assert fix.place is not None
        return Page(self.folder, edited(self.source, fix).removeprefix(IMPORTS))


def recording_scope(kind: str) -> Any:
    return dbprofile.default_profiler().scope(kind, "GET /page")


def finding_of(findings: Sequence[Finding], code: str, relation: str) -> Finding:
    (found,) = (finding for finding in findings if finding.code == code and finding.relation == relation)
    return found
