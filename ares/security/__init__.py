"""What keeps Ares honest and its secrets secret."""
