"""The cold tier: what can be set."""

from __future__ import annotations

from ares.config.section import Section


class LakeConfig(Section):
    """Delta Lake on a disk or in S3: old market data and the versions of datasets."""
