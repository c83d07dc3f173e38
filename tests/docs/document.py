"""Runs the Python blocks of one Markdown document: ``python -m tests.docs.document docs/tutorial.md``.

The interpreter is fresh, the working folder empty. A block without a title is executed, in one namespace for the whole document.
A block with a title is appended to that file: ``test_*.py`` is run by pytest at once, any other file is for later blocks to import,
and is run by itself at the end if none did.
"""

import re
import runpy
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from sybil import Document, Example, Region
from sybil.evaluators.python import PythonEvaluator
from sybil.parsers.markdown import ClearNamespaceParser, PythonCodeBlockParser, SkipParser
from sybil.parsers.markdown.lexers import RawFencedCodeBlockLexer

_TITLED = RawFencedCodeBlockLexer(re.compile(r"[ ]*python[ ]+(?P<attributes>[^\n]*)\n"))
_TITLE = re.compile(r'title="([^"]+)"')


class TitledBlocks:
    """Parses the fences that carry attributes after ``python``, which Sybil's own parser leaves alone."""

    def __init__(self) -> None:
        self.written: list[Path] = []
        self._execute = PythonEvaluator()

    def __call__(self, document: Document) -> Iterable[Region]:
        for region in _TITLED(document):
            region.parsed = region.lexemes["source"]
            region.evaluator = self.evaluate
            yield region

    def evaluate(self, example: Example) -> str | None:
        """Writes the file; returns what pytest printed if the file holds tests and they failed."""
        title = _TITLE.search(example.region.lexemes["attributes"])
        if title is None:
            self._execute(example)
            return None
        path = Path(title[1])
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            file.write(f"{example.parsed}\n")
        self.written.append(path)
        return _failures(path) if path.name.startswith("test_") else None


def _failures(path: Path) -> str | None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir=.", str(path)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    return result.stdout + result.stderr if result.returncode else None


def _run_what_nobody_imported(written: Iterable[Path]) -> None:
    imported = {
        Path(file).resolve() for module in list(sys.modules.values()) if (file := getattr(module, "__file__", None))
    }
    for path in dict.fromkeys(written):
        if path.suffix == ".py" and path.resolve() not in imported and not path.name.startswith(("test_", "conftest")):
            runpy.run_path(str(path), run_name="documented")


def run(path: Path) -> None:
    """Runs the document's blocks in the current folder; the first that fails raises what it raised."""
    titled = TitledBlocks()
    document = Document.parse(str(path), PythonCodeBlockParser(), titled, SkipParser(), ClearNamespaceParser())
    for example in document.examples():
        print(f"{path.name}:{example.line}", flush=True)  # the last line printed is the block at fault
        example.evaluate()
    _run_what_nobody_imported(titled.written)


if __name__ == "__main__":
    sys.path.insert(0, "")
    run(Path(sys.argv[1]))
