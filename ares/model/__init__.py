"""The field's nouns: frozen, typed, UTC. Pure: nothing here does I/O."""
