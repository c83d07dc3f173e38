"""Views and administrations that are classes: code of Django's serves the request, and the line to edit is in the class."""

from __future__ import annotations

import ast
import sys
from types import FrameType
from typing import Any, Final

from dbprofile.hooks import CallSite, is_application_file, source_of

__all__ = ["administers", "listing_class", "serving_class"]

#: Classes that are kept; there are as many as there are views.
CLASS_LIMIT: Final = 2_000

_sites: dict[type, CallSite | None] = {}


def serving_class(frame: FrameType) -> CallSite | None:
    """The class that serves the request of a frame of ``BaseHandler._get_response``; ``None`` for a view that is a function.

    Of a template that is rendered after the view has returned nothing else on the stack tells whose it is.
    """
    callback: Any = frame.f_locals.get("callback")
    served = getattr(callback, "view_class", None) or getattr(callback, "cls", None)
    if served is None:
        admin = getattr(callback, "model_admin", None)
        served = type(admin) if admin is not None else None
    if not isinstance(served, type):
        return None
    if served not in _sites and len(_sites) < CLASS_LIMIT:
        _sites[served] = _site(served)
    return _sites.get(served)


def _site(served: type) -> CallSite | None:
    file = getattr(sys.modules.get(served.__module__), "__file__", None)
    source = source_of(file) if file else None
    definition = _definition(source.tree, served.__name__) if source is not None and source.tree is not None else None
    if file is None or definition is None or not is_application_file(file):
        return None
    return CallSite(file, definition.lineno, served.__qualname__, tag=f"class {served.__name__}")


def _definition(tree: ast.AST, name: str) -> ast.ClassDef | None:
    return next((node for node in ast.walk(tree) if isinstance(node, ast.ClassDef) and node.name == name), None)


def listing_class(site: CallSite) -> str:
    """The class round a line whose queryset Django makes from what it says: a generic view, a view set; empty where it is none."""
    source = source_of(site.file)
    found = ""
    for node in ast.walk(source.tree) if source is not None and source.tree is not None else ():
        if isinstance(node, ast.ClassDef) and node.lineno <= site.line <= (node.end_lineno or 0):
            named = {
                target.id
                for each in node.body
                if isinstance(each, ast.Assign)
                for target in each.targets
                if isinstance(target, ast.Name)
            }
            defined = {each.name for each in node.body if isinstance(each, ast.FunctionDef)}
            found = node.name if {"model", "queryset"} & named or "get_queryset" in defined else ""
    return found


def administers(site: CallSite) -> bool | None:
    """Whether the class at a line is an administration; ``None`` where no class begins there."""
    source = source_of(site.file)
    for node in ast.walk(source.tree) if source is not None and source.tree is not None else ():
        if isinstance(node, ast.ClassDef) and node.lineno == site.line:
            return any("Admin" in ast.unparse(base) for base in node.bases)
    return None
