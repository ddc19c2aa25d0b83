"""The images and compose.yaml as an operator uses them: built, started, asked, stopped.

Needs a Docker engine and the images that deploy/build_images.sh leaves. Sizes and times are
printed and kept in the JUnit file; docs/DEPLOYMENT.md quotes them.
"""
import json
import os
import pathlib
import re
import shutil
import ssl
import time

import pytest

from engine import QUESTION, ROOT, SAMPLE, ask, compose, docker, get, run, wait_for

SIZE_LIMITS_MB = {"tru-api": 150, "tru-web": 60}
CONFINED = ["--read-only", "--tmpfs", "/tmp:mode=1777", "--tmpfs", "/data:mode=0700,uid=10001",
            "--cap-drop", "ALL", "--security-opt", "no-new-privileges:true"]


def memory_mb(container):
    """What its processes hold and the kernel could not take back."""
    total_kb = 0
    for pid in docker("top", container, "-o", "pid").split()[1:]:
        status = pathlib.Path(f"/proc/{pid}/status").read_text()
        total_kb += sum(map(int, re.findall(r"^Rss(?:Anon|Shmem):\s+(\d+)", status, re.M)))
    return total_kb / 1024


@pytest.fixture(scope="module")
def stack():
    compose("up", "-d", "--no-build")
    yield "http://localhost:8000"
    compose("down", "-v", "-t", "35")


@pytest.mark.parametrize("image,limit_mb", SIZE_LIMITS_MB.items())
def test_size(image, limit_mb, record_property):
    size_mb = int(docker("image", "inspect", "-f", "{{.Size}}", image)) / 1e6
    record_property("size_mb", round(size_mb, 1))
    print(f"\n{image}: {size_mb:.0f} MB")
    assert size_mb <= limit_mb


@pytest.mark.parametrize("image", SIZE_LIMITS_MB)
def test_labels_health_check_and_user(image):
    config = json.loads(docker("image", "inspect", image))[0]["Config"]
    version = docker("run", "--rm", "tru-api", "--version").split()[-1]
    assert config["Labels"]["org.opencontainers.image.version"] == version
    assert re.fullmatch("[0-9a-f]{40}", config["Labels"]["org.opencontainers.image.revision"])
    assert config["User"] == "10001:10001"
    assert config["Healthcheck"]["Test"]


@pytest.mark.parametrize("tool", ["gcc", "cc", "python3", "curl", "wget", "make", "ffmpeg"])
def test_nothing_to_build_or_fetch_with_inside(tool):
    found = run("docker", "run", "--rm", "--entrypoint", "sh", "tru-api", "-c",
                f"command -v {tool}", check=False)
    assert found.returncode != 0, found.stdout


def test_list_of_contents():
    text = (ROOT / "build/images/tru-api.spdx").read_text()
    assert text.startswith("SPDXVersion: SPDX-2.3")
    for name in ("tru", "ggml", "ffmpeg", "libcurl4", "tini"):
        assert f"PackageName: {name}\n" in text
    assert "PackageName: react\n" in (ROOT / "build/images/tru-web.spdx").read_text()


def test_every_kind_of_processor_is_served():
    listing = docker("run", "--rm", "--entrypoint", "ls", "tru-api", "/usr/lib/tru/lib")
    listing += docker("run", "--rm", "--entrypoint", "find", "tru-api", "/usr/lib/tru", "-name",
                      "libggml-cpu-*")
    for variant in ("x64", "haswell", "skylakex", "icelake", "zen4", "sapphirerapids"):
        assert f"libggml-cpu-{variant}" in listing


def test_no_key_no_service():
    """Open to a network without keys: it says so and does not start."""
    refused = run("docker", "run", "--rm", *CONFINED, "tru-api", check=False)
    assert refused.returncode == 3
    assert "API_KEYS" in refused.stderr and refused.stderr.count("\n") <= 2


def test_cold_start_and_idle_memory(record_property):
    started = time.monotonic()
    name = docker("run", "-d", *CONFINED, "-e", "AUTH=off", "-p", "127.0.0.1:8010:8000", "tru-api")
    try:
        wait_for(lambda: get("http://localhost:8010/v1/ready"), 60, "the start")
        idle_mb = memory_mb(name)
        assert "right" in ask("http://localhost:8010")
        first_answer_s = time.monotonic() - started
        print(f"\nstart to first answer {first_answer_s:.2f} s, idle {idle_mb:.0f} MB")
        record_property("first_answer_s", round(first_answer_s, 2))
        record_property("idle_mb", round(idle_mb, 1))
        stopped = time.monotonic()
        docker("stop", "-t", "35", name)
        assert docker("inspect", "-f", "{{.State.ExitCode}}", name) == "0"
        assert time.monotonic() - stopped < 30
    finally:
        docker("rm", "-f", name)
    assert idle_mb <= 60


def test_compose_becomes_healthy(stack):
    for service in ("api", "web"):
        container = compose("ps", "-q", service).stdout.strip()
        wait_for(lambda: docker("inspect", "-f", "{{.State.Health.Status}}", container)
                 == "healthy", 60, f"health of {service}")


def test_deployment_script_is_green(stack):
    checked = run("deploy/test-deployment.sh", stack, "http://localhost:3000", check=False)
    print("\n" + checked.stdout)
    assert checked.returncode == 0


def test_processes_cannot_write_their_root(stack):
    container = compose("ps", "-q", "api").stdout.strip()
    for folder in ("/usr/lib/tru", "/etc", "/"):
        touched = run("docker", "exec", container, "touch", f"{folder}/x", check=False)
        assert touched.returncode != 0
    assert docker("exec", container, "id", "-u") == "10001"


def test_models_survive_a_restart(stack):
    container = compose("ps", "-q", "api").stdout.strip()
    docker("exec", container, "touch", "/models/kept", "/data/kept")
    compose("up", "-d", "--no-build", "--force-recreate", "api")
    wait_for(lambda: get(f"{stack}/v1/ready"), 60, "the restart")
    container = compose("ps", "-q", "api").stdout.strip()
    assert docker("exec", container, "ls", "/models/kept", "/data/kept")


def test_tls_in_front(stack, tmp_path):
    """The tls profile with a certificate of its own, and an answer that arrives bit by bit."""
    build = "FROM debian:12-slim\nRUN apt-get update && apt-get install -y nginx-light\n" \
            'CMD ["nginx", "-g", "daemon off;"]\n'
    docker("build", "--network", "host", "-t", "tru-test-nginx", "-", input=build)
    certificates = ROOT / "deploy/tls/certs"
    made = not certificates.exists()
    certificates.mkdir(exist_ok=True)
    try:
        run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
            "/CN=localhost", "-keyout", str(certificates / "privkey.pem"), "-out",
            str(certificates / "fullchain.pem"))
        environment = dict(os.environ, NGINX_IMAGE="tru-test-nginx")
        compose("--profile", "tls", "up", "-d", "--no-build", "tls", env=environment)
        trusting = ssl.create_default_context()
        trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
        wait_for(lambda: get("https://localhost/v1/health", trusting), 30, "TLS")
        streamed = run("curl", "-skN", "-F", f"video=@{SAMPLE}", "-F", f"prompt={QUESTION}", "-F",
                       "stream=true", "https://localhost/v1/inference/upload").stdout
        assert "event: token" in streamed and "event: done" in streamed
        compose("--profile", "tls", "rm", "-sf", "tls", env=environment)
    finally:
        if made:
            shutil.rmtree(certificates)
