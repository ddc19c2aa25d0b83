"""docs/DEPLOYMENT.md, line by line: the stack from a folder of its own, and systemd's service."""
import json
import pathlib
import re
import shlex
import subprocess
import sys

import pytest

from engine import MODEL, QUESTION, ROOT, SAMPLE, ask, docker, get, run, wait_for

sys.path.insert(0, str(ROOT / "tests"))
import doc_lines  # noqa: E402

LINES = list(doc_lines.lines_of("containers"))
# As in the published image, the program is the entry point, and a user without rights runs it.
PROMETHEUS = """FROM debian:12-slim
RUN apt-get update && apt-get install -y --no-install-recommends prometheus \\
 && install -d -o nobody -g nogroup /prometheus
USER nobody
ENTRYPOINT ["prometheus"]
"""
# Nobody packages Grafana where these tests may fetch from; ./test deploy checks its files.
GRAFANA = 'FROM debian:12-slim\nCMD ["sleep", "infinity"]\n'


def test_compose(shell):
    """Without --build: the suite has just built the images."""
    lines = [line for line in LINES if "docker compose" in line and "metrics" not in line]
    assert lines[0] == "docker compose up --build" and len(lines) == 3
    shell("docker compose up -d --no-build")
    for line in lines[1:]:
        shell(re.sub(r"up -d$", "up -d --no-build", line))
    wait_for(lambda: get("http://localhost:8000/v1/ready"), 60, "the start")
    assert json.loads(get("http://localhost:8000/v1/models"))["data"][0]["id"] == MODEL
    assert ask("http://localhost:8000") is not None


def test_monitoring(shell):
    """The profile, with a key. ./test deploy asks the same files every question; here are the
    mounts, the networks and the key's way."""
    for name, build in (("prometheus", PROMETHEUS), ("grafana", GRAFANA)):
        docker("build", "--network", "host", "-t", f"tru-test-{name}", "-", input=build)
        shell(f"echo {name.upper()}_IMAGE=tru-test-{name} >> .env")
    shell("printf 'AUTH=on\\nAPI_KEYS=one-for-everything\\n' >> .env")
    shell("docker compose up -d --no-build api")
    wait_for(lambda: get("http://localhost:8000/v1/ready"), 60, "the start")
    key, profile = [line for line in LINES if "metrics" in line]
    shell(key)
    shell(profile)

    def target():
        found = json.loads(get("http://localhost:9090/api/v1/targets"))["data"]["activeTargets"]
        return found and found[0]["health"] == "up" and found[0]

    found = wait_for(target, 60, "the first scrape")
    assert found["labels"] == {"instance": "api:8000", "job": "tru"}
    shell("docker compose stop api")
    wait_for(lambda: "TruDown" in get("http://localhost:9090/api/v1/alerts"), 60, "the alert")


def libraries():
    """Debian's packages of the libraries that the program is linked with."""
    linked = subprocess.run(["ldd", ROOT / "build/bin/tru"], check=True, text=True,
                            capture_output=True).stdout
    names = re.findall(r"^\s*(\S+) => (?!" + re.escape(str(ROOT)) + r")/", linked, re.M)
    owners = run("dpkg-query", "-S", *(f"*/{name}" for name in names)).stdout
    return sorted(set(re.findall(r"^([\w.+-]+)(?::\w+)?: ", owners, re.M)))


@pytest.fixture
def machine():
    """machine(command) runs it in a container that systemd has started like a machine."""
    if "bookworm" not in pathlib.Path("/etc/os-release").read_text():
        pytest.skip("what is built here needs libraries of another release than the container's")
    build = ("FROM debian:12-slim\nRUN apt-get update && apt-get install -y "
             "--no-install-recommends systemd dbus sudo cmake curl " + " ".join(libraries()) +
             # systemd needs control groups that it may write.
             "\nCMD umount -R /sys/fs/cgroup && mount -t cgroup2 cgroup2 /sys/fs/cgroup"
             " && exec /lib/systemd/systemd\n")
    docker("build", "--network", "host", "-t", "tru-test-systemd", "-", input=build)
    # The build folder knows its own place.
    name = docker("run", "-d", "--cgroupns", "private", "--cap-add", "SYS_ADMIN",
                  "--security-opt", "seccomp=unconfined", "--security-opt", "apparmor=unconfined",
                  "--tmpfs", "/run", "--tmpfs", "/tmp", "-v", f"{ROOT}:{ROOT}", "-w", ROOT,
                  "tru-test-systemd")

    def do(command):
        return docker("exec", name, "bash", "-c", command)

    yield do
    docker("rm", "-f", name)


def test_systemd(machine, record_property):
    lines = [line for line in LINES if line.startswith("sudo ")]
    assert len(lines) == 4
    wait_for(lambda: machine("systemctl is-system-running || true") in ("running", "degraded"),
             60, "the machine's start")
    for line in lines:
        machine(line)
    asked = ("curl -fsS --retry 30 --retry-delay 1 --retry-all-errors -o /dev/null "
             "localhost:8000/v1/ready && curl -sS --fail-with-body "
             f"-F video=@{SAMPLE} -F prompt={shlex.quote(QUESTION)} -F temperature=0 "
             "localhost:8000/v1/inference/upload")
    assert "right" in json.loads(machine(asked))["response"]
    # The user is the unit's own, and what it keeps is nobody else's.
    pid = machine("systemctl show tru --property MainPID --value")
    assert 61184 <= int(machine(f"stat -c %u /proc/{pid}")) <= 65519  # a DynamicUser's
    assert machine("stat -Lc %a /var/lib/tru /var/cache/tru").split() == ["700", "700"]
    # A fault is one restart; a stop is none.
    machine(f"kill -9 {pid}")
    assert "right" in json.loads(machine(asked))["response"]
    machine("systemctl stop tru")
    assert machine("systemctl show tru --property Result --value") == "success"
    exposure = float(machine("systemd-analyze security tru | tail -n 1").split()[-3])
    record_property("exposure", exposure)
    print(f"\nsystemd-analyze security: exposure {exposure}")
    assert exposure < 3, "of 10; systemd calls that OK"
