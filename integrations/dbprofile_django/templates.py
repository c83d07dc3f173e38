"""The lines of Django's templates: the node that is being rendered stands for a line of the application."""

from __future__ import annotations

from types import FrameType
from typing import Final

from dbprofile.hooks import CallSite, is_application_file

__all__ = ["rendered_tag"]

#: Call sites that are kept; beyond it each is made anew.
TAG_LIMIT: Final = 10_000

_tags: dict[tuple[str, str | None, int, str], CallSite | None] = {}


def rendered_tag(frame: FrameType) -> CallSite | None:
    """The tag or variable that a frame of ``Node.render_annotated`` renders; ``None`` for a node without a place in a text, and in a template
    that was installed.
    """
    node = frame.f_locals.get("self")
    token, origin = getattr(node, "token", None), getattr(node, "origin", None)
    if token is None or origin is None:
        return None
    key = (origin.name, origin.template_name, token.lineno, token.contents)
    try:
        return _tags[key]
    except KeyError:
        file, name, line, text = key
        # A template that came with a package is no line that the application can edit.
        own = file.startswith("<") or is_application_file(file)
        tag = CallSite(file, line, template=str(name or file), tag=text) if own else None
        if len(_tags) < TAG_LIMIT:
            _tags[key] = tag
        return tag
