"""Goal: the house rules hold. Each rule is a function over the source, and each is shown to catch what it bans."""

from __future__ import annotations

import ast
import re
import subprocess
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from ares.errors import UsageError
from ares.store.migrations import migrations, parse_migration
from ares.store.queries import split_statements

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("ares", "simulator", "ingest", "analytics", "trader", "backtest", "backup", "alerting", "api")
FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 60

CLOCK_CALLS = {
    *("datetime.now", "datetime.utcnow", "datetime.datetime.now", "date.today", "datetime.today"),
    *("time.time", "time.time_ns", "time.monotonic", "random.random", "random.randint", "random.choice"),
    *("random.uniform", "random.shuffle", "random.seed", "np.random.seed", "np.random.rand"),
}
CLOCK_ALLOWED = {
    "ares/clock.py": "it is the clock",
    "ares/store/server.py": "waits for a process to start, before any clock is given",
}
MONEY_PACKAGES = ("trader/risk", "trader/portfolio", "simulator/matching")
TRACKED_TEXT = {".py", ".sql", ".md", ".toml", ".yml", ".yaml", ".txt", ".json", ""}
Nodes = Sequence[ast.AST]


def sources(*packages: str) -> Iterator[Path]:
    for package in packages or PACKAGES:
        yield from sorted((ROOT / package).rglob("*.py"))


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def calls(nodes: Nodes) -> Iterator[tuple[str, int]]:
    for node in nodes:
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node.lineno


def long_functions(nodes: Nodes) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno is not None:
            lines = node.end_lineno - node.lineno + 1
            if lines > FUNCTION_LINES_MAX:
                yield f"{node.name}: {lines} lines"


def log_events_that_are_not_static(nodes: Nodes) -> Iterator[int]:
    for node in nodes:
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args):
            continue
        if not re.fullmatch(r"(self\._)?log\.\w+", ast.unparse(node.func)):
            continue
        event = node.args[0]
        if not (isinstance(event, ast.Constant) and re.fullmatch(r"[a-z][a-z0-9_]*", str(event.value))):
            yield node.lineno


def sql_put_together(nodes: Nodes) -> Iterator[int]:
    """f-strings that begin like SQL and have holes."""
    for node in nodes:
        if isinstance(node, ast.JoinedStr) and any(isinstance(part, ast.FormattedValue) for part in node.values):
            first = node.values[0]
            text = str(first.value) if isinstance(first, ast.Constant) else ""
            if re.match(r"\s*(SELECT|INSERT INTO|UPDATE|DELETE FROM|CREATE|ALTER|DECLARE)\s", text):
                yield node.lineno


def props_put_together(nodes: Nodes) -> Iterator[int]:
    """Props written with anything but constants of the module: in a browser a part of such a text may become script."""
    for node in nodes:
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "props":
            holes = [part for given in node.args for part in ast.walk(given) if isinstance(part, ast.Name)]
            if any(not re.fullmatch(r"_?[A-Z][A-Z_]*", hole.id) for hole in holes):
                yield node.lineno


def parsed(text: str) -> Nodes:
    """Walked once for all rules: this is done of a thousand files."""
    return list(ast.walk(ast.parse(text)))


@pytest.mark.parametrize("path", list(sources()), ids=relative)
def test_source_file_keeps_the_house_rules(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    nodes = parsed(text)
    name, called = relative(path), list(calls(nodes))
    assert len(text.splitlines()) <= FILE_LINES_MAX, "split it: a file has one reason to change"
    assert not list(long_functions(nodes))
    assert not list(log_events_that_are_not_static(nodes)), "log events are static snake_case, data goes in keywords"
    assert not list(sql_put_together(nodes)), "SQL lives in .sql files"
    assert not list(props_put_together(nodes)), "set element.props[name]: it is not parsed"
    if name not in CLOCK_ALLOWED:
        assert not [(call, line) for call, line in called if call in CLOCK_CALLS], "time and chance come in"
    assert not [line for call, line in called if call == "print"], "use ares.commands.output or the log"
    if name.startswith(MONEY_PACKAGES):
        assert not [line for call, line in called if call == "float"], "money is Decimal"


def test_rules_catch_what_they_ban() -> None:
    bad = parsed('log.info(f"lost {x}")\nlog.info("Not Snake")\ndatetime.now()\nq = f"SELECT {x}"')
    assert list(log_events_that_are_not_static(bad)) == [1, 2]
    assert [call for call, _ in calls(bad) if call in CLOCK_CALLS] == ["datetime.now"]
    assert list(sql_put_together(bad)) == [4]
    assert list(props_put_together(parsed("x.props(f'a={b}')\nx.props(b)\nx.props(f'{_FIELD} c')"))) == [1, 2]
    long = parsed("def f():\n" + "    x = 1\n" * FUNCTION_LINES_MAX)
    assert list(long_functions(long)) == [f"f: {FUNCTION_LINES_MAX + 1} lines"]


def tracked() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.split("\n")  # fmt: skip
    return [ROOT / name for name in listed if name and (ROOT / name).is_file()]


def test_no_file_names_a_path_of_a_machine() -> None:
    pattern = re.compile("/" + r"(work|root|home/\w+)/")
    named = [
        relative(path)
        for path in tracked()
        if path.suffix in TRACKED_TEXT and pattern.search(path.read_text(encoding="utf-8", errors="ignore"))
    ]
    assert named == []


def test_nothing_large_is_tracked() -> None:
    assert [relative(path) for path in tracked() if path.stat().st_size > 2 * 1024 * 1024] == []


def test_every_ignore_says_why() -> None:
    silent = re.compile(r"#\s*(noqa(?!:)|noqa: [A-Z0-9, ]+\s*$|type: ignore(?!\[)|pragma: no cover\s*$)")
    named = [
        f"{relative(path)}:{number}"
        for path in sources()
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if silent.search(line)
    ]
    assert named == []


def test_decisions_are_numbered_without_holes_and_have_a_status() -> None:
    records = sorted(path for path in (ROOT / "docs" / "adr").glob("[0-9]*.md"))
    assert [int(path.name[:4]) for path in records] == list(range(1, len(records) + 1))
    assert all("\nStatus: " in path.read_text(encoding="utf-8") for path in records)


def test_every_view_has_an_example_test() -> None:
    created = re.compile(
        r"CREATE\s+(?:OR\s+REPLACE\s+)?(?:MATERIALIZED\s+)?VIEW\s+(?:IF\s+NOT\s+EXISTS\s+)?(\w+)", re.IGNORECASE
    )
    views = {
        name
        for package in PACKAGES
        for file in (ROOT / package).glob("views/**/*.sql")
        for name in created.findall(re.sub(r"--[^\n]*", "", file.read_text(encoding="utf-8")))
    }
    tested = {
        folder.name for folder in (ROOT / "tests" / "views").iterdir() if folder.is_dir() and any(folder.iterdir())
    }
    aliases = {name for name in views if any(re.fullmatch(rf"{name}_v\d+", other) for other in views)}
    assert views - aliases - tested == set(), "an example in tests/views/<view>/<case>/ is missing"


def test_every_table_says_its_grain() -> None:
    for file in (ROOT / "ares" / "store" / "schema" / "tables").glob("*.sql"):
        for statement in split_statements(file.read_text(encoding="utf-8")):
            comment = statement.split("CREATE TABLE")[0]
            assert "Grain:" in comment, f"{file.name}: a table without its grain: {statement[:60]}"


def test_every_migration_says_how_to_go_back_and_does_only_what_its_phase_allows() -> None:
    assert all(each.rollback for each in migrations())
    with pytest.raises(UsageError, match="lacks '-- Rollback"):
        parse_migration("0001_pre_a.sql", "-- What: A thing.\n-- Why: A reason.\nDROP TABLE IF EXISTS a")


def test_dependencies_are_locked() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    locked = {package["name"] for package in tomllib.loads((ROOT / "uv.lock").read_text(encoding="utf-8"))["package"]}
    wanted = {re.split(r"[\[<>=~! ]", dependency)[0] for dependency in project["dependencies"]}
    assert wanted <= locked


def test_every_folder_of_tests_is_run_by_ci() -> None:
    folders = {file.relative_to(ROOT).parts[1] for file in (ROOT / "tests").rglob("test_*.py")}
    named = set(re.findall(r"tests/(\w+)", (ROOT / ".ci" / "run").read_text(encoding="utf-8")))
    assert folders == named
