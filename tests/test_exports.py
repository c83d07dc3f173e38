"""Every ``__all__`` names what its module offers: it exists, it is all that others take, and a package hides nothing it exports."""

import ast
import importlib
from collections.abc import Iterator

import pytest

from tests.tree import MODULES, MODULES_BY_NAME, Module


def _declared(module: Module) -> set[str] | None:
    for node in module.syntax.body:
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if any(isinstance(target, ast.Name) and target.id == "__all__" for target in targets):
                return set(ast.literal_eval(node.value))
    return None


def _defined(module: Module) -> Iterator[str]:
    for node in module.syntax.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            yield node.target.id
        elif isinstance(node, ast.Assign):
            yield from (target.id for target in node.targets if isinstance(target, ast.Name))


def _taken(module: Module) -> Iterator[tuple[str, str, ast.alias, int]]:
    """What a module takes from others of ours by name: owner, its name here, the alias, the line."""
    for node in ast.walk(module.syntax):
        if isinstance(node, ast.ImportFrom) and (owner := node.module or "") in MODULES_BY_NAME:
            for alias in node.names:
                if f"{owner}.{alias.name}" not in MODULES_BY_NAME:
                    yield owner, alias.asname or alias.name, alias, node.lineno


PACKAGES = [module for module in MODULES if module.is_package]
IMPORTABLE = [module for module in MODULES if not module.name.endswith("__main__")]


@pytest.mark.parametrize("module", IMPORTABLE, ids=lambda module: module.name)
def test_all_holds_only_names_that_the_module_has(module: Module) -> None:
    names = _declared(module) or set()
    imported = importlib.import_module(module.name)
    assert {name for name in names if not hasattr(imported, name)} == set()


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.name)
def test_a_module_takes_from_others_only_what_they_offer(module: Module) -> None:
    breaches = []
    for owner, _, alias, line in _taken(module):
        offered = _declared(MODULES_BY_NAME[owner])
        if alias.name.startswith("_") or (offered is not None and alias.name not in offered):
            breaches.append(f"{module.where(line)} takes {alias.name}, which is not in __all__ of {owner}")
    assert breaches == []


@pytest.mark.parametrize("package", PACKAGES, ids=lambda module: module.name)
def test_a_package_exports_what_it_takes_from_its_modules(package: Module) -> None:
    at_the_top = {node.lineno for node in package.syntax.body}
    taken = (name for _, name, _, line in _taken(package) if line in at_the_top)
    public = {name for name in (*taken, *_defined(package)) if not name.startswith("_")}
    assert public - (_declared(package) or set()) == set()
