"""The door over HTTP: what happens and what is derived, for who may see it; no business rule lives here."""
