"""Which real pool the contract suite gets, and what happens where there can be none."""

import pool_backend
import pytest
from docker.errors import DockerException


class Engine:
    """A Docker client."""

    def __init__(self, fault: Exception | None = None) -> None:
        self.fault, self.pings, self.closed = fault, 0, False

    def ping(self) -> bool:
        self.pings += 1
        if self.fault:
            raise self.fault
        return True

    def close(self) -> None:
        self.closed = True


class Container:
    """A pool in a container."""

    def __init__(self, fault: Exception | None = None) -> None:
        self.fault = fault
        self.told: list[str] = []

    def up(self) -> None:
        self.told.append("up")
        if self.fault:
            raise self.fault

    def down(self) -> None:
        self.told.append("down")

    def env(self, user: str) -> dict[str, str]:
        return {"user": user}


EMBEDDED = pool_backend.Connections(Container())


def chosen(engine: Engine, container: Container):
    with pool_backend.in_container_or(lambda: EMBEDDED, lambda: container, lambda: engine) as (pool, why):
        return pool, why


def test_where_an_engine_answers_a_container_is_the_pool_and_is_ended():
    engine, container = Engine(), Container()
    pool, why = chosen(engine, container)
    assert (pool.pool, why) == (container, "")
    assert container.told == ["up", "down"]
    assert (engine.pings, engine.closed) == (1, True)


@pytest.mark.parametrize("fault", [DockerException("no socket"), ConnectionRefusedError("refused")])
def test_where_no_engine_answers_no_container_is_tried(fault):
    engine, container = Engine(fault), Container()
    pool, why = chosen(engine, container)
    assert pool is EMBEDDED
    assert why == f"no Docker engine answers: {fault}"
    assert (container.told, engine.closed) == ([], True)


def test_where_there_is_no_client_at_all_no_container_is_tried():
    def connect():
        raise DockerException("no socket")

    with pool_backend.in_container_or(lambda: EMBEDDED, Container, connect) as (pool, why):
        assert (pool, why) == (EMBEDDED, "no Docker engine answers: no socket")


def test_a_container_that_does_not_start_is_ended_and_the_embedded_pool_taken():
    container = Container(RuntimeError("no such image"))
    pool, why = chosen(Engine(), container)
    assert (pool, why) == (EMBEDDED, "the container does not start: no such image")
    assert container.told == ["up", "down"]


def test_a_container_is_ended_also_when_a_test_fails():
    container = Container()
    with (
        pytest.raises(ZeroDivisionError),
        pool_backend.in_container_or(lambda: EMBEDDED, lambda: container, Engine),
    ):
        raise ZeroDivisionError
    assert container.told == ["up", "down"]


def test_a_machine_that_cannot_run_a_pool_skips_and_ci_fails():
    with pytest.raises(pytest.skip.Exception, match="no user namespaces"):
        pool_backend.give_up("no user namespaces", {})
    with pytest.raises(pytest.fail.Exception, match="no user namespaces"):
        pool_backend.give_up("no user namespaces", {"CI": "true"})
