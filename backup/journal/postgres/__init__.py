"""The journal of a control store that is a Postgres: a base copy, and the WAL since."""
