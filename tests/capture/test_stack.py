import re
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path as FilePath
from types import FrameType

import pytest

from dbprofile.capture import stack
from dbprofile.capture.callsite import CallSite, Path, Step
from dbprofile.capture.stack import Mark, Walk


def here() -> Walk:
    return Walk(sys._getframe(1))


def path_here(paths: dict[object, Path] | None = None, root: FrameType | None = None) -> Path:
    return Walk(sys._getframe(1)).path(paths if paths is not None else {}, root)


def test_the_innermost_line_of_the_application_is_the_call_site() -> None:
    site = here().call_site

    assert site is not None
    assert FilePath(site.file) == FilePath(__file__)
    assert site.function == "test_the_innermost_line_of_the_application_is_the_call_site"


def test_library_frames_are_never_a_call_site() -> None:
    # The standard library calls back: re.sub is written in Python.
    sites: list[CallSite | None] = []

    def called_back(_match: re.Match[str]) -> str:
        sites.append(Walk(sys._getframe(1)).call_site)
        return ""

    re.sub("a", called_back, "a")
    (site,) = sites

    assert site is not None
    assert site.function == "test_library_frames_are_never_a_call_site"
    assert FilePath(site.file) == FilePath(__file__)


def test_the_path_ends_at_the_root_with_the_root_included() -> None:
    def inner() -> Path:
        return path_here(root=outer_frame)

    outer_frame = sys._getframe()
    names = [step.function.rpartition(".")[2] for step in inner()]

    assert names == ["inner", "test_the_path_ends_at_the_root_with_the_root_included"]


def test_a_loop_has_one_path_and_two_calls_on_one_line_have_two() -> None:
    paths: dict[object, Path] = {}
    root = sys._getframe()
    loop = [path_here(paths, root) for _ in range(3)]
    two = [path_here(paths, root), path_here(paths, root)]

    assert loop[0] is loop[1] is loop[2]
    assert two[0] != two[1]
    assert two[0][0].line == two[1][0].line


def test_recursion_does_not_lengthen_the_path() -> None:
    root = sys._getframe()

    def descend(depth: int) -> Path:
        return descend(depth - 1) if depth else path_here(root=root)

    assert len(descend(1)) == len(descend(20)) == 2


def test_a_known_function_is_a_mark_and_no_step(library: Callable[[Callable[[], Walk]], Walk]) -> None:
    mark = Mark("library.call", "relation")
    stack.know(library.__code__, mark)
    try:
        walk = library(lambda: Walk(sys._getframe(1)))
    finally:
        stack.forget(library.__code__)

    assert [known for known, _ in walk.marks] == [mark]
    assert not library(lambda: Walk(sys._getframe(1))).marks


def test_a_mark_that_stands_for_a_line_is_the_call_site(library: Callable[[Callable[[], Walk]], Walk]) -> None:
    tag = CallSite("/app/templates/orders.html", 14, template="orders.html", tag="order.customer.name")
    stack.know(library.__code__, Mark("template", "template", step=lambda _frame: tag))
    try:
        walk = library(lambda: Walk(sys._getframe(1)))
        site, path = walk.call_site, walk.path({}, None)
    finally:
        stack.forget(library.__code__)

    assert site == path[0] == tag
    assert path[1].function.startswith("test_a_mark_that_stands_for_a_line")


@pytest.fixture
def library(tmp_path: FilePath) -> Callable[[Callable[[], Walk]], Walk]:
    """A function that lies where installed packages lie."""
    file = tmp_path / "site-packages" / "library.py"
    namespace: dict[str, Callable[[Callable[[], Walk]], Walk]] = {}
    exec(compile("def call(function):\n    return function()\n", str(file), "exec"), namespace)
    return namespace["call"]


def test_installed_packages_can_be_named_as_the_application(tmp_path: FilePath) -> None:
    file = str(tmp_path / "site-packages" / "ours" / "views.py")
    assert not stack.is_application_file(file)
    stack.set_application_paths([str(tmp_path / "site-packages" / "ours")])
    try:
        assert stack.is_application_file(file)
        assert not stack.is_application_file(str(tmp_path / "site-packages" / "ours_not" / "views.py"))
    finally:
        stack.set_application_paths([])


def test_code_that_two_threads_met_at_once_is_forgotten_as_one() -> None:
    frame = sys._getframe()
    kinds = [stack._classify(frame) for _ in range(2)]
    stack.set_application_paths([])

    assert kinds == [stack.APPLICATION] * 2
    assert id(frame.f_code) not in stack._classes
    assert id(frame.f_code) not in stack._alive


@pytest.mark.parametrize(
    "file",
    [
        "<string>",
        "<frozen importlib._bootstrap>",
        f"{sysconfig.get_path('stdlib')}/json/decoder.py",
        f"{sysconfig.get_path('scripts')}/uvicorn",
    ],
)
def test_the_standard_library_and_generated_code_are_not_the_application(file: str) -> None:
    assert not stack.is_application_file(file)


def test_a_prompt_is_the_application() -> None:
    assert stack.is_application_file("<stdin>")


def test_a_step_reads_its_line_when_asked() -> None:
    code = test_a_step_reads_its_line_when_asked.__code__
    step = Step(code, 0)

    assert (step.function, step.line) == (code.co_qualname, code.co_firstlineno)
    assert step.place() == CallSite(code.co_filename, code.co_firstlineno, code.co_qualname)


def test_one_position_is_one_step_however_it_was_reached() -> None:
    root = sys._getframe()
    first, second = (path_here({}, root) for _ in range(2))

    assert first == second
    assert first[0] is second[0]


def test_a_jinja_template_names_its_own_line() -> None:
    jinja2 = pytest.importorskip("jinja2")
    sites = []

    def ask() -> str:
        sites.append(Walk(sys._getframe(1)).call_site)
        return ""

    environment = jinja2.Environment(
        loader=jinja2.DictLoader({"orders.html": "<ul>\n{{ ask() }}\n</ul>"}), autoescape=True
    )
    environment.get_template("orders.html").render(ask=ask)

    (site,) = sites
    assert site is not None
    assert (site.template, site.line) == ("orders.html", 2)
