"""Models: how they are fitted, kept and asked."""
