"""What the compose files promise, read as files: no engine is needed."""

import importlib.util
import json
import os
import re
import stat
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

CHECKOUT = Path(__file__).parents[2]
DOCKER = CHECKOUT / "docker"
FILES = ("compose.yaml", "compose.demo.yaml", "compose.gpu.yaml")
ALLOWED = {
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "SETUID",
    "SETGID",
    "KILL",
    "SYS_CHROOT",
    "SYS_PTRACE",
}


def document(name: str) -> dict[str, Any]:
    return yaml.safe_load((DOCKER / name).read_text())


def services() -> dict[str, dict[str, Any]]:
    """Every service as the files together describe it, for those that say how it is started."""
    found: dict[str, dict[str, Any]] = {}
    for name in FILES:
        for service, described in document(name)["services"].items():
            base = found.get(service, {})
            if "extends" in described:
                base = found[described["extends"]["service"]]
            found[service] = base | described
    return found


SERVICES = services()


@pytest.fixture
def generator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """docker/secrets.py, as if it lay in a folder of the test's own."""
    spec = importlib.util.spec_from_file_location("docker_secrets", DOCKER / "secrets.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.HERE, module.SETTINGS = tmp_path, tmp_path / ".env"
    monkeypatch.delenv("SECRETS", raising=False)
    return module


@pytest.mark.parametrize("service", SERVICES)
def test_every_service_is_hardened(service: str) -> None:
    described = SERVICES[service]
    assert described["read_only"] is True
    assert described["cap_drop"] == ["ALL"]
    assert set(described.get("cap_add", ())) <= ALLOWED
    assert described["security_opt"] == ["no-new-privileges:true"]
    assert described["init"] is True
    assert not described.get("privileged")
    assert described["logging"]["options"].keys() == {"max-size", "max-file"}


def test_each_image_is_built_by_one_service_and_never_pulled() -> None:
    built = [described["image"] for described in SERVICES.values() if "build" in described]
    assert len(built) == len(set(built)) == 2
    for name, described in SERVICES.items():
        if described["image"] in built and "build" not in described:
            assert described["pull_policy"] == "never", name


@pytest.mark.parametrize("service", SERVICES)
def test_images_have_a_version_and_ports_are_loopback_ones(service: str) -> None:
    described = SERVICES[service]
    assert not re.search(r":latest|^[^:]+$", described["image"])
    for port in described.get("ports", ()):
        assert port.startswith("127.0.0.1:")


def test_only_clusters_and_their_keys_may_add_capabilities() -> None:
    adding = {name for name, described in SERVICES.items() if described.get("cap_add")}
    assert adding == {"cpu", "ai", "keys"}


def test_no_dockerfile_takes_a_moving_image() -> None:
    for file in DOCKER.glob("*/Dockerfile"):
        text = file.read_text()
        assert "latest" not in text
        assert re.search(r"^USER |useradd", text, re.MULTILINE), f"{file} runs as root alone"


def test_control_services_do_not_run_as_root() -> None:
    text = (DOCKER / "control" / "Dockerfile").read_text()
    assert re.findall(r"^USER (\w+)$", text, re.MULTILINE) == ["airflow"]
    assert SERVICES["postgres"]["user"] == "postgres"


def test_every_secret_is_generated_private_and_kept(
    generator: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    generator.main()
    wanted = {
        name: Path(described["file"].rpartition("}")[2]).name
        for name, described in document("compose.yaml")["secrets"].items()
        if "SECRETS" in described["file"]
    }
    folder = generator.HERE / "secrets"
    before = {path.name: path.read_text() for path in folder.iterdir()}
    assert set(wanted.values()) == set(before) == set(generator.MAKERS)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    # in a container it is not the owner who reads them
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o444}
    assert len(set(before.values())) == len(before)
    printed = capsys.readouterr().out
    generator.main()
    assert {path.name: path.read_text() for path in folder.iterdir()} == before
    assert generator.SETTINGS.read_text() == "SECRETS=secrets\n"
    assert not any(text.strip() and text in printed for text in before.values())


def test_secrets_lie_where_compose_is_told(
    generator: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    generator.SETTINGS.write_text("PARALLELISM=8\nSECRETS=kept/here")  # no newline at the end
    (tmp_path / "kept").mkdir()
    generator.main()
    assert (tmp_path / "kept" / "here" / "fernet_key").exists()
    assert generator.SETTINGS.read_text() == "PARALLELISM=8\nSECRETS=kept/here"
    monkeypatch.setenv("SECRETS", str(tmp_path / "elsewhere"))
    generator.main()
    assert (tmp_path / "elsewhere" / "mlflow_credentials").exists()
    assert not (tmp_path / "secrets").exists()


def test_settings_of_a_persons_own_are_kept(generator: ModuleType) -> None:
    generator.SETTINGS.write_text("AIRFLOW_PORT=8081")
    generator.main()
    assert generator.SETTINGS.read_text() == "AIRFLOW_PORT=8081\nSECRETS=secrets\n"


def test_what_is_read_by_a_command_has_no_newline(generator: ModuleType) -> None:
    generator.main()
    environment = document("compose.yaml")["x-airflow-environment"]
    read = [v.split("/")[-1] for k, v in environment.items() if k.endswith("_CMD")]
    assert set(read) == {"fernet_key", "api_key", "jwt_key"}
    for name in read:
        text = (generator.HERE / "secrets" / name).read_text()
        assert text == text.strip() and len(text) >= 32


def test_the_passwords_agree_where_two_must_know_them(generator: ModuleType) -> None:
    generator.main()
    password = (generator.HERE / "secrets" / "mlflow_airflow_password").read_text()
    assert password in (generator.HERE / "secrets" / "mlflow_credentials").read_text()
    assert json.loads((generator.HERE / "secrets" / "airflow_passwords").read_text()).keys() == {
        "admin"
    }


def test_no_environment_names_a_password() -> None:
    for name, described in SERVICES.items():
        environment = described.get("environment", {})
        for key, value in environment.items():
            if re.search(r"PASSWORD|SECRET|KEY|TOKEN", key):
                assert re.search(r"_CMD$|_FILE$", key), f"{name}: {key}"
            assert not re.search(r"://[^/@]+:[^/@]+@", str(value)), f"{name}: {key}"


def test_without_secrets_it_refuses_to_start_and_says_what_to_do() -> None:
    if subprocess.run(["docker", "compose", "version"], capture_output=True).returncode:
        assert "run 'python3 docker/secrets.py' first" in (DOCKER / "compose.yaml").read_text()
        return
    clean = {key: value for key, value in os.environ.items() if key != "SECRETS"}
    done = subprocess.run(
        ["docker", "compose", "--env-file", "/dev/null", "-f", "compose.yaml", "config"],
        cwd=DOCKER,
        env=clean,
        capture_output=True,
        text=True,
    )
    assert done.returncode != 0
    assert "run 'python3 docker/secrets.py' first" in done.stderr


def test_nothing_secret_goes_into_an_image() -> None:
    ignored = (CHECKOUT / ".dockerignore").read_text().split()
    assert ignored[0] == "*"
    assert [line for line in ignored if line.startswith("!docker/s")] == ["!docker/site/wheels"]
    assert "!docker" not in ignored
    assert "docker/secrets/" in (CHECKOUT / ".gitignore").read_text().split()


def test_the_clusters_files_are_what_the_contract_reads() -> None:
    from hpc_jobs.contract.cluster import Cluster
    from hpc_jobs.contract.loading import load

    for name in ("cpu", "ai"):
        assert load(Cluster, DOCKER / "clusters" / f"{name}.yaml").name == name


def test_the_generator_needs_the_standard_library_alone() -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-I",
            "-S",
            "-c",
            f"import runpy; runpy.run_path({str(DOCKER / 'secrets.py')!r})",
        ],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
