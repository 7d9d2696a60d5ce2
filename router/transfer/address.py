"""Connecting to a server at one address, which was looked up once (attack case A41)."""

import http.client
import ipaddress
import socket
import ssl

from router.model.transfer import TransferCause, TransferError


def connect(host: str, port: int, timeout_s: float) -> socket.socket:
    """A connection to the first address of `host` that answers.

    Raises TransferError where a name leads to this machine or its link: whoever has such a storage writes its address.
    """
    meant = host == "localhost" or _is_address(host)
    last: OSError = OSError(f"{host} has no address")
    for family, kind, protocol, _, place in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        if not meant and _is_here(str(place[0])):
            words = (
                f"{host} leads to {place[0]}, which is not read; if that is meant, its prefix has to name the address"
            )
            raise TransferError(TransferCause.OTHER, words)
        link = socket.socket(family, kind, protocol)
        try:
            link.settimeout(timeout_s)
            link.connect(place)
        except OSError as error:
            link.close()
            last = error
            continue
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return link
    raise last


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _is_here(address: str) -> bool:
    found = ipaddress.ip_address(address.partition("%")[0])
    found = getattr(found, "ipv4_mapped", None) or found
    return found.is_loopback or found.is_link_local or found.is_unspecified or found.is_multicast


class Plain(http.client.HTTPConnection):
    """HTTP with one server."""

    def connect(self) -> None:
        """Connect."""
        self.sock = connect(self.host, self.port, float(self.timeout or 0))


class Secure(http.client.HTTPSConnection):
    """HTTPS with one server."""

    def __init__(self, host: str, port: int, timeout: float, context: ssl.SSLContext) -> None:
        """Trust as `context` says."""
        super().__init__(host, port, timeout=timeout, context=context)
        self._trust = context

    def connect(self) -> None:
        """Connect, and see that it is the server of that name."""
        link = connect(self.host, self.port, float(self.timeout or 0))
        self.sock = self._trust.wrap_socket(link, server_hostname=self.host)
