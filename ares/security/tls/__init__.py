"""Certificates of the TLS proxy, and what the proxy is told."""

from ares.security.tls.certificate import Certificate, presented, read_pair
from ares.security.tls.proxy import DOORS, stunnel_config

__all__ = ["DOORS", "Certificate", "presented", "read_pair", "stunnel_config"]
