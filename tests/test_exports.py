"""Every ``__all__`` names what its module offers, no more and no less."""

import ast
import importlib
from collections.abc import Iterator

import pytest

from tests.tree import MODULES, Module


def _ours(node: ast.ImportFrom) -> bool:
    return (node.module or "").partition(".")[0].startswith("dbprofile")


def _defined(module: Module) -> Iterator[str]:
    for node in module.syntax.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            yield node.target.id
        elif isinstance(node, ast.Assign):
            yield from (target.id for target in node.targets if isinstance(target, ast.Name))


def _re_exported(module: Module) -> Iterator[str]:
    for node in module.syntax.body:
        if isinstance(node, ast.ImportFrom) and _ours(node):
            yield from (alias.asname or alias.name for alias in node.names)


def _is_type_variable(module: Module, name: str) -> bool:
    value = getattr(importlib.import_module(module.name), name)
    return type(value).__module__ == "typing" and type(value).__name__ in {"TypeVar", "ParamSpec", "TypeVarTuple"}


def _declared(module: Module) -> set[str] | None:
    for node in module.syntax.body:
        targets = (
            node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        )
        if any(isinstance(target, ast.Name) and target.id == "__all__" for target in targets):
            assert isinstance(node, ast.Assign | ast.AnnAssign)
            assert node.value is not None
            return set(ast.literal_eval(node.value))
    return None


PUBLIC = [module for module in MODULES if _declared(module) is not None]
PACKAGES = [module for module in MODULES if module.is_package]


@pytest.mark.parametrize("module", PUBLIC, ids=lambda module: module.name)
def test_all_holds_every_public_name_that_the_module_defines(module: Module) -> None:
    declared = _declared(module)
    offered = {name for name in _defined(module) if not name.startswith("_") and not _is_type_variable(module, name)}
    assert offered - (declared or set()) == set()


@pytest.mark.parametrize("module", PUBLIC, ids=lambda module: module.name)
def test_all_holds_only_names_that_the_module_has(module: Module) -> None:
    imported = importlib.import_module(module.name)
    assert {name for name in _declared(module) or () if not hasattr(imported, name)} == set()


@pytest.mark.parametrize("package", PACKAGES, ids=lambda module: module.name)
def test_a_package_exports_what_it_takes_from_its_modules(package: Module) -> None:
    public = {name for name in (*_re_exported(package), *_defined(package)) if not name.startswith("_")}
    assert public == (_declared(package) or set()) - {"__version__"}
