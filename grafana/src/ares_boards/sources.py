"""Where panels get their rows: QuestDB by a file of SQL, Prometheus by an expression. Data sources are named by uid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources

from grafana_foundation_sdk.builders.prometheus import Dataquery as PromBuilder
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models.dashboard import DataSourceRef
from grafana_foundation_sdk.models.prometheus import PromQueryFormat, QueryEditorMode

QUESTDB = DataSourceRef(type_val="postgres", uid="questdb")
PROMETHEUS = DataSourceRef(type_val="prometheus", uid="prometheus")
TRACES_UID = "traces"


def sql(name: str) -> str:
    """The statement in queries/NAME.sql, with its comments: who inspects a panel reads what it answers."""
    return resources.files("ares_boards").joinpath("queries", f"{name}.sql").read_text(encoding="utf-8").strip()


@dataclass
class PostgresQuery(Dataquery):
    """A query of Grafana's PostgreSQL source, which the SDK does not know. `table`: rows as they are, else series."""

    raw_sql: str
    table: bool
    ref_id: str

    def to_json(self) -> dict[str, object]:
        """As Grafana stores it."""
        return {
            "datasource": QUESTDB,
            "editorMode": "code",
            "format": "table" if self.table else "time_series",
            "rawQuery": True,
            "rawSql": self.raw_sql,
            "refId": self.ref_id,
        }


class Rows(Builder[Dataquery]):
    """Rows of a query, for tables and single figures."""

    source = QUESTDB
    table = True

    def __init__(self, name: str, ref_id: str = "A") -> None:
        self._name, self._ref_id = name, ref_id

    def build(self) -> Dataquery:
        return PostgresQuery(sql(self._name), self.table, self._ref_id)


class Series(Rows):
    """Values over time: the column `time` first, then text that names a series, then numbers."""

    table = False


class Prom(Builder[Dataquery]):
    """An expression of Prometheus; `now`: its newest value only, for single figures and tables."""

    source = PROMETHEUS

    def __init__(self, expression: str, legend: str = "", *, now: bool = False, ref_id: str = "A") -> None:
        self._expression, self._legend, self.now, self._ref_id = expression, legend, now, ref_id

    def build(self) -> Dataquery:
        query = PromBuilder().expr(self._expression).legend_format(self._legend or "__auto").ref_id(self._ref_id)
        query.editor_mode(QueryEditorMode.CODE).format(PromQueryFormat.TIME_SERIES).datasource(PROMETHEUS)
        return (query.instant() if self.now else query.range()).build()


Target = Rows | Prom


def quantile(share: float, histogram: str, window: str = "$__rate_interval", by: Sequence[str] = ()) -> str:
    """What so many of a histogram's events stay below, as an expression."""
    return f"histogram_quantile({share}, sum by ({', '.join(('le', *by))}) (rate({histogram}_bucket[{window}])))"


def quantiles(histogram: str) -> tuple[Prom, ...]:
    """The median, the 95th and the 99th of a histogram of seconds."""
    shares = ((0.5, "p50"), (0.95, "p95"), (0.99, "p99"))
    return tuple(Prom(quantile(share, histogram), name, ref_id=name.upper()) for share, name in shares)
