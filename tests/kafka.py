"""A real Kafka broker from its Maven artifacts: one process, KRaft, loopback only."""

from __future__ import annotations

import socket
import subprocess
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import jgo

from ares.store.server import resolve_java

COORDINATE = "org.apache.kafka:kafka_2.13:4.1.1"
READY_S_MAX = 60.0


def kafka_path() -> Path:
    """The folder of the artifacts, downloaded on first use."""
    return Path(str(jgo.build(COORDINATE).path))


class RunningKafka:
    """A broker on its own folder; `start` after `kill` finds what was acknowledged before."""

    def __init__(self, folder: Path, port: int, controller_port: int) -> None:
        self.servers = f"127.0.0.1:{port}"
        self._folder = folder
        self._port = port
        self._settings = folder / "server.properties"
        self._process: subprocess.Popen[bytes] | None = None
        path = kafka_path()
        # QuestDB's classes, which JDK_JAVA_OPTIONS may name, are of no use here, and Java would say so each time.
        self._java = [str(resolve_java()), "-XX:AOTMode=off", "-Xmx384m", "-cp", f"{path}/jars/*:{path}/modules/*"]
        self._settings.write_text(
            "process.roles=broker,controller\nnode.id=1\n"
            f"listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}\n"
            f"advertised.listeners=PLAINTEXT://127.0.0.1:{port}\n"
            f"controller.quorum.voters=1@127.0.0.1:{controller_port}\n"
            "controller.listener.names=CONTROLLER\ninter.broker.listener.name=PLAINTEXT\n"
            f"log.dirs={folder / 'data'}\n"
            "offsets.topic.replication.factor=1\ntransaction.state.log.replication.factor=1\n"
            "transaction.state.log.min.isr=1\noffsets.topic.num.partitions=1\ngroup.initial.rebalance.delay.ms=0\n"
            "auto.create.topics.enable=false\n"
        )
        cluster = uuid.uuid4()
        self._run("kafka.tools.StorageTool", "format", "-t", str(cluster), "-c", str(self._settings))

    def start(self) -> None:
        with (self._folder / "kafka.log").open("ab") as log:
            self._process = subprocess.Popen(
                [*self._java, "kafka.Kafka", str(self._settings)], stdout=log, stderr=log, start_new_session=True
            )
        deadline = time.monotonic() + READY_S_MAX
        while not self._answers():
            assert self._process.poll() is None, (self._folder / "kafka.log").read_text()[-2000:]
            assert time.monotonic() < deadline, "Kafka does not answer"
            time.sleep(0.2)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(30)
            self._process = None

    def _answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self._port)) == 0

    def _run(self, *words: str) -> None:
        subprocess.run([*self._java, *words], check=True, capture_output=True, timeout=120)


@contextmanager
def running_kafka(folder: Path, port: int, controller_port: int) -> Iterator[RunningKafka]:
    """Started, and ended with the block."""
    kafka = RunningKafka(folder, port, controller_port)
    try:
        kafka.start()
        yield kafka
    finally:
        kafka.kill()
