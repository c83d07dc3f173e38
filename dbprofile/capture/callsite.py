"""CallSite: a line of the application. Step: one position on the stack, whose line is read off the code object when asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import CodeType

__all__ = ["CallSite", "Path", "Step", "first_instruction"]


class CallSite:
    """A line of the application: a file, a line, a function; or a template and the tag on that line.

    Two call sites are equal if they name the same place.
    """

    __slots__ = ("field", "file", "function", "line", "tag", "template")

    file: str
    """Absolute path of the source or template file; the template's name where its file is unknown."""
    line: int
    """The line, counted from 1; 0 where it is unknown."""
    function: str
    """Qualified name of the function; empty in a template."""
    template: str | None
    """Name of the template, as the application asked for it."""
    tag: str | None
    """The text between the tag's braces; without a template what stands for code that is not the application's: ``class OrderList``."""
    field: str | None
    """Path of the serializer field, ``OrderSerializer.customer.name``."""

    def __init__(
        self,
        file: str,
        line: int,
        function: str = "",
        *,
        template: str | None = None,
        tag: str | None = None,
        field: str | None = None,
    ) -> None:
        self.file = file
        self.line = line
        self.function = function
        self.template = template
        self.tag = tag
        self.field = field

    def _identity(self) -> tuple[object, ...]:
        return (self.file, self.line, self.function, self.template, self.tag, self.field)

    def __eq__(self, other: object) -> bool:
        return type(other) is CallSite and self._identity() == other._identity()

    def __hash__(self) -> int:
        return hash(self._identity())

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.file!r}, {self.line}, {self.function!r})"

    def place(self) -> CallSite:
        """The place alone, without the code object that a Step holds on to."""
        return self


class Step(CallSite):
    """A position in a code object. Its file, line and function are computed on first reading, never on the hot path."""

    __slots__ = ("code", "offset")

    code: CodeType
    offset: int

    def __init__(self, code: CodeType, offset: int) -> None:
        self.code = code
        self.offset = offset
        self.template = self.tag = self.field = None

    def __getattr__(self, name: str) -> str | int:
        # Only reached while a slot is empty: the place has not been read yet.
        if name not in {"file", "line", "function"}:
            raise AttributeError(name)
        self.file = self.code.co_filename
        self.function = self.code.co_qualname
        self.line = line_of(self.code, self.offset)
        return getattr(self, name)  # type: ignore[no-any-return]  # one of the three just set

    # By identity: the walk makes one Step of each position, and grouping hashes the steps of every path.
    __eq__ = object.__eq__
    __hash__ = object.__hash__

    def place(self) -> CallSite:
        """The place alone, without the code object."""
        return CallSite(self.file, self.line, self.function, field=self.field)


#: Steps from the innermost application frame out to the root of the scope.
Path = tuple[CallSite, ...]


def line_of(code: CodeType, offset: int) -> int:
    """The source line of an instruction; the code's first line where positions are missing."""
    for start, end, line in code.co_lines():
        if start <= offset < end and line is not None:
            return line
    return code.co_firstlineno


def first_instruction(code: CodeType, offset: int) -> int:
    """The first instruction with the same source position.

    A ``while`` test and a ``finally`` are compiled twice, and a specialised call reports an offset of its own: they are one
    place. The offset itself where the interpreter keeps no positions (``-X no_debug_ranges``).
    """
    positions = list(code.co_positions())
    index = offset // 2
    if index >= len(positions) or positions[index][2] is None:
        return offset
    return positions.index(positions[index]) * 2
