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
_MANAGER_FACTORIES: Final = ("create_reverse_many_to_one_manager", "create_forward_many_to_many_manager")

#: Functions of applications that may not be installed: module, attribute path, kind of infrastructure.
_INFRASTRUCTURE: Final = (
    *(
        ("django.contrib.contenttypes.models", f"ContentTypeManager.{name}", "cachefill")
        for name in ("get_for_model", "get_for_models", "get_for_id", "get_by_natural_key")
    ),
    ("django.contrib.sites.models", "SiteManager._get_site_by_id", "cachefill"),
    ("django.contrib.sites.models", "SiteManager._get_site_by_request", "cachefill"),
    ("django.contrib.auth.backends", "ModelBackend.get_user", "user"),
    # What silk sends itself: the plan of each statement, and what it keeps of a request.
    ("silk.sql", "_explain_query", "tool"),
    ("silk.middleware", "SilkyMiddleware.process_request", "tool"),
    ("silk.middleware", "SilkyMiddleware._process_response", "tool"),
)
#: What a GenericForeignKey loads its object with; newer versions have a descriptor for it.
_GENERIC: Final = ("GenericForeignKey.__get__", "GenericForeignKeyDescriptor.__get__")
_GENERIC_MODULE: Final = "django.contrib.contenttypes.fields"
_DESCRIPTORS: Final = (related_descriptors.ForwardManyToOneDescriptor, related_descriptors.ReverseOneToOneDescriptor)

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
    for queryset in (QuerySet, RawQuerySet):
        for name, operation in _READS.items():
            yield queryset.__dict__.get(name), Mark(operation, "query")
    for name in _WRITES:
        yield getattr(QuerySet, name, None), Mark(name, "write")
    yield Model.save, Mark("save", "write")
    yield Model.save_base, Mark("save", "write")
    yield Model.delete, Mark("delete", "write")
    yield Collector.collect, Mark("delete", "write")
    yield Collector.delete, Mark("delete", "write")
    yield Model.refresh_from_db, Mark("refresh_from_db", "refresh")
    yield related_descriptors.ForwardManyToOneDescriptor.__get__, Mark("forward", "forward")
    yield related_descriptors.ReverseOneToOneDescriptor.__get__, Mark("backward", "backward")
    yield DeferredAttribute.__get__, Mark("column", "column")
    for path in _GENERIC:
        yield _loaded_function(_GENERIC_MODULE, path), Mark("generic", "generic")
    for descriptor in (*_DESCRIPTORS, DeferredAttribute):
        yield getattr(descriptor, "fetch_many", None), Mark("peers", "peers")
    yield query.prefetch_one_level, Mark("level", "prefetch")
    yield query.prefetch_related_objects, Mark("objects", "prefetch call")
    yield getattr(QuerySet, "_prefetch_related_objects", None), Mark("batch", "prefetch batch")
    for iterable in (ModelIterable, RawModelIterable):
        yield iterable.__iter__, Mark("rows", "rows")
    for name in ("_execute", "_executemany", "callproc"):
        yield CursorWrapper.__dict__.get(name), Mark("driver", LAYER)
    for function, infrastructure in _infrastructure():
        yield function, Mark(infrastructure, "infra")
    for name in ("_get_response", "_get_response_async"):
        yield BaseHandler.__dict__.get(name), Mark("view", "view", step=serving_class)
    yield Node.render_annotated, Mark("template", "template", step=rendered_tag)
    yield SyncToAsync.thread_handler, Mark("bridge", "bridge", splice=awaiting_path)


def _infrastructure() -> Iterator[tuple[Any, str]]:
    yield BaseDatabaseWrapper.connect, "connect"
    yield BaseDatabaseWrapper.init_connection_state, "connect"
    yield MigrationRecorder.applied_migrations, "schema"
    yield BaseDatabaseIntrospection.table_names, "schema"
    for store in (db.SessionStore, cached_db.SessionStore):
        for name in ("load", "_get_session_from_db"):
            yield store.__dict__.get(name), "session"
    yield auth.get_user, "user"
    yield BaseCommand.execute, COMMAND
    for module, path, kind in _INFRASTRUCTURE:
        yield _loaded_function(module, path), kind


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
