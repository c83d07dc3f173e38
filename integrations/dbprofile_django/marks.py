"""The table of Django's functions that say why a statement runs, entered once so that the walk up the stack knows them.

What a version of Django does not have costs its datum, no error.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from types import CodeType
from typing import Any, Final

import wrapt
from asgiref.sync import SyncToAsync
from django.contrib import auth
from django.contrib.sessions.backends import cached_db, db
from django.core.handlers.base import BaseHandler
from django.core.management.base import BaseCommand
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.base.introspection import BaseDatabaseIntrospection
from django.db.backends.utils import CursorWrapper
from django.db.migrations.recorder import MigrationRecorder
from django.db.models import Model, QuerySet, query
from django.db.models.deletion import Collector
from django.db.models.fields import related_descriptors
from django.db.models.query import ModelIterable, RawModelIterable, RawQuerySet
from django.db.models.query_utils import DeferredAttribute
from django.template.base import Node

from dbprofile.hooks import LAYER, Mark, forget, guarded, know, layers
from dbprofile_django.bridge import awaiting_path
from dbprofile_django.classes import serving_class
from dbprofile_django.templates import rendered_tag

__all__ = ["COMMAND", "enter_marks", "forget_marks"]

#: Kind of infrastructure: a command of Django's own, whose loops are nobody's to edit. The application's commands have lines inside.
COMMAND: Final = "command"

#: Methods of QuerySet that read, and what the call is named where the application did not call that method itself.
_READS: Final = {
    "_fetch_all": "all",
    "_iterator": "iterator",
    "__len__": "all",
    "__bool__": "all",
    **{
        name: name
        for name in ("get", "first", "last", "earliest", "latest", "count", "exists", "aggregate", "contains")
    },
    **{name: name for name in ("in_bulk", "explain", "dates", "datetimes")},
}
_WRITES: Final = ("create", "get_or_create", "update_or_create", "update", "bulk_create", "bulk_update", "delete")
#: Methods of related managers that write; some versions share their bodies among the synchronous and asynchronous ones.
_MANAGER_WRITES: Final = {
    **{name: name for name in ("create", "get_or_create", "update_or_create", "add", "set", "remove", "clear")},
    **{f"_{name}_base": name for name in ("add", "set", "remove", "clear")},
}
#: What loads something when an attribute is read, and what the load is called.
_DESCRIPTORS: Final = (
    (getattr(related_descriptors, "ForwardManyToOneDescriptor", None), "forward"),
    (getattr(related_descriptors, "ReverseOneToOneDescriptor", None), "backward"),
    (DeferredAttribute, "column"),
)
_MANAGER_FACTORIES: Final = ("create_reverse_many_to_one_manager", "create_forward_many_to_many_manager")

#: Functions by their owner and name. One that a version does not have costs its datum, no more.
_FUNCTIONS: Final[tuple[tuple[object, str, Mark], ...]] = (
    *((owner, name, Mark(named, "query")) for owner in (QuerySet, RawQuerySet) for name, named in _READS.items()),
    *((QuerySet, name, Mark(name, "write")) for name in _WRITES),
    (Model, "save", Mark("save", "write")),
    (Model, "save_base", Mark("save", "write")),
    (Model, "delete", Mark("delete", "write")),
    (Collector, "collect", Mark("delete", "write")),
    (Collector, "delete", Mark("delete", "write")),
    (Model, "refresh_from_db", Mark("refresh_from_db", "refresh")),
    *((owner, "__get__", Mark(name, name)) for owner, name in _DESCRIPTORS),
    *((owner, "fetch_many", Mark("peers", "peers")) for owner, _ in _DESCRIPTORS),
    (query, "prefetch_one_level", Mark("level", "prefetch")),
    (query, "prefetch_related_objects", Mark("objects", "prefetch call")),
    (QuerySet, "_prefetch_related_objects", Mark("batch", "prefetch batch")),
    *((owner, "__iter__", Mark("rows", "rows")) for owner in (ModelIterable, RawModelIterable)),
    *((CursorWrapper, name, Mark("driver", LAYER)) for name in ("_execute", "_executemany", "callproc")),
    (BaseDatabaseWrapper, "connect", Mark("connect", "infra")),
    (BaseDatabaseWrapper, "init_connection_state", Mark("connect", "infra")),
    (MigrationRecorder, "applied_migrations", Mark("schema", "infra")),
    (BaseDatabaseIntrospection, "table_names", Mark("schema", "infra")),
    *(
        (store, name, Mark("session", "infra"))
        for store in (db.SessionStore, cached_db.SessionStore)
        for name in ("load", "_get_session_from_db")
    ),
    (auth, "get_user", Mark("user", "infra")),
    (BaseCommand, "execute", Mark(COMMAND, "infra")),
    *(
        (BaseHandler, name, Mark("view", "view", step=serving_class))
        for name in ("_get_response", "_get_response_async")
    ),
    (Node, "render_annotated", Mark("template", "template", step=rendered_tag)),
    (SyncToAsync, "thread_handler", Mark("bridge", "bridge", splice=awaiting_path)),
)
#: Functions of modules that may not be loaded, because their application is not installed.
_IF_LOADED: Final[tuple[tuple[str, str, Mark], ...]] = (
    # What a GenericForeignKey loads its object with; newer versions have a descriptor for it.
    ("django.contrib.contenttypes.fields", "GenericForeignKey.__get__", Mark("generic", "generic")),
    ("django.contrib.contenttypes.fields", "GenericForeignKeyDescriptor.__get__", Mark("generic", "generic")),
    *(
        ("django.contrib.contenttypes.models", f"ContentTypeManager.{name}", Mark("cachefill", "infra"))
        for name in ("get_for_model", "get_for_models", "get_for_id", "get_by_natural_key")
    ),
    ("django.contrib.sites.models", "SiteManager._get_site_by_id", Mark("cachefill", "infra")),
    ("django.contrib.sites.models", "SiteManager._get_site_by_request", Mark("cachefill", "infra")),
    ("django.contrib.auth.backends", "ModelBackend.get_user", Mark("user", "infra")),
    # What silk sends itself: the plan of each statement, and what it keeps of a request.
    ("silk.sql", "_explain_query", Mark("tool", "infra")),
    ("silk.middleware", "SilkyMiddleware.process_request", Mark("tool", "infra")),
    ("silk.middleware", "SilkyMiddleware._process_response", Mark("tool", "infra")),
)

#: What turns an object into data, field by field; the package may be imported long after us, or never.
_SERIALIZERS_MODULE: Final = "rest_framework.serializers"
_SERIALIZERS: Final = ("Serializer.to_representation",)

_entered: dict[int, CodeType] = {}
_waiting = False


def enter_marks() -> None:
    """Enter every function of the table that this Django has. Idempotent."""
    global _waiting
    layers["django"] = True
    for function, mark in _table():
        _enter(_code_of(function), mark)
    for name in _MANAGER_FACTORIES:
        code = _code_of(getattr(related_descriptors, name, None))
        for inner in _nested(code) if code is not None else ():
            if inner.co_name in _MANAGER_WRITES:
                _enter(inner, Mark(_MANAGER_WRITES[inner.co_name], "write"))
    if _waiting:
        _enter_serializers(None)
    else:
        _waiting = True
        wrapt.register_post_import_hook(_enter_serializers, _SERIALIZERS_MODULE)


@guarded("django.serializers", None)
def _enter_serializers(_module: object) -> None:
    if _entered:  # still installed
        for path in _SERIALIZERS:
            _enter(_code_of(_loaded_function(_SERIALIZERS_MODULE, path)), Mark("serializer", "serializer"))


def forget_marks() -> None:
    """Take the functions out again."""
    layers.pop("django", None)
    for code in _entered.values():
        forget(code)
    _entered.clear()


def _enter(code: CodeType | None, mark: Mark) -> None:
    if code is not None and id(code) not in _entered:
        know(code, mark)
        _entered[id(code)] = code


def _table() -> Iterator[tuple[Any, Mark]]:
    for owner, name, mark in _FUNCTIONS:
        # A method as its own class defines it: what it inherits is entered where it is defined.
        yield (vars(owner).get(name) if isinstance(owner, type) else getattr(owner, name, None)), mark
    for module, path, mark in _IF_LOADED:
        yield _loaded_function(module, path), mark


def _loaded_function(module: str, path: str) -> Any:
    """A function of a module, if that is loaded: importing the models of an application that is not installed is an error."""
    found: Any = sys.modules.get(module)
    for part in path.split("."):
        found = getattr(found, part, None)
    return found


def _code_of(function: Any) -> CodeType | None:
    """The code that runs, below bound methods and decorators."""
    while True:
        inner: Callable[..., Any] | None = getattr(function, "__func__", None) or getattr(function, "__wrapped__", None)
        if inner is None:
            code: CodeType | None = getattr(function, "__code__", None)
            return code
        function = inner


def _nested(code: CodeType) -> Iterator[CodeType]:
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            yield from _nested(constant)
