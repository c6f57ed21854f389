"""The audit chain: signed heads, witnesses outside of this machine, and the proof that nothing was changed."""

from ares.security.audit.chain import Fault, Head, verify
from ares.security.audit.signer import LocalSigner, Signer
from ares.security.audit.witness import Witness

__all__ = ["Fault", "Head", "LocalSigner", "Signer", "Witness", "verify"]
