"""The audit chain of an installation: which key, which folder."""

from __future__ import annotations

from pathlib import Path

from ares.control import ControlStore
from ares.security.audit import LocalSigner, Signer, Witness
from ares.service.types import ServiceContext


def witness_dir(context: ServiceContext) -> Path:
    """Where copies of signed heads go; by default beside the control store, which guards against accidents only."""
    return context.config.audit.witness_dir or context.state_dir / "witness"


def witness_of(context: ServiceContext, control: ControlStore) -> Witness:
    """The one that signs and copies. Raises `AuditKeyUnusable`."""
    return Witness(control, signer_of(context), witness_dir(context), context.clock)


def signer_of(context: ServiceContext) -> Signer:
    """Whose key vouches for this installation. Raises `AuditKeyUnusable`."""
    config = context.config
    if config.audit.vault_key is None:
        return LocalSigner.open(config.audit.key_file or context.state_dir / "audit.key")
    from ares.security.audit.vault_signer import VaultSigner  # noqa: PLC0415 - Vault's client is heavy

    return VaultSigner.open(config.secrets, config.audit.vault_key)
