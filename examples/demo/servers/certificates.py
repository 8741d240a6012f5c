"""A certificate authority for the time of the demo, so that every connection is encrypted and checked as it would be in earnest."""

import ssl
from pathlib import Path

import trustme

__all__ = ["HOST", "Authority", "trusting"]

HOST = "127.0.0.1"


class Authority:
    """Issues the servers' certificates; what trusts it is written to a file for the worker."""

    def __init__(self) -> None:
        self._authority = trustme.CA()

    def server_context(self) -> ssl.SSLContext:
        """Return what a server on the loopback proves itself with."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._authority.issue_cert(HOST).configure_cert(context)
        return context

    def write(self, path: Path) -> None:
        """Write the authority's own certificate, which clients check the servers' against."""
        path.write_bytes(self._authority.cert_pem.bytes())


def trusting(ca_file: Path) -> ssl.SSLContext:
    """Return a client's context that trusts the authority in *ca_file* and no other."""
    return ssl.create_default_context(cafile=str(ca_file))
