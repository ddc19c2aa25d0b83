"""deploy/monitoring with a real Prometheus and a running service: targets, panels, alerts.

Grafana itself is not here, nor in any of the registries that the tests install from. Its dashboard
is read by the classes that Grafana publishes for that, and every query goes to Prometheus.
"""
import contextlib
import http.client
import json
import re
import subprocess
import sys
import time

import pytest
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from prometheus import INTERVAL_S, ROOT, SHIPPED, Prometheus, promtool

sys.path.insert(0, str(ROOT / "tests" / "api"))
from serving import DATA, PROGRAM, Server, eventually, field, file  # noqa: E402

GRAFANA = SHIPPED / "grafana"
BOARD = json.loads((GRAFANA / "dashboards" / "tru.json").read_text())
QUERIES = {f"{panel['title']} {target['refId']}": target for panel in BOARD["panels"]
           for target in panel["targets"]}
ALERTS = {rule["alert"]: rule["expr"] for rule in
          yaml.safe_load((SHIPPED / "alerts.yml").read_text())["groups"][0]["rules"]}


@pytest.fixture(scope="module")
def watching(tmp_path_factory):
    """watching(key_file, **settings): a ready service and a Prometheus that watches it."""
    with contextlib.ExitStack() as ends:
        def start(key=SHIPPED / "no_key", **settings):
            folder = tmp_path_factory.mktemp("watched")
            service = Server(PROGRAM, folder, **settings)
            ends.callback(service.stop)
            service.wait_ready()
            prometheus = Prometheus(folder / "prometheus", service.port, key)
            ends.callback(prometheus.stop)
            prometheus.await_(prometheus.target, "the service is not scraped")
            return service, prometheus
        yield start


@pytest.fixture(scope="module")
def used(watching):
    """The two, after some of everything that the dashboard shows."""
    service, prometheus = watching(UPLOAD_QUOTA="100KB/d")
    clip = DATA / "media" / "two_frames.mp4"
    private = {"video_url": "http://169.254.169.254/clip.mp4", "prompt": "What?"}
    assert service.request("POST", "/v1/videos", bytes(90_000)).status == 415
    for _ in range(2):  # a rate needs a counter that was seen before it grew
        assert service.request("POST", "/v1/videos", bytes(90_000)).status == 429
        assert service.post("/v1/inference/url", private).status == 422
        assert service.upload(file(clip), field("prompt", "What?")).status == 200
        assert service.ask("Hello").status == 200
        assert service.get("/v1/nothing").status == 404
        time.sleep(4 * INTERVAL_S)
    return service, prometheus


def test_promtool_accepts_the_configuration(tmp_path):
    """As it is shipped, but for the places that compose gives to its files."""
    text = (SHIPPED / "prometheus.yml").read_text()
    (tmp_path / "prometheus.yml").write_text(text.replace("/etc/prometheus", str(tmp_path)))
    (tmp_path / "alerts.yml").write_text((SHIPPED / "alerts.yml").read_text())
    (tmp_path / "metrics_key").write_text((SHIPPED / "no_key").read_text())
    checked = promtool("check", "config", tmp_path / "prometheus.yml")
    assert checked.returncode == 0 and "WARNING" not in checked.stderr, checked.stderr


def test_alerts_fire_when_they_should_and_only_then():
    cases = ROOT / "tests" / "deploy" / "alerts_test.yml"
    checked = promtool("test", "rules", cases)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    checks = [check for case in yaml.safe_load(cases.read_text())["tests"]
              for check in case["alert_rule_test"]]
    for fires in (True, False):
        named = {check["alertname"] for check in checks if ("exp_alerts" in check) == fires}
        assert named == set(ALERTS)


def test_the_service_is_scraped_and_nothing_is_wrong(used):
    _, prometheus = used
    assert prometheus.target() == ("up", "")
    assert {rule["name"] for rule in prometheus.api("rules")["groups"][0]["rules"]} == set(ALERTS)
    assert prometheus.firing() == set()


def test_metrics_are_written_as_prometheus_wants_them(used):
    service, _ = used
    linted = promtool("check", "metrics", input=service.get("/metrics").body.decode())
    assert linted.returncode == 0, linted.stdout + linted.stderr


@pytest.mark.parametrize("name", QUERIES)
def test_every_query_of_the_dashboard_has_data(used, name):
    _, prometheus = used
    found = prometheus.query(QUERIES[name]["expr"])
    assert [value for _, value in found if value == value], found  # something but NaN
    for label in re.findall(r"{{(\w+)}}", QUERIES[name]["legendFormat"]):
        assert all(label in labels for labels, _ in found), f"{found} have no {label}"


@pytest.mark.parametrize("name", ALERTS)
def test_every_alert_looks_at_metrics_that_there_are(used, name):
    _, prometheus = used
    for metric in re.findall(r"\b(?:tru_|process_|up\b)\w*", ALERTS[name]):
        assert prometheus.query(metric), metric


def test_alerts_of_a_service_in_trouble(watching):
    """One after the other, as in life; what they wait for is left out."""
    service, prometheus = watching(model="moe", QUEUE_SIZE=1, ALLOW_PRIVATE_URLS=1)

    def fires(name):
        prometheus.await_(lambda: name in prometheus.firing(), f"{name} does not fire")

    story = {"messages": [{"role": "user", "content": "Tell a story"}], "max_tokens": 32768,
             "temperature": 1, "stream": True}
    body, headers = json.dumps(story), {"Content-Type": "application/json"}
    connections = [service.open("POST", "/v1/chat/completions", body, headers)[0]]
    connections.append(http.client.HTTPConnection("127.0.0.1", service.port))
    connections[1].request("POST", "/v1/chat/completions", body, headers)
    fires("TruQueueFull")
    for connection in connections:
        connection.close()
    for _ in range(3):
        nowhere = {"video_url": "http://127.0.0.1:80/clip.mp4", "prompt": "What?"}
        eventually(lambda: service.post("/v1/inference/url", nowhere).status == 502, "a fault")
        time.sleep(2 * INTERVAL_S)
    fires("TruErrors")
    service.stop()
    fires("TruDown")


def test_with_keys(watching, tmp_path):
    """A key of the scope metrics is enough, and needed."""
    key = tmp_path / "key"
    service, prometheus = watching(AUTH="on", API_KEYS="everything")
    assert prometheus.target()[0] == "down" and "401" in prometheus.target()[1]
    prometheus.await_(lambda: prometheus.firing() == {"TruDown"}, "TruDown does not fire")
    made = subprocess.run([PROGRAM, "keys", "add", "prometheus", "--scopes", "metrics",
                           "--data-dir", service.folder / "data"], check=True,
                          capture_output=True)
    key.write_bytes(made.stdout)
    knowing = Prometheus(tmp_path / "prometheus", service.port, key)
    try:
        knowing.await_(lambda: knowing.target() == ("up", ""), "the key is refused")
        assert knowing.query("tru_model_loaded") and knowing.firing() == set()
    finally:
        knowing.stop()


def test_grafana_knows_every_field_of_the_dashboard():
    """Grafana's own classes read it, and give all of it back."""
    def within(ours, theirs, where):
        if isinstance(ours, dict):
            for name, value in ours.items():
                assert name in theirs, f"{where}.{name} is unknown"
                within(value, theirs[name], f"{where}.{name}")
        elif isinstance(ours, list):
            assert len(ours) == len(theirs), where
            for number, value in enumerate(ours):
                within(value, theirs[number], f"{where}[{number}]")
        else:
            assert ours == theirs, where

    within(BOARD, json.loads(JSONEncoder().encode(Dashboard.from_json(BOARD))), "dashboard")


def test_panels_lie_side_by_side_and_ask_the_source_that_is_provided():
    source, = yaml.safe_load(
        (GRAFANA / "provisioning" / "datasources" / "prometheus.yml").read_text())["datasources"]
    taken = set()
    for panel in BOARD["panels"]:
        assert panel["datasource"] == {"type": source["type"], "uid": source["uid"]}
        place = panel["gridPos"]
        cells = {(x, y) for x in range(place["x"], place["x"] + place["w"])
                 for y in range(place["y"], place["y"] + place["h"])}
        assert not cells & taken and max(x for x, _ in cells) < 24, panel["title"]
        taken |= cells
    for values in ([panel["id"] for panel in BOARD["panels"]], list(QUERIES)):
        assert len(set(values)) == len(values)


def test_grafana_finds_its_files_where_compose_puts_them():
    services = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    grafana = services["grafana"]
    mounts = dict(volume.split(":")[1::-1] for volume in grafana["volumes"])
    assert mounts["/etc/grafana/provisioning"] == "./deploy/monitoring/grafana/provisioning"
    provider, = yaml.safe_load(
        (GRAFANA / "provisioning" / "dashboards" / "tru.yml").read_text())["providers"]
    boards = mounts[provider["options"]["path"]]
    home = grafana["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert (ROOT / boards / home.rsplit("/", 1)[1]).exists()
    source, = yaml.safe_load(
        (GRAFANA / "provisioning" / "datasources" / "prometheus.yml").read_text())["datasources"]
    config = yaml.safe_load((SHIPPED / "prometheus.yml").read_text())
    assert source["url"] == "http://prometheus:9090" and "prometheus" in services
    assert source["jsonData"]["timeInterval"] == config["global"]["scrape_interval"]
