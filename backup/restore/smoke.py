"""Whether a database answers: every table is read, every view compiles and runs."""

from __future__ import annotations

from ares.errors import StoreError
from ares.store import Database, load_queries
from ares.store.pool import as_str

QUERIES = load_queries("backup.restore", "smoke.sql")
TABLE = "T"


async def ask_everything(database: Database) -> tuple[int, tuple[str, ...]]:
    """How many tables and views answered, and which views do not: that is no reason to keep data from coming back.

    Raises `StoreError` with the name of the first table that does not answer.
    """
    relations = await database.fetch(QUERIES["relations"])
    silent = []
    for relation in relations:
        name = as_str(relation["name"])
        try:
            await database.fetch(QUERIES["answers"].replace("{relation}", name))
        except StoreError as error:
            if relation["kind"] == TABLE:
                raise type(error)(f"{name} does not answer: {error}") from None
            silent.append(name)
    return len(relations) - len(silent), tuple(silent)


async def answers(database: Database, name: str) -> bool:
    """Whether one relation does."""
    try:
        await database.fetch(QUERIES["answers"].replace("{relation}", name))
    except StoreError:
        return False
    return True
