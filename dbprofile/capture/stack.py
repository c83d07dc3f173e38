"""The one walk up the stack, and the table of known code objects that tells application from library.

Tables are keyed by ``id(code)`` (hashing a code object is not cached by CPython) and the code objects are kept alive beside
them, so that an id is never used twice. Nothing here computes a line number, opens a file or formats a text.
"""

from __future__ import annotations

import os
import site
import sys
import sysconfig
from typing import TYPE_CHECKING, Any, Final

from dbprofile.capture.callsite import CallSite, Path, Step, first_instruction
from dbprofile.capture.waiting import is_loop, waiting_frames

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from types import CodeType, FrameType

__all__ = [
    "HOOK",
    "LAYER",
    "Mark",
    "Walk",
    "call_site_of",
    "forget",
    "handed_down",
    "is_application_file",
    "know",
    "layers",
    "set_application_paths",
]

#: Frames that a walk looks at before it gives up.
DEPTH_LIMIT: Final = 200
#: Code objects that the table keeps alive; beyond it a frame is classified by its file name each time.
TABLE_LIMIT: Final = 20_000
#: Raw paths that one lane interns.
PATH_LIMIT: Final = 2_000

LIBRARY: Final = 0
APPLICATION: Final = 1

#: Kind of the marks of functions that hand a recorded statement to a driver: below them a hook of the driver stays silent.
LAYER: Final = "layer"
#: Kind of the marks of functions in which a driver's hook waits for the driver: what is sent inside them is a statement of its own.
HOOK: Final = "hook"
#: Frames between a driver's hook and the layer that may be above it: wrappers of other tools, and of the application.
LAYER_DEPTH: Final = 16
#: Packages that record their statements above the driver, and whether all of them. While there are none, nobody looks for a layer.
layers: Final[dict[str, bool]] = {}


class Mark:
    """What an adapter knows of a library function that it meets on the stack.

    Args:
        name: how the adapter calls it.
        kind: the adapter's own word for what the function does.
        step: for functions that stand for a line of the application (the node of a template): frame -> that line.
        splice: for functions at which a stack ends that goes on elsewhere (a thread that works for a coroutine): the steps
            to go on with.
    """

    __slots__ = ("kind", "name", "splice", "step", "stops")

    def __init__(
        self,
        name: str,
        kind: str,
        *,
        step: Callable[[FrameType], CallSite | None] | None = None,
        splice: Callable[[FrameType], Path] | None = None,
    ) -> None:
        self.name = name
        self.kind = kind
        self.step = step
        self.splice = splice
        self.stops = step is not None or splice is not None

    def __repr__(self) -> str:
        return f"Mark({self.name!r}, {self.kind!r})"


_classes: dict[int, int | Mark] = {}
#: Two threads may meet a code object for the first time at once: by id, it is held once all the same.
_alive: dict[int, CodeType] = {}
_files: dict[str, bool] = {}


def know(code: CodeType, mark: Mark) -> None:
    """Enter a library function into the table; a later mark for the same code replaces the earlier one."""
    _alive[id(code)] = code
    _classes[id(code)] = mark


def forget(code: CodeType) -> None:
    """Take a mark out again; the function is classified by its file from then on."""
    if isinstance(_classes.get(id(code)), Mark):
        _classes.pop(id(code), None)
        _alive.pop(id(code), None)


# --- application or library -----------------------------------------------------------------------------------------


def _library_folders() -> tuple[str, ...]:
    folders = {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib", "scripts")}
    folders.update(site.getsitepackages())
    folders.add(site.getusersitepackages())
    return tuple(_prefix(folder) for folder in folders if folder)


def _prefix(folder: str) -> str:
    return os.path.realpath(folder).rstrip(os.sep) + os.sep


_libraries = _library_folders()
_INSTALLED: Final = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}")
_own = _prefix(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
_application_paths: tuple[str, ...] = ()


def set_application_paths(paths: Iterable[str]) -> None:
    """Name folders or files whose code counts as the application's, wherever they are (own packages in site-packages)."""
    global _application_paths
    _application_paths = tuple(os.path.realpath(path) for path in paths)
    _files.clear()
    for number in [number for number, kind in list(_classes.items()) if not isinstance(kind, Mark)]:
        _classes.pop(number, None)
        _alive.pop(number, None)


def is_application_file(filename: str) -> bool:
    """Whether a source file is the application's: not the standard library's, not an installed package's, not ours."""
    known = _files.get(filename)
    if known is None:
        known = _is_application(filename)
        if len(_files) < TABLE_LIMIT:
            _files[filename] = known
    return known


def _is_application(filename: str) -> bool:
    if filename.startswith("<"):
        # Code made by exec (SQLAlchemy's, attrs', dataclasses') is no line that anybody can open; a prompt is.
        return filename.startswith(("<stdin", "<ipython", "<console", "<python-input"))
    path = os.path.realpath(filename)
    if any(path == named or path.startswith(named + os.sep) for named in _application_paths):
        return True
    return not path.startswith((_own, *_libraries)) and not any(folder in path for folder in _INSTALLED)


def _classify(frame: FrameType) -> int | Mark:
    code = frame.f_code
    names = frame.f_globals
    kind: int | Mark
    if "__jinja_template__" in names:
        kind = _JINJA
    elif is_loop(frame):
        kind = _LOOP
    elif _is_ours(names.get("__name__")) and not _is_named(code.co_filename):
        kind = LIBRARY
    else:
        kind = APPLICATION if is_application_file(code.co_filename) else LIBRARY
    if len(_alive) < TABLE_LIMIT:
        _alive[id(code)] = code
        _classes[id(code)] = kind
    return kind


def _class_of(frame: FrameType) -> int | Mark:
    kind = _classes.get(id(frame.f_code))
    return _classify(frame) if kind is None else kind


def _is_ours(module: object) -> bool:
    # By name: the adapters may be installed editable, and lie anywhere then.
    return isinstance(module, str) and (module.partition(".")[0] == "dbprofile" or module.startswith("dbprofile_"))


def _is_named(filename: str) -> bool:
    return bool(_application_paths) and is_application_file(filename)


def _jinja_step(frame: FrameType) -> CallSite | None:
    template = frame.f_globals.get("__jinja_template__")
    if template is None:
        return None
    line = template.get_corresponding_lineno(frame.f_lineno)
    name = template.name or "<template>"
    # Of one that no file holds Jinja says the same for all.
    file = name if template.filename in {None, "<template>"} else template.filename
    return CallSite(file, line, template=name)


_JINJA = Mark("jinja2.Template.root", "template", step=_jinja_step)

#: An event loop: the task that it runs was begun by a line that is not on the stack.
_LOOP = Mark("asyncio", "loop")
_LOOP.stops = True


def _beyond(loop: FrameType, root: FrameType | None) -> Iterator[FrameType]:
    """Where the stack of a task goes on: in the coroutines that wait for it, and outside its loop if the scope was opened there."""
    yield from waiting_frames()
    frame = loop.f_back
    while frame is not None:
        if frame is root:
            yield loop.f_back  # type: ignore[misc]  # there is one, or its frame were not found
            return
        frame = frame.f_back


# --- the walk -------------------------------------------------------------------------------------------------------


class Walk:
    """One walk up the stack: first to the innermost line of the application, further out only if somebody asks.

    Attributes:
        marks: known functions between the statement and the innermost line of the application, innermost first, each with
            its frame. Frames are only lent: whoever keeps one keeps the application's locals alive.
    """

    __slots__ = ("_frame", "marks")

    def __init__(self, frame: FrameType | None) -> None:
        self.marks: list[tuple[Mark, FrameType]] = []
        self._frame: FrameType | None = None
        classes = _classes
        outer: Iterator[FrameType] | None = None
        for _ in range(DEPTH_LIMIT):
            if frame is None:
                outer = outer or _greenlet_parents()
                frame = next(outer, None)
                if frame is None:
                    return
            kind = classes.get(id(frame.f_code))
            if kind is None:
                kind = _classify(frame)
            if kind == LIBRARY:
                frame = frame.f_back
            elif kind == APPLICATION or (isinstance(kind, Mark) and kind.stops):
                self._frame = frame
                return
            elif isinstance(kind, Mark):
                self.marks.append((kind, frame))
                frame = frame.f_back

    @property
    def call_site(self) -> CallSite | None:
        """The innermost line of the application; ``None`` where there is none, never a line of a library."""
        frame = self._frame
        while frame is not None:
            kind = _classes.get(id(frame.f_code), APPLICATION)
            if not isinstance(kind, Mark):
                return _step(frame.f_code, frame.f_lasti)
            if kind is _LOOP:
                frame = next((frame for frame in waiting_frames() if _class_of(frame) == APPLICATION), None)
                continue
            if kind.splice is not None:
                spliced = kind.splice(frame)
                return spliced[0] if spliced else None
            step = kind.step(frame) if kind.step else None
            if step is not None:
                return step
            frame = Walk(frame.f_back)._frame  # noqa: SLF001 - a walk of our own that goes on
        return None

    def path(self, paths: dict[Any, Path], root: FrameType | None) -> Path:
        """All lines of the application from the innermost out to ``root`` (included), interned in ``paths``.

        Args:
            paths: the interned paths of the lane: raw positions -> path, and path -> path.
            root: the frame in which the scope was opened; the walk ends there, else where the stack ends.
        """
        classes = _classes
        raw: list[Any] = []
        codes: list[CodeType | None] = []
        frame = self._frame
        outer: Iterator[FrameType] | None = None
        looped = False
        for _ in range(DEPTH_LIMIT):
            if frame is None:
                outer = outer or _greenlet_parents()
                frame = next(outer, None)
                if frame is None:
                    break
            code = frame.f_code
            kind = classes.get(id(code))
            if kind is None:
                kind = _classify(frame)
            if kind == APPLICATION:
                raw.append(id(code))
                raw.append(frame.f_lasti)
                codes.append(code)
            elif isinstance(kind, Mark):
                if kind is _LOOP:
                    if not looped:
                        looped, outer = True, _beyond(frame, root)
                        frame = None
                        continue
                elif kind.step is not None:
                    step = kind.step(frame)
                    if step is not None:
                        raw.append(step)
                        raw.append(None)
                        codes.append(None)
                elif kind.splice is not None:
                    for step in kind.splice(frame):
                        raw.append(step)
                        raw.append(None)
                        codes.append(None)
                    break
            if frame is root:
                break
            frame = frame.f_back
        key = tuple(raw)
        path = paths.get(key)
        if path is None:
            path = _steps(key, codes)
            if len(paths) < PATH_LIMIT:
                path = paths[key] = paths.setdefault(path, path)
        return path


def _steps(raw: tuple[Any, ...], codes: list[CodeType | None]) -> Path:
    """Raw positions as Steps; of a code object that recurs only the innermost position, so that recursion adds nothing."""
    steps: list[CallSite] = []
    seen: set[int] = set()
    for position, offset, code in zip(raw[::2], raw[1::2], codes, strict=True):
        if code is None:
            steps.append(position)
        elif position not in seen:
            seen.add(position)
            steps.append(_step(code, offset))
    return tuple(steps)


_known_steps: dict[tuple[int, int], Step] = {}


def _step(code: CodeType, offset: int) -> Step:
    """The one Step of a position, whichever of its instructions is running."""
    step = _known_steps.get((id(code), offset))
    if step is None:
        first = first_instruction(code, offset)
        step = _known_steps.get((id(code), first)) or Step(code, first)
        if len(_known_steps) < TABLE_LIMIT:
            _known_steps[id(code), offset] = _known_steps[id(code), first] = step
    return step


def _greenlet_parents() -> Iterator[FrameType]:
    """Where the stack of this greenlet goes on: SQLAlchemy's asyncio runs the driver call in a greenlet of its own."""
    module = sys.modules.get("greenlet")
    parent = module.getcurrent().parent if module is not None else None
    while parent is not None:
        if parent.gr_frame is not None:
            yield parent.gr_frame
        parent = parent.parent


def handed_down(frame: FrameType | None) -> bool:
    """Whether a statement that a driver's hook sees comes from a layer that records it, told by the frames above the hook."""
    classes = _classes
    for _ in range(LAYER_DEPTH):
        if frame is None:
            return False
        kind = classes.get(id(frame.f_code))
        if isinstance(kind, Mark):
            if kind.kind == LAYER:
                return True
            if kind.kind == HOOK:
                return False
        frame = frame.f_back
    return False


def call_site_of(frame: FrameType | None) -> CallSite | None:
    """The innermost line of the application at or above a frame."""
    return Walk(frame).call_site
