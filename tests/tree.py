"""The shipped packages as a tree of modules with their imports, read with ``ast`` and never imported."""

import ast
import importlib.util
import io
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

REPOSITORY = Path(__file__).parent.parent


def _installed(package: str) -> Path:
    specification = importlib.util.find_spec(package)
    assert specification is not None, f"{package} is not installed"
    assert specification.submodule_search_locations, f"{package} is not a package"
    return Path(next(iter(specification.submodule_search_locations)))


CORE = _installed("dbprofile")
"""The folder of the core: in the repository, or where the wheel was installed."""

_SHELF_OF_ADAPTERS = CORE.parent / "integrations" if (CORE.parent / "integrations").is_dir() else CORE.parent
ADAPTERS = sorted(path.parent for path in _SHELF_OF_ADAPTERS.glob("dbprofile_*/__init__.py"))
"""The folders of the adapters."""


@dataclass(frozen=True)
class Import:
    """One import statement's mention of one module."""

    target: str
    """The module as it is written; what is imported from a package counts as a module if it is one."""
    line: int
    nested: bool
    """Whether it stands in a function or under ``try``, and not at the top of the module."""


@dataclass(frozen=True)
class Module:
    """One Python file of ours."""

    name: str
    path: Path

    @cached_property
    def source(self) -> str:
        return self.path.read_text(encoding="utf-8")

    @cached_property
    def syntax(self) -> ast.Module:
        return ast.parse(self.source, str(self.path))

    @cached_property
    def comments(self) -> dict[int, str]:
        """The text of each comment by its line, without the marks that tools read."""
        tokens = tokenize.generate_tokens(io.StringIO(self.source).readline)
        texts = {token.start[0]: token.string for token in tokens if token.type == tokenize.COMMENT}
        return {line: text for line, raw in texts.items() if (text := _prose(raw))}

    @property
    def is_package(self) -> bool:
        return self.path.name == "__init__.py"

    @property
    def package(self) -> str:
        """The package it lies in; a package lies in itself."""
        return self.name if self.is_package else self.name.rpartition(".")[0]

    @property
    def distribution_part(self) -> str:
        """The top-level package: ``dbprofile`` or the adapter."""
        return self.name.partition(".")[0]

    @property
    def room(self) -> str:
        """The folder or file right under ``dbprofile``; empty for ``dbprofile`` itself."""
        return self.name.split(".")[1] if "." in self.name else ""

    def where(self, line: int) -> str:
        return f"{self.name}:{line}"

    @cached_property
    def imports(self) -> list[Import]:
        return list(_imports(self.syntax, nested=False))


def _prose(comment: str) -> str:
    kept = comment.lstrip("# ").strip()
    for mark in ("noqa", "type: ignore", "pragma:"):
        if kept.startswith(mark):
            # What follows the codes of the mark is the reason.
            return kept.partition(" - ")[2] or kept.partition("#")[2].strip()
    return kept


def _imports(node: ast.AST, *, nested: bool) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            for alias in child.names:
                yield Import(alias.name, child.lineno, nested)
        elif isinstance(child, ast.ImportFrom):
            prefix = "." * child.level + (child.module or "")
            for alias in child.names:
                full = f"{prefix}.{alias.name}"
                yield Import(full if full in MODULES_BY_NAME else prefix, child.lineno, nested)
        else:
            inside = nested or isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.Try)
            yield from _imports(child, nested=inside)


def _modules(package: Path) -> Iterator[Module]:
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package.parent).with_suffix("").parts
        if parts[1] == "examples":  # applications that the wheel carries for the demo
            continue
        yield Module(".".join(parts[:-1] if parts[-1] == "__init__" else parts), path)


CORE_MODULES = list(_modules(CORE))
ADAPTER_MODULES = [module for folder in ADAPTERS for module in _modules(folder)]
MODULES = CORE_MODULES + ADAPTER_MODULES
MODULES_BY_NAME = {module.name: module for module in MODULES}
