"""Signs of life for systemd: the protocol of sd_notify(3), a datagram to the socket that $NOTIFY_SOCKET names."""

import logging
import os
import socket
from collections.abc import Mapping

log = logging.getLogger(__name__)


def notify(state: str, environment: Mapping[str, str] = os.environ) -> None:
    """Tell systemd `READY=1`, `WATCHDOG=1` or `STOPPING=1`; nothing where it does not ask."""
    address = environment.get("NOTIFY_SOCKET", "")
    if not address:
        return
    # A name that begins with @ is one of Linux's abstract sockets.
    name = "\0" + address[1:] if address.startswith("@") else address
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
        try:
            sender.sendto(state.encode(), name)
        except OSError as error:  # systemd then judges by silence
            log.warning("systemd is not told %s: %s", state, error)
