"""Orders on their way: journal first, then the venue, then what came of it."""
