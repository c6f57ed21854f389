"""Backups, restore drills: what can be set."""

from __future__ import annotations

from ares.config.section import Section


class BackupConfig(Section):
    """Copies to a restic repository, and the drills that prove them."""
