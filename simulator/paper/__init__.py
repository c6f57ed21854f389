"""The exchange on a live venue's public stream: paper trading."""
