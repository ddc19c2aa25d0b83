"""A stack as docs/DEPLOYMENT.md tells people to set it up."""
import ipaddress
import os
import shutil
import sys

import pytest

from engine import MODEL, ROOT, docker, run

sys.path.insert(0, str(ROOT / "tests" / "cli"))
import hub as stand_in  # noqa: E402

TINY = ROOT / "tests" / "data" / "models" / "dense-tied"
SUBNET = "{{(index .IPAM.Config 0).Subnet}}"


@pytest.fixture
def hub():
    """The address of a hub that containers reach, with a tiny model under the real one's name."""
    weights = {path.name: path.read_bytes() for path in TINY.iterdir()}
    # This machine is the first in the network of Docker's bridge.
    here = ipaddress.ip_network(docker("network", "inspect", "bridge", "-f", SUBNET))[1]
    with stand_in.Hub({MODEL: weights}, host=str(here)).running() as hub:
        yield hub.front.url


@pytest.fixture
def shell(tmp_path, hub):
    """shell(line) does it in a folder with the repository's files, as a stack of its own."""
    for name in ("deploy", "models"):
        (tmp_path / name).symlink_to(ROOT / name)
    shutil.copy(ROOT / "compose.yaml", tmp_path)
    shutil.copy(ROOT / ".env.example", tmp_path / ".env")
    programs = tmp_path / "bin"
    programs.mkdir()
    if run("docker", "compose", "version", check=False).returncode != 0:
        (programs / "docker").write_text(
            f'#!/bin/sh\n[ "$1" = compose ] || exec {shutil.which("docker")} "$@"\n'
            'shift\nexec docker-compose "$@"\n')
        (programs / "docker").chmod(0o755)
    environment = {**os.environ, "COMPOSE_PROJECT_NAME": "tru-docs", "HF_ENDPOINT": hub,
                   "PATH": f"{programs}:{os.environ['PATH']}"}

    def do(line):
        return run("bash", "-c", line, cwd=tmp_path, env=environment)

    yield do
    do("docker compose down -v -t 35")
