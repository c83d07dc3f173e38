"""The reading of the tree that the architecture tests lean on."""

from pathlib import Path

from tests.tree import Import, Module

SOURCE = '''
"""A module."""
import ast
from pathlib import Path as P

try:
    import tomllib
except ImportError:
    tomllib = None


def late():
    import json  # noqa: PLC0415
    # Loading it takes 46 ms.
    import decimal
    import fractions  # noqa: PLC0415 - loaded by one command only
    from . import sibling
'''


def _module(folder: Path) -> Module:
    path = folder / "sample.py"
    path.write_text(SOURCE)
    return Module("sample", path)


def test_an_import_is_nested_in_a_function_and_under_try(tmp_path: Path) -> None:
    assert _module(tmp_path).imports == [
        Import("ast", 3, nested=False),
        Import("pathlib", 4, nested=False),
        Import("tomllib", 7, nested=True),
        Import("json", 13, nested=True),
        Import("decimal", 15, nested=True),
        Import("fractions", 16, nested=True),
        Import(".", 17, nested=True),
    ]


def test_a_mark_for_a_tool_is_no_reason(tmp_path: Path) -> None:
    assert _module(tmp_path).comments == {14: "Loading it takes 46 ms.", 16: "loaded by one command only"}
