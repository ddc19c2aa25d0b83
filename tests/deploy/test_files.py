"""The files in deploy/ are what the programs that read them expect; nothing is started here."""
import ipaddress
import pathlib
import re
import subprocess

import kubernetes_validate
import pytest
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
MANIFESTS = [(path.name, document) for path in sorted(DEPLOY.glob("kubernetes/*.yaml"))
             for document in yaml.safe_load_all(path.read_text())]
SCRIPTS = sorted(DEPLOY.rglob("*.sh"))
# compose.yaml gives them values
SETTINGS_ELSEWHERE = {"HOST", "PORT", "AUTH", "ALLOWED_HOSTS", "TRUSTED_PROXIES"}


@pytest.mark.parametrize("document", [d for _, d in MANIFESTS],
                         ids=[f"{f}-{d['kind']}" for f, d in MANIFESTS])
def test_kubernetes_accepts_every_manifest(document):
    kubernetes_validate.validate(document, kubernetes_validate.latest_version(), strict=True)


def test_pods_are_restricted():
    deployment = next(d for _, d in MANIFESTS if d["kind"] == "Deployment")
    pod = deployment["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    container = pod["containers"][0]["securityContext"]
    assert container["readOnlyRootFilesystem"] is True
    assert container["capabilities"] == {"drop": ["ALL"]}


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_scripts_parse(script):
    subprocess.run(["bash", "-n", script], check=True)


@pytest.mark.parametrize("image,seconds", [("api", 120), ("web", 40)])
def test_images_may_take_their_time_to_become_healthy(image, seconds):
    text = (DEPLOY / f"{image}.Dockerfile").read_text()
    check, = re.findall(r"^HEALTHCHECK .*--start-period=(\d+)s", text, re.M)
    assert int(check) == seconds


def test_compose_passes_only_settings_that_exist():
    services = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    passed = {entry.split("=")[0] for entry in services["api"]["environment"]}
    example = (ROOT / ".env.example").read_text()
    documented = set(re.findall(r"^#?\s?([A-Z][A-Z_]+)=", example, re.M))
    assert passed - SETTINGS_ELSEWHERE <= documented


def test_compose_services_are_confined():
    services = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    for name in ("api", "web"):
        assert services[name]["read_only"] is True
        assert services[name]["cap_drop"] == ["ALL"]
        assert all("127.0.0.1" in port for port in services[name]["ports"]), "open to others"


def test_the_address_that_is_trusted_is_that_of_nginx_alone():
    compose = yaml.safe_load((ROOT / "compose.yaml").read_text())
    services, (pool,) = compose["services"], compose["networks"]["proxy"]["ipam"]["config"]
    address = ipaddress.ip_address(services["tls"]["networks"]["proxy"]["ipv4_address"])
    assert f"TRUSTED_PROXIES=${{TRUSTED_PROXIES:-{address}}}" in services["api"]["environment"]
    assert address in ipaddress.ip_network(pool["subnet"])
    assert address not in ipaddress.ip_network(pool["ip_range"])
    assert "X-Forwarded-For $remote_addr;" in (DEPLOY / "tls/nginx.conf").read_text()


def test_ffmpeg_of_the_image_has_every_codec_that_tru_reads():
    demuxer = (ROOT / "src/media/demuxer.cpp").read_text()
    codecs = {name.lower() for name in re.findall(r"AV_CODEC_ID_(\w+)", demuxer)}
    script = (DEPLOY / "build_ffmpeg.sh").read_text()
    built = set(",".join(re.findall(r"--enable-decoder=(\S+)", script)).split(","))
    assert codecs - {"av1"} <= built
    assert "libdav1d" in built


def test_env_example_is_what_the_program_writes():
    tru = ROOT / "build/bin/tru"
    made = subprocess.run([tru, "settings", "--env"], check=True, capture_output=True, text=True)
    ours, _ = (ROOT / ".env.example").read_text().split("\n# --- compose.yaml alone ---\n")
    assert ours == made.stdout, "tru settings --env writes the part above"


def test_env_example_explains_what_compose_alone_reads():
    """Every name in it, with the value that it has where nothing is set."""
    example = (ROOT / ".env.example").read_text()
    read = set(re.findall(r"\$\{([A-Z_]+)(?::-([^}]*))?\}", (ROOT / "compose.yaml").read_text()))
    own = dict(re.findall(r"^#([A-Z_]+)=(.*)", example.split("compose.yaml alone")[1], re.M))
    assert {name for name, _ in read} <= set(re.findall(r"^#([A-Z_]+)=", example, re.M))
    assert own.items() <= read
