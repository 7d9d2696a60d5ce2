"""HTCondor's own image as a pool, for the contract suite."""

import socket
import time
from pathlib import Path

from testcontainers.core.container import DockerContainer

from router.resources import folder

IMAGE = "htcondor/mini:lts-el9"
DOMAIN = "tests.glideroute"
USERS = ("alice", "bob", "router")
READY_S = 60

SERVER = """\
DAEMON_LIST = MASTER SHARED_PORT COLLECTOR NEGOTIATOR SCHEDD
CONDOR_HOST = 127.0.0.1
COLLECTOR_HOST = 127.0.0.1:{port}
SHARED_PORT_PORT = {port}
NETWORK_INTERFACE = 127.0.0.1
TRUST_DOMAIN = {domain}
UID_DOMAIN = {domain}
SEC_DEFAULT_AUTHENTICATION = REQUIRED
SEC_DEFAULT_AUTHENTICATION_METHODS = IDTOKENS
ALLOW_READ = *@{domain}
ALLOW_WRITE = *@{domain}
QUEUE_SUPER_USERS = condor, root, router
"""

CLIENT = """\
CONDOR_HOST = 127.0.0.1
COLLECTOR_HOST = 127.0.0.1:{port}
TRUST_DOMAIN = {domain}
UID_DOMAIN = {domain}
SEC_CLIENT_AUTHENTICATION_METHODS = IDTOKENS
"""


class ContainerPool:
    """A pool in a container that shares the machine's network; tokens and settings for its users lie below `home`."""

    def __init__(self, home: Path) -> None:
        self.home = home
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.names = {"port": probe.getsockname()[1], "domain": DOMAIN}
        self.container = DockerContainer(IMAGE).with_kwargs(network_mode="host")

    def up(self) -> None:
        """Start it and wait until its schedd answers."""
        (self.home / "server.config").write_text(SERVER.format(**self.names))
        (self.home / "client.config").write_text(CLIENT.format(**self.names))
        for fragment in (*folder("schedd_config").glob("*.config"), self.home / "server.config"):
            inside = f"/etc/condor/config.d/{'99-' if fragment.parent == self.home else ''}{fragment.name}"
            self.container.with_volume_mapping(fragment, inside)
        self.container.start()
        for user in USERS:
            self._call("useradd", "--create-home", user)
        self._wait()
        for user in USERS:
            token = self.home / user / "token"
            token.parent.mkdir()
            token.write_text(self._call("condor_token_create", "-identity", f"{user}@{DOMAIN}"))
            token.chmod(0o600)

    def down(self) -> None:
        """End it, whether or not it ever started."""
        self.container.stop()

    def env(self, user: str) -> dict[str, str]:
        """What makes HTCondor's bindings act as `user`."""
        return {
            "CONDOR_CONFIG": str(self.home / "client.config"),
            "_CONDOR_SEC_TOKEN_DIRECTORY": str(self.home / user),
        }

    def _wait(self) -> None:
        end = time.monotonic() + READY_S
        while "Schedd" not in self._call("condor_status", "-any", "-af", "MyType", check=False):
            if time.monotonic() > end:
                raise TimeoutError(f"no schedd after {READY_S} s")
            time.sleep(0.2)

    def _call(self, *command: str, check: bool = True) -> str:
        answer = self.container.exec(list(command))
        text = answer.output.decode(errors="replace")
        if check and answer.exit_code:
            raise RuntimeError(f"{command[0]} in the container: {text.strip()}")
        return text
