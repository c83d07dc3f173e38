import sys
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from dbprofile import ConfigurationError, adapters
from dbprofile.guard import faults, reset_faults

LIBRARY = "library_of_a_test"


@pytest.fixture(autouse=True)
def _library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A library and its adapter, neither of them imported."""
    (tmp_path / f"{LIBRARY}.py").write_text("")
    (tmp_path / "adapter_of_a_test.py").write_text("calls = []\ndef install():\n    calls.append(1)\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(adapters, "_installed", set())
    yield
    for name in (LIBRARY, "adapter_of_a_test"):
        sys.modules.pop(name, None)


def declare(monkeypatch: pytest.MonkeyPatch, target: str) -> None:
    declared = (EntryPoint(LIBRARY, target, adapters.GROUP),)
    monkeypatch.setattr(adapters, "entry_points", lambda group: declared if group == adapters.GROUP else ())


def test_an_adapter_is_installed_once_when_its_library_is_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    declare(monkeypatch, "adapter_of_a_test:install")
    adapters.install()
    adapters.install()
    assert "adapter_of_a_test" not in sys.modules
    __import__(LIBRARY)
    assert sys.modules["adapter_of_a_test"].calls == [1]


def test_an_adapter_that_is_the_first_to_import_its_library_is_installed_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "adapter_of_a_test.py").write_text(
        f"import {LIBRARY}\ncalls = []\ndef install():\n    calls.append(1)\n"
    )
    declare(monkeypatch, "adapter_of_a_test:install")
    adapters.install()
    __import__("adapter_of_a_test")
    assert sys.modules["adapter_of_a_test"].calls == [1]


def test_a_raw_driver_is_watched_only_where_drivers_are_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    declared = (EntryPoint(LIBRARY, "adapter_of_a_test:install", adapters.DRIVERS),)
    monkeypatch.setattr(adapters, "entry_points", lambda group: declared if group == adapters.DRIVERS else ())
    adapters.install()
    __import__(LIBRARY)
    assert "adapter_of_a_test" not in sys.modules
    adapters.install(drivers=True)
    assert sys.modules["adapter_of_a_test"].calls == [1]


@pytest.mark.usefixtures("failing_open")
def test_an_adapter_that_cannot_be_imported_does_not_break_the_import_of_its_library(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    declare(monkeypatch, "no_such_adapter:install")
    adapters.install()
    __import__(LIBRARY)
    assert faults() == {f"adapters.install {LIBRARY}": 1}
    reset_faults()


def test_an_entry_point_without_a_function_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    declare(monkeypatch, "adapter_of_a_test")
    with pytest.raises(ConfigurationError, match="write package:install"):
        adapters.install()
