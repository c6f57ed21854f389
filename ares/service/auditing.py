"""The audit chain of an installation: which key, which folder."""

from __future__ import annotations

from pathlib import Path

from ares.control import ControlStore
from ares.security.audit import LocalSigner, Witness
from ares.service.types import ServiceContext


def witness_dir(context: ServiceContext) -> Path:
    """Where copies of signed heads go; by default beside the control store, which guards against accidents only."""
    return context.config.audit.witness_dir or context.state_dir / "witness"


def witness_of(context: ServiceContext, control: ControlStore) -> Witness:
    """The one that signs and copies. Raises `AuditKeyUnusable`."""
    signer = LocalSigner.open(context.config.audit.key_file or context.state_dir / "audit.key")
    return Witness(control, signer, witness_dir(context), context.clock)
