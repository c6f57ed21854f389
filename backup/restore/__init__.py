"""A state directory from the repository: whole, or not there at all."""
