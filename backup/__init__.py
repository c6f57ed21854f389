"""Brings Ares back: backups and proved restores, the cold tier and what may be dropped."""
