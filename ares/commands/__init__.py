"""The kernel's own commands."""
