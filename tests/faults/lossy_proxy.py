"""A way to a daemon that loses, delays, cuts and swallows what goes through it: a TCP proxy, the same for each seed."""

import random
import selectors
import socket
import threading
import time
from dataclasses import dataclass, field
from typing import Self

WAYS = ("well", "late", "drips", "reset", "half closed", "swallowed", "one way")
"""What may become of a connection."""
PIECE = 65_536
FEW_BYTES = 2_000
"""After at most so many a connection is cut, or swallows the rest."""


@dataclass
class Plan:
    """What becomes of one connection."""

    way: str
    after: int
    """Bytes that get through before; of "one way" those of the answer."""
    pause_s: float

    def lets_through(self, passed: int, back: bool) -> bool:
        """Whether the next bytes arrive, after so many."""
        stuck = self.way == "swallowed" or (self.way == "one way" and back)
        return not (stuck and passed >= self.after)

    def cuts(self, passed: int) -> bool:
        """Whether the connection ends, after so many bytes."""
        return self.way in ("reset", "half closed") and passed >= self.after


@dataclass
class LossyProxy:
    """Listens at a port of its own on 127.0.0.1 and passes on to another there.

    After a connection that was lost the next goes well: who would look the daemon up elsewhere finds that it answers.
    Of the others each way comes before any comes again.
    """

    target: int
    seed: int
    port: int = 0
    met: dict[str, int] = field(default_factory=lambda: dict.fromkeys(WAYS, 0))
    """How many connections went which way."""
    _over: threading.Event = field(default_factory=threading.Event)
    _open: list[socket.socket] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._chance = random.Random(self.seed)  # noqa: S311 - events, not secrets
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=64)
        self._listening.settimeout(0.1)
        self.port = self._listening.getsockname()[1]
        self._last = "swallowed"
        self._left: list[str] = []
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        self._listening.close()
        for each in self._open:
            each.close()

    @property
    def bad(self) -> int:
        """Connections that did not go well."""
        return sum(count for way, count in self.met.items() if way != "well")

    def _serve(self) -> None:
        while not self._over.is_set():
            try:
                client, _ = self._listening.accept()
            except TimeoutError:
                continue
            plan = self._plan()
            self.met[plan.way] += 1
            threading.Thread(target=self._carry, args=(client, plan), daemon=True).start()

    def _plan(self) -> Plan:
        way = "well"
        if self._last in ("well", "late", "drips") and self._chance.random() < 0.8:
            self._left = self._left or self._chance.sample(WAYS[1:], len(WAYS) - 1)
            way = self._left.pop()
        self._last = way
        return Plan(way, self._chance.randrange(FEW_BYTES), self._chance.uniform(0.02, 0.2))

    def _carry(self, client: socket.socket, plan: Plan) -> None:
        try:
            daemon = socket.create_connection(("127.0.0.1", self.target), timeout=5)
        except OSError:
            client.close()
            return
        self._open += [client, daemon]
        try:
            self._pass_on(client, daemon, plan)
        except OSError:
            pass
        finally:
            if plan.way == "reset":
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            client.close()
            daemon.close()

    def _pass_on(self, client: socket.socket, daemon: socket.socket, plan: Plan) -> None:
        passed, other = {client: 0, daemon: 0}, {client: daemon, daemon: client}
        with selectors.DefaultSelector() as ready:
            for each in other:
                ready.register(each, selectors.EVENT_READ)
            while not self._over.is_set():
                for key, _ in ready.select(0.1):
                    source = key.fileobj
                    assert isinstance(source, socket.socket)
                    data = source.recv(500 if plan.way == "drips" else PIECE)
                    if not data:
                        return
                    self._put(data, other[source], plan, passed[source], back=source is daemon)
                    passed[source] += len(data)
                    if plan.cuts(sum(passed.values())):
                        if plan.way == "half closed":
                            client.shutdown(socket.SHUT_WR)
                            daemon.shutdown(socket.SHUT_WR)
                        return

    def _put(self, data: bytes, target: socket.socket, plan: Plan, passed: int, back: bool) -> None:
        if plan.way in ("late", "drips"):
            time.sleep(plan.pause_s)  # this is what it does
        if plan.lets_through(passed, back):
            target.sendall(data)
