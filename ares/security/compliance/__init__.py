"""Who traded what, when, why and with whose consent: one signed archive for a period, which anybody can check later."""

from ares.security.compliance.archive import Archive, verify_archive
from ares.security.compliance.export import Export, export_period
from ares.security.compliance.manifest import Manifest, Period

__all__ = ["Archive", "Export", "Manifest", "Period", "export_period", "verify_archive"]
