"""A real Kafka broker for tests: one process (KRaft) on loopback, with a folder and ports of its own."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient, NewTopic

from tests.kit.timeouts import PATIENCE
from towpath.flink.local_cluster import free_port

JARS = Path("build/kafka")
"""What ``make kafka-broker`` fetches."""
CLUSTER = "towpath-of-the-tests-A"
"""An id of 16 bytes in base64."""
FOREVER = 1 << 62
SETTINGS = {
    "process.roles": "broker,controller",
    "node.id": 1,
    "controller.listener.names": "CONTROLLER",
    "offsets.topic.replication.factor": 1,
    "offsets.topic.num.partitions": 1,
    "transaction.state.log.replication.factor": 1,
    "transaction.state.log.min.isr": 1,
    "transaction.state.log.num.partitions": 4,
    "group.initial.rebalance.delay.ms": 0,
    "auto.create.topics.enable": "false",
    # Records have any time: that of recorded data, and later than now.
    "log.retention.ms": -1,
    "log.message.timestamp.before.max.ms": FOREVER,
    "log.message.timestamp.after.max.ms": FOREVER,
}


class KafkaBroker:
    """A running broker; ``address`` is what clients connect to."""

    def __init__(self, java: Path) -> None:
        self._java = java
        self._folder = Path(tempfile.mkdtemp(prefix="towpath-kafka-"))
        self._process: subprocess.Popen[bytes] | None = None
        port, control = free_port(), free_port()
        self.address = f"127.0.0.1:{port}"
        settings = SETTINGS | {
            "listeners": f"PLAINTEXT://{self.address},CONTROLLER://127.0.0.1:{control}",
            "advertised.listeners": f"PLAINTEXT://{self.address}",
            "controller.quorum.voters": f"1@127.0.0.1:{control}",
            "log.dirs": self._folder / "data",
        }
        lines = "".join(f"{name}={value}\n" for name, value in settings.items())
        self._config.write_text(lines)
        words = ["kafka.tools.StorageTool", "format", "--config", self._config]
        done = subprocess.run([*self._jvm(), *words, "--cluster-id", CLUSTER], capture_output=True)
        assert done.returncode == 0, done.stdout + done.stderr
        self.start()
        self.admin = AdminClient({"bootstrap.servers": self.address, "log_level": 0})

    def start(self) -> None:
        """Start, or start again with the same data."""
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*self._jvm(), "kafka.Kafka", self._config],
                stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end and self._process.poll() is None:
            if self._answers():
                return
            time.sleep(0.2)
        raise RuntimeError(f"the broker did not start: {self._text()}")

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def kill(self) -> None:
        """End the process at once, like a crash; the data stay."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def create(self, topics: dict[str, int]) -> None:
        """Create topics, each with a number of partitions."""
        new = [NewTopic(name, count, 1) for name, count in topics.items()]
        made = self.admin.create_topics(new, request_timeout=PATIENCE)
        for future in made.values():
            future.result(PATIENCE)

    def __enter__(self) -> KafkaBroker:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def _config(self) -> Path:
        return self._folder / "server.properties"

    def _jvm(self) -> list[str | Path]:
        memory = ["-Xmx512m", "-XX:+UseSerialGC", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"]
        return [self._java / "bin" / "java", *memory, "-cp", f"{JARS.absolute()}/*"]

    def _answers(self) -> bool:
        client = AdminClient({"bootstrap.servers": self.address, "log_level": 0})
        try:
            return bool(client.list_topics(timeout=1).brokers)
        except KafkaException:
            return False

    def _text(self) -> str:
        return (self._folder / "log").read_text("utf-8", "replace")[-2000:]
