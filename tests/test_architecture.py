"""Who may import whom, and what every module owes: read off the tree.

Run alone with ``pytest -p no:dbprofile --noconftest tests/test_architecture.py``: a core that does not import takes our own pytest plugin and
our fixtures down with it.
"""

import ast
import graphlib
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.tree import ADAPTER_MODULES, ADAPTERS, CORE, CORE_MODULES, MODULES, MODULES_BY_NAME, REPOSITORY, Module

FLOORS = ("sql", "capture", "analysis", "findings", "rules", "output")
GROUND = ("errors", "guard")  # any room but sql may stand on them
EVERY_FLOOR = {*GROUND, *FLOORS}

ROOMS: dict[str, set[str]] = {
    "errors": set(),
    "guard": {"errors"},
    "sql": set(),
    "capture": {*GROUND, "sql"},
    "analysis": {*GROUND, "sql", "capture"},
    "findings": {*GROUND, "sql", "capture", "analysis"},
    "rules": {*GROUND, "sql", "capture", "analysis", "findings"},
    "output": {*GROUND, "sql", "capture", "analysis", "findings"},
    "settings": EVERY_FLOOR,
    "profiler": {*EVERY_FLOOR, "settings"},
    "recording": {*EVERY_FLOOR, "settings", "profiler"},
    "hooks": {*EVERY_FLOOR, "settings", "profiler"},
    "streaming": {*GROUND, "capture", "hooks", "profiler"},
    "adapters": {*GROUND, "settings", "hooks"},
    "testing": {*EVERY_FLOOR, "settings", "profiler", "recording", "hooks", "streaming"},
    "plans": {*EVERY_FLOOR, "settings", "profiler"},
    "advisor": {*EVERY_FLOOR, "settings", "profiler", "plans"},
    "audit": {*EVERY_FLOOR, "settings", "profiler", "plans"},
    "web": {*EVERY_FLOOR, "settings", "profiler"},
    "verbs": {
        *EVERY_FLOOR,
        "settings",
        "profiler",
        "recording",
        "adapters",
        "testing",
        "plans",
        "advisor",
        "audit",
        "web",
        "programs",
    },
    "programs": {*EVERY_FLOOR, "settings", "profiler"},
    "cli": {*GROUND, "settings", "programs", "verbs"},
    "__main__": {"cli"},
    "": {*EVERY_FLOOR, "settings", "profiler", "recording", "adapters"},
}
"""The rooms of the core, and what each may import besides itself and the standard library."""

NEVER = {"rules": {"dbprofile.capture.scope", "dbprofile.capture.stack", "time", "datetime"}}
"""Modules that a room must not import though their room is open to it: a rule reads groups, no clock and no open scope."""

THIRD_PARTY = {
    "dbprofile.adapters": {"wrapt"},
    "dbprofile.output.renderers.html": {"jinja2"},
    "dbprofile.web": {"jinja2"},
}
"""The only modules of the core that reach beyond the standard library."""

DOORS = {"dbprofile", "dbprofile.hooks"}
DOORS_BY_FILE = {
    "scopes.py": {"dbprofile.streaming", "dbprofile.web", "dbprofile.cli"},
    "plugin.py": {"dbprofile.testing", "dbprofile.findings", "dbprofile.output"},
}
"""The doors of the core that adapters use, and those that open for an adapter with such a file."""

ORDER = {
    "dbprofile.sql": ("cut", "tokens", "fingerprint", "summary", "shape", "statement"),
    "dbprofile.capture": (
        "database",
        "source",
        "repetition",
        "callsite",
        "waiting",
        "stack",
        "failures",
        "provenance",
        "query",
        "counters",
        "texts",
        "profile",
        "lane",
        "unseen",
        "scope",
        "threads",
    ),
    "dbprofile.analysis": (
        "variation",
        "log",
        "units",
        "groups",
        "lookalikes",
        "lineages",
        "loops",
        "writes",
        "redundant",
        "duplicates",
        "grouping",
        "eager",
    ),
    "dbprofile.findings": ("finding", "fixes", "comments", "baseline", "silence", "report"),
    "dbprofile.output": ("terminal", "told", "renderers", "background", "history", "sinks"),
}
"""Within a folder a module imports only what stands before it; modules not named here only must not form a cycle."""

REFUSED_MODULES = {"utils", "util", "helpers", "common", "manager", "managers", "misc"}
REFUSED_CLASSES = {
    "Recorder",
    "Session",
    "Transaction",
    "Span",
    "Tracer",
    "Event",
    "Detector",
    "Integration",
    "Manager",
}


def _is_ours(target: str) -> bool:
    return target.partition(".")[0].startswith("dbprofile")


def _owner(target: str) -> str:
    """The module of ours that an import reaches."""
    return target if target in MODULES_BY_NAME else target.rpartition(".")[0]


def _edges(module: Module) -> Iterator[tuple[str, str]]:
    """Each of our modules that this one imports, with the place."""
    for found in module.imports:
        if _is_ours(found.target) and (owner := _owner(found.target)) != module.name:
            yield owner, module.where(found.line)


def _breaches(breaches: list[str], law: str) -> None:
    assert not breaches, "\n  ".join([law, *breaches])


def test_the_tree_has_a_core() -> None:
    assert CORE_MODULES, f"no module under {CORE}"
    assert (CORE / "__init__.py").is_file()


def test_every_room_of_the_core_is_known() -> None:
    unknown = sorted({module.room for module in CORE_MODULES} - ROOMS.keys())
    _breaches(unknown, "Say in ROOMS what these may import:")


def test_a_room_imports_only_the_rooms_open_to_it() -> None:
    breaches = []
    for module in CORE_MODULES:
        for owner, place in _edges(module):
            room = MODULES_BY_NAME[owner].room if owner in MODULES_BY_NAME else "?"
            if not owner.startswith("dbprofile.") or (room != module.room and room not in ROOMS[module.room]):
                breaches.append(f"{place} imports {owner}")
    _breaches(breaches, "The core's rooms import only what ROOMS opens to them:")


def test_a_room_keeps_away_from_what_it_must_never_see() -> None:
    breaches = [
        f"{module.where(found.line)} imports {found.target}"
        for module in CORE_MODULES
        for found in module.imports
        if found.target in NEVER.get(module.room, ())
    ]
    _breaches(breaches, "Refused by NEVER:")


def test_the_core_needs_the_standard_library_alone() -> None:
    breaches = []
    for module in CORE_MODULES:
        allowed = {
            name for prefix in THIRD_PARTY if f"{module.name}.".startswith(f"{prefix}.") for name in THIRD_PARTY[prefix]
        }
        for found in module.imports:
            top = found.target.partition(".")[0]
            if top not in sys.stdlib_module_names and not _is_ours(top) and top not in allowed:
                breaches.append(f"{module.where(found.line)} imports {top}")
    _breaches(breaches, "Only THIRD_PARTY reaches beyond the standard library:")


def test_no_imports_run_in_a_circle() -> None:
    graph = {module.name: {owner for owner, _ in _edges(module)} for module in MODULES}
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        pytest.fail(f"import cycle: {' <- '.join(error.args[1])}")


@pytest.mark.parametrize("folder", ORDER)
def test_a_module_imports_only_what_stands_over_it(folder: str) -> None:
    rank = {f"{folder}.{name}": place for place, name in enumerate(ORDER[folder])}
    breaches = [
        f"{place} imports {owner}"
        for module in CORE_MODULES
        if module.name in rank
        for owner, place in _edges(module)
        if rank.get(owner, -1) > rank[module.name]
    ]
    _breaches(breaches, f"The order of {folder} is {', '.join(ORDER[folder])}:")


def _doors(adapter: Path) -> tuple[set[str], set[str]]:
    """The doors for every adapter, and those for an adapter with such files, which open with all that is behind them."""
    return DOORS, set().union(*(doors for file, doors in DOORS_BY_FILE.items() if (adapter / file).exists()))


def test_an_adapter_sees_the_core_only_through_its_doors() -> None:
    breaches = []
    for module in ADAPTER_MODULES:
        for_all, opened = _doors(next(folder for folder in ADAPTERS if folder.name == module.distribution_part))
        for owner, place in _edges(module):
            through_a_door = owner in for_all or any(f"{owner}.".startswith(f"{door}.") for door in opened)
            if owner.partition(".")[0] == "dbprofile" and not through_a_door:
                breaches.append(f"{place} imports {owner}")
    _breaches(
        breaches, "An adapter imports the core through dbprofile, dbprofile.hooks and the doors of DOORS_BY_FILE:"
    )


def test_no_adapter_needs_another() -> None:
    breaches = [
        f"{place} imports {owner}"
        for module in ADAPTER_MODULES
        for owner, place in _edges(module)
        if owner.partition(".")[0] not in {"dbprofile", module.distribution_part}
    ]
    _breaches(breaches, "An adapter imports no other adapter:")


def _imported_names(requirements: list[str]) -> set[str]:
    return {re.split(r"[^A-Za-z0-9_.-]", requirement)[0].lower().replace("-", "_") for requirement in requirements}


def test_an_adapter_imports_the_libraries_that_its_extra_declares() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    base = _imported_names(project["dependencies"]) | {"opentelemetry"}
    breaches = []
    for module in ADAPTER_MODULES:
        extra = module.distribution_part.removeprefix("dbprofile_")
        allowed = base | _imported_names(project["optional-dependencies"].get(extra, []))
        for found in module.imports:
            top = found.target.partition(".")[0]
            if top not in sys.stdlib_module_names and not _is_ours(top) and top not in allowed:
                breaches.append(f"{module.where(found.line)} imports {top}, which the extra {extra!r} does not declare")
    _breaches(breaches, "What an adapter imports is installed by its extra:")


def test_imports_stand_at_the_top_unless_a_comment_says_why() -> None:
    breaches = [
        f"{module.where(found.line)} imports {found.target}"
        for module in MODULES
        for found in module.imports
        if found.nested and not module.comments.keys() & {found.line - 1, found.line}
    ]
    _breaches(breaches, "An import in a function or under try needs its reason beside it:")


def test_imports_are_absolute() -> None:
    breaches = [
        module.where(found.line) for module in MODULES for found in module.imports if found.target.startswith(".")
    ]
    _breaches(breaches, "Relative imports:")


def _names_everything(node: ast.expr | None) -> bool:
    if node is None:
        return True
    named = node.elts if isinstance(node, ast.Tuple) else [node]
    return any(isinstance(name, ast.Name) and name.id in {"Exception", "BaseException"} for name in named)


def _catches_everything(node: ast.AST) -> bool:
    if isinstance(node, ast.ExceptHandler):
        last = node.body[-1]
        passes_on = isinstance(last, ast.Raise) and last.exc is None
        return _names_everything(node.type) and not passes_on
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
        called = node.func.id if isinstance(node.func, ast.Name) else node.func.attr
        return called == "suppress" and any(_names_everything(argument) for argument in node.args)
    return False


def test_only_the_guard_catches_everything() -> None:
    breaches = [
        module.where(getattr(node, "lineno", 0))
        for module in MODULES
        if module.name != "dbprofile.guard"
        for node in ast.walk(module.syntax)
        if _catches_everything(node)
    ]
    _breaches(breaches, "A broad except that does not raise again, outside dbprofile/guard.py:")


def test_every_module_says_what_it_holds() -> None:
    breaches = [module.name for module in MODULES if not ast.get_docstring(module.syntax)]
    _breaches(breaches, "Without a docstring:")


def test_names_that_say_nothing_are_refused() -> None:
    breaches = [module.name for module in MODULES if module.name.rpartition(".")[2] in REFUSED_MODULES]
    breaches += [
        f"{module.where(node.lineno)} {node.name}"
        for module in MODULES
        for node in ast.walk(module.syntax)
        if isinstance(node, ast.ClassDef) and node.name in REFUSED_CLASSES
    ]
    _breaches(breaches, "Names taken by others, or meaning nothing:")


def test_no_function_is_named_like_a_module() -> None:
    stems = {(module.distribution_part, module.name.rpartition(".")[2]) for module in MODULES}
    breaches = [
        f"{module.where(node.lineno)} {node.name}()"
        for module in MODULES
        for node in module.syntax.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and (module.distribution_part, node.name) in stems
    ]
    _breaches(breaches, "A function and a module of one name hide each other:")


@pytest.mark.parametrize("package", [CORE, *ADAPTERS], ids=lambda package: package.name)
def test_a_shipped_package_is_typed_and_not_rewritten_by_pytest(package: Path) -> None:
    assert (package / "py.typed").is_file(), f"{package.name} needs an empty py.typed"
    docstring = ast.get_docstring(MODULES_BY_NAME[package.name].syntax) or ""
    assert "PYTEST_DONT_REWRITE" in docstring, (
        f"the docstring of {package.name} needs PYTEST_DONT_REWRITE: pytest warns where it is imported before our plugin"
    )


@pytest.mark.parametrize("adapter", ADAPTERS, ids=lambda adapter: adapter.name)
def test_an_adapter_has_its_shelf(adapter: Path) -> None:
    name = adapter.name.removeprefix("dbprofile_")
    shelf = REPOSITORY / "tests" / "integrations"
    examples = [path for path in (REPOSITORY / "examples").rglob("*") if path.suffix in {".py", ".toml", ".ini"}]
    missing = [
        what
        for what, there in {
            f"tests/integrations/test_{name}.py (or more of them in tests/integrations/{name}/)": any(
                tests.is_file() for tests in (shelf / f"test_{name}.py", *(shelf / name).glob("test_*.py"))
            ),
            f"docs/{name}.md": (REPOSITORY / f"docs/{name}.md").is_file(),
            f"an example that uses {adapter.name}": any(adapter.name in path.read_text("utf-8") for path in examples),
        }.items()
        if not there
    ]
    _breaches(missing, f"{adapter.name} is without:")


RULES = [module.name.rpartition(".")[2] for module in CORE_MODULES if module.room == "rules" and "DBP" in module.source]


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_has_its_test_and_its_page(rule: str) -> None:
    shelf = (f"tests/rules/test_{rule}.py", f"docs/rules/{rule}.md")
    _breaches([path for path in shelf if not (REPOSITORY / path).is_file()], f"The rule {rule} is without:")


def test_nothing_shipped_imports_the_tests() -> None:
    outside = {"tests", "examples", "benchmarks", "docs"}
    breaches = [
        f"{module.where(found.line)} imports {found.target}"
        for module in MODULES
        for found in module.imports
        if found.target.partition(".")[0] in outside
    ]
    _breaches(breaches, "Tests, examples and benchmarks are leaves:")
