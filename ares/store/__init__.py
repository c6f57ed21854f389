"""The only door to QuestDB: its server, reads, writes, schema and health."""

from ares.store.pool import Database, Param, Record, Value
from ares.store.queries import load_queries
from ares.store.writer import RowWriter

__all__ = ["Database", "Param", "Record", "RowWriter", "Value", "load_queries"]
