"""Operator's first aid: what is wrong with this machine and this installation, each with the way out."""

from ares.service.doctor.findings import Finding
from ares.service.doctor.probes import examine

__all__ = ["Finding", "examine"]
