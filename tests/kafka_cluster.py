"""Apache Kafka as processes of this machine: 1 or 3 brokers in KRaft's combined mode, with a plain and a guarded listener.

On the plain listener everybody is a superuser; the guarded one wants TLS and SASL/SCRAM-SHA-512, and ACLs hold there
(StandardAuthorizer: what is not allowed is refused).
"""

from __future__ import annotations

import base64
import datetime as dt
import ipaddress
import signal
import subprocess
import tempfile
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from demo.embedded.children import end_with_parent
from demo.embedded.ports import HOST, free_port
from tests.artifacts import JVM, POMS, java, libraries, version_in

POM: Final = POMS / "pom.xml"
VERSION: Final = version_in(POM, "kafka.version")
_START_S: Final = 120.0

# Everything that a production cluster does at leisure is done at once.
_SETTINGS: Final[Mapping[str, object]] = {
    "process.roles": "broker,controller",
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "PLAIN",
    "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAIN:PLAINTEXT,GUARDED:SASL_SSL",
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "super.users": "User:ANONYMOUS",
    "sasl.enabled.mechanisms": "SCRAM-SHA-512",
    "listener.name.guarded.scram-sha-512.sasl.jaas.config": (
        "org.apache.kafka.common.security.scram.ScramLoginModule required;"
    ),
    "listener.name.guarded.ssl.keystore.type": "PEM",
    "auto.create.topics.enable": "false",
    "group.initial.rebalance.delay.ms": 0,
    "group.min.session.timeout.ms": 1000,
    "group.consumer.session.timeout.ms": 6000,
    "group.consumer.min.session.timeout.ms": 1000,
    "group.consumer.heartbeat.interval.ms": 300,
    "group.consumer.min.heartbeat.interval.ms": 100,
    "offsets.topic.num.partitions": 2,
    "transaction.state.log.num.partitions": 2,
    "share.coordinator.state.topic.num.partitions": 1,
    "log.cleaner.backoff.ms": 100,
    "log.initial.task.delay.ms": 100,
    "log.retention.check.interval.ms": 500,
    "broker.session.timeout.ms": 3000,
    "broker.heartbeat.interval.ms": 300,
    "num.network.threads": 2,
    "num.io.threads": 2,
    "log.cleaner.dedupe.buffer.size": 4 * 1024 * 1024,
}


class KafkaCluster:
    """`brokers` brokers (numbered from 1) with their data in a directory that goes with them; a context manager.

    Raises `tests.artifacts.NotHere` where the machine lacks Java or cannot get the artifacts.
    """

    def __init__(self, *, brokers: int = 1) -> None:
        self._java = java()
        self._libraries = libraries(POM, "kafka")
        self._ports = {number: (free_port(), free_port(), free_port()) for number in range(1, brokers + 1)}
        self._processes: dict[int, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Self:
        # The holder is kept: the directory goes when it is collected, even if nobody says goodbye.
        self._holder = tempfile.TemporaryDirectory(prefix="kqkafka", ignore_cleanup_errors=True)
        self.directory = Path(self._holder.name)
        self.authority = self.directory / "authority.pem"
        write_certificates(self.authority, self.directory / "broker.pem")
        cluster_id = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=").replace("-", "a")
        formatting = [self._format(number, cluster_id) for number in self._ports]
        for process in formatting:
            assert process.wait(timeout=_START_S) == 0, "StorageTool could not format the brokers' directories"
        try:
            for number in self._ports:
                self.start(number, wait=False)
            self.wait_until_up()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    @property
    def bootstrap_servers(self) -> str:
        return ",".join(f"{HOST}:{plain}" for plain, _, _ in self._ports.values())

    @property
    def guarded_servers(self) -> str:
        """Where TLS and SASL/SCRAM are asked for, and ACLs hold."""
        return ",".join(f"{HOST}:{guarded}" for _, guarded, _ in self._ports.values())

    @property
    def brokers(self) -> list[int]:
        return list(self._ports)

    def start(self, number: int, *, wait: bool = True) -> None:
        """Start a broker, again or for the first time."""
        assert number not in self._processes
        with (self.directory / f"broker-{number}.log").open("ab") as log:
            self._processes[number] = subprocess.Popen(
                [*self._command(), "kafka.Kafka", str(self._configuration(number))],
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.directory,
                preexec_fn=end_with_parent(signal.SIGKILL),
            )
        if wait:
            self.wait_until_up()

    def kill(self, number: int) -> None:
        """End a broker as a power cut would."""
        process = self._processes.pop(number)
        process.kill()
        process.wait()

    def halt(self, number: int) -> None:
        """Have a broker stand still: its connections stay, and nothing is answered."""
        self._processes[number].send_signal(signal.SIGSTOP)

    def resume(self, number: int) -> None:
        self._processes[number].send_signal(signal.SIGCONT)

    def wait_until_up(self) -> None:
        """Wait until every started broker is in the cluster's metadata."""
        admin = AdminClient({"bootstrap.servers": self.bootstrap_servers, "log_level": "0"})
        deadline = time.monotonic() + _START_S
        while True:
            try:
                if len(admin.list_topics(timeout=5).brokers) >= len(self._processes):
                    return
            except KafkaException:
                pass
            for number, process in self._processes.items():
                assert process.poll() is None, f"broker {number} ended: {self.log(number)[-2000:]}"
            assert time.monotonic() < deadline, f"the brokers are not up after {_START_S:.0f} s"
            time.sleep(0.05)

    def log(self, number: int) -> str:
        return (self.directory / f"broker-{number}.log").read_text("utf-8", "replace")

    def close(self) -> None:
        for number in list(self._processes):
            self.kill(number)
        self._holder.cleanup()

    def _command(self) -> list[str]:
        return [
            self._java,
            *JVM,
            f"-Dlog4j2.configurationFile={POM.parent / 'log4j2.properties'}",
            "-cp",
            f"{self._libraries}/*",
        ]

    def _format(self, number: int, cluster_id: str) -> subprocess.Popen[bytes]:
        self._write_configuration(number)
        return subprocess.Popen(
            [
                *self._command(), "kafka.tools.StorageTool", "format",
                "--cluster-id", cluster_id, "--config", str(self._configuration(number)),
            ],
            stdout=subprocess.DEVNULL,
        )  # fmt: skip

    def _configuration(self, number: int) -> Path:
        return self.directory / f"broker-{number}.properties"

    def _write_configuration(self, number: int) -> None:
        plain, guarded, controller = self._ports[number]
        brokers = len(self._ports)
        copies = min(brokers, 3)
        voters = ",".join(f"{other}@{HOST}:{ports[2]}" for other, ports in self._ports.items())
        settings = {
            **_SETTINGS,
            "node.id": number,
            "controller.quorum.voters": voters,
            "listeners": f"PLAIN://{HOST}:{plain},GUARDED://{HOST}:{guarded},CONTROLLER://{HOST}:{controller}",
            "advertised.listeners": f"PLAIN://{HOST}:{plain},GUARDED://{HOST}:{guarded}",
            "log.dirs": self.directory / f"data-{number}",
            "default.replication.factor": copies,
            "min.insync.replicas": max(1, copies - 1),
            "offsets.topic.replication.factor": copies,
            "transaction.state.log.replication.factor": copies,
            "transaction.state.log.min.isr": max(1, copies - 1),
            "share.coordinator.state.topic.replication.factor": copies,
            "share.coordinator.state.topic.min.isr": max(1, copies - 1),
            "listener.name.guarded.ssl.keystore.location": self.directory / "broker.pem",
        }
        lines = [f"{name}={value}" for name, value in settings.items()]
        self._configuration(number).write_text("\n".join(lines) + "\n", "utf-8")


def write_certificates(authority: Path, server: Path) -> None:
    """Write an authority of the cluster's own, and the brokers' key with the certificate it gave them."""
    now = dt.datetime.now(dt.UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "kompass-qbo tests")])
    root_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))

    def built(subject: x509.Name, public: ec.EllipticCurvePublicKey, *, is_authority: bool) -> x509.Certificate:
        addresses = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address(HOST))]
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(name)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(hours=1))
            .not_valid_after(now + dt.timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName(addresses), critical=False)
            .sign(root_key, hashes.SHA256())
        )

    pem = serialization.Encoding.PEM
    authority.write_bytes(built(name, root_key.public_key(), is_authority=True).public_bytes(pem))
    of_brokers = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)])
    certificate = built(of_brokers, key.public_key(), is_authority=False)
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    server.write_bytes(private + certificate.public_bytes(pem))


__all__ = ["VERSION", "KafkaCluster", "write_certificates"]
