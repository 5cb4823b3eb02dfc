"""In which order the tests run, and what a run says of itself."""

from pathlib import Path

import pytest

from tests import order, progress

ROOT = Path(__file__).parents[2]


def test_every_name_of_the_order_is_one_of_a_test() -> None:
    files = [path.relative_to(ROOT).as_posix() for path in (ROOT / "tests").rglob("test_*.py")]
    for name in (
        *order.STARTS_PROGRAMS,
        *order.WHOLE_SIGN_INS,
        *order.TOGETHER,
        *order.SHARED,
        *order.MANY_EXAMPLES,
    ):
        assert any(file.startswith(name) for file in files), name


def test_what_starts_programs_comes_before_what_runs_in_process() -> None:
    places = [
        order.place(f"tests/{name}::test_it[1]")
        for name in (
            *("integration/test_router_reference.py", "integration/test_fault_start.py"),
            *("protocol/test_sse_any.py", "oauth/test_scopes.py"),
        )
    ]
    assert places == sorted(set(places))


@pytest.mark.parametrize("at_once", [True, False], ids=["the-first", "later"])
def test_a_line_says_what_has_run_and_what_is_left(at_once: bool) -> None:
    total = {progress.PROGRAMS: 1200, progress.IN_PROCESS: 11_000}
    done = {} if at_once else {progress.PROGRAMS: 1200, progress.IN_PROCESS: 1000}
    said = progress.line(75.2, total, done, 0 if at_once else 2, [] if at_once else ["tests/a.py::test_b for 31 s"])
    if at_once:
        assert said == "  75 s: 0 of 1,200 tests that start programs, 0 of 11,000 tests in process, 12,200 left"
    else:
        assert said.endswith("1,000 of 11,000 tests in process, 10,000 left, 2 failed; tests/a.py::test_b for 31 s")


def test_a_worker_is_handed_what_belongs_together() -> None:
    scope_of = order.LongestFirst._split_scope
    scheduler = order.LongestFirst.__new__(order.LongestFirst)
    assert scope_of(scheduler, "tests/oauth/test_scopes.py::test_a[x]") == "tests/oauth/test_scopes.py"
    assert scope_of(scheduler, "tests/integration/test_soak.py::test_a") == "tests/integration/test_soak.py::test_a"
    assert scope_of(scheduler, "tests/integration/test_router_reference.py::test_a@router") == "router"
    (servers,) = {scope_of(scheduler, f"tests/integration/test_reference_{n}.py::test_a") for n in ("calls", "two_way")}
    assert servers == "reference servers"
    assert {scope_of(scheduler, f"{file}::test_a") for file in order.SHARED_TREES} == {"syntax trees"}


def test_each_worker_begins_with_files_of_its_own_and_imports_all(monkeypatch: pytest.MonkeyPatch) -> None:
    imported: list[str] = []
    monkeypatch.setattr("importlib.import_module", imported.append)
    order.import_ahead(0, 2, is_fast=True)
    first, imported[:] = list(imported), []
    order.import_ahead(1, 2, is_fast=True)
    assert sorted(first) == sorted(imported)
    assert not set(first[: len(first) // 2]) & set(imported[: len(first) // 2])
    assert "tests.oauth.test_scopes" in first
    assert not [name for name in first if name.startswith("tests.integration.")]
