"""The pattern of the route that an ASGI framework has chosen for a request, read off the connection's scope."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

__all__ = ["pattern_of"]


def pattern_of(connection: Mapping[str, Any]) -> str | None:
    """The pattern with all that leads to it: ``/api/orders/{number}``, with the server's ``root_path`` and mounted applications.

    Args:
        connection: the scope of ASGI, after the framework has routed. Frameworks write to it what they like; a place that is not
            as Starlette, FastAPI or Litestar leave it counts as missing.

    Returns:
        ``None`` where no route is known, so that what varies from request to request is never taken for a pattern.
    """
    root: str = connection.get("root_path", "")
    base: str = connection.get("app_root_path", root)
    route = connection.get("route")
    if route is None:
        route = _route_of(connection)
    if route is None:
        # Litestar's word for it.
        template = connection.get("path_template")
        return base + template if isinstance(template, str) and template else None
    path = _included(connection, route) or getattr(route, "path", None)
    if not isinstance(path, str):
        return None
    mounted = _mounted(connection, root[len(base) :] if root.startswith(base) else "")
    if _is_mount(route):
        # Nothing behind the mount has a route: files, or an application of another kind.
        return base + (mounted or path)
    return base + (mounted or "") + path or "/"


def _included(connection: Mapping[str, Any], route: object) -> str | None:
    """The path of a FastAPI route with the prefixes of the routers that include it; the route itself may be without them."""
    found = connection.get("fastapi")
    context = found.get("effective_route_context") if isinstance(found, Mapping) else None
    if context is None or getattr(context, "original_route", None) is not route:
        return None
    path = getattr(context, "path", None)
    return path if isinstance(path, str) else None


def _mounted(connection: Mapping[str, Any], prefix: str) -> str | None:
    """The patterns of the mounts that a prefix of the path went through; a mount may have parameters of its own."""
    if not prefix:
        return ""
    return _matched(getattr(connection.get("router"), "routes", ()), prefix)


def _matched(routes: Iterable[object], prefix: str) -> str | None:
    for route in routes:
        if not _is_mount(route):
            continue
        match = route.path_regex.match(f"{prefix}/")  # type: ignore[attr-defined]  # a mount, as Starlette makes them
        if match is None:
            continue
        rest = match["path"].rstrip("/")
        inner = _matched(_inside(route), f"/{rest}") if rest else ""
        if inner is not None:
            return f"{route.path}{inner}"  # type: ignore[attr-defined]  # as above
    return None


def _is_mount(route: object) -> bool:
    """Whether other routes hang below it; ``Route`` has an endpoint, a ``Mount`` has not."""
    return not hasattr(route, "endpoint") and hasattr(route, "path_regex") and hasattr(route, "path")


def _inside(route: object) -> Iterable[object]:
    routes = getattr(route, "routes", None)
    return routes if isinstance(routes, list) else ()


def _route_of(connection: Mapping[str, Any]) -> object:
    """The route that leads to the endpoint, for a Starlette that does not say which one it took (before 1.0)."""
    endpoint = connection.get("endpoint")
    if endpoint is None:
        return None
    root, path = connection.get("root_path", ""), connection.get("path", "")
    path = path.removeprefix(root)
    for route in _all(getattr(connection.get("router"), "routes", ())):
        if getattr(route, "endpoint", None) is endpoint and route.path_regex.match(path):  # type: ignore[attr-defined]
            return route
    return None


def _all(routes: Iterable[object]) -> Iterator[object]:
    for route in routes:
        yield route
        yield from _all(_inside(route))
