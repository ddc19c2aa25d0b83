"""Debian's Prometheus with the files of deploy/monitoring, made quick."""
import json
import pathlib
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
SHIPPED = ROOT / "deploy" / "monitoring"
PROGRAMS = ROOT / "build" / "peers" / "prometheus" / "usr" / "bin"
# In place of the shipped intervals.
INTERVAL_S = 0.5
# Grafana's $__rate_interval is at least four scrapes; here with room for a busy machine.
RATE_INTERVAL = "15s"


def promtool(*arguments, **options):
    return subprocess.run([PROGRAMS / "promtool", *map(str, arguments)], text=True, check=False,
                          capture_output=True, **options)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Prometheus:
    """Runs until stop(). key: the file in the place of METRICS_KEY_FILE."""

    def __init__(self, folder, service_port, key=SHIPPED / "no_key"):
        folder.mkdir()
        config = yaml.safe_load((SHIPPED / "prometheus.yml").read_text())
        config["global"] = dict.fromkeys(config["global"], f"{INTERVAL_S * 1000:.0f}ms")
        job, = config["scrape_configs"]
        job["static_configs"] = [{"targets": [f"127.0.0.1:{service_port}"]}]
        job["authorization"]["credentials_file"] = str(folder / "key")
        shutil.copy(key, folder / "key")
        alerts = yaml.safe_load((SHIPPED / "alerts.yml").read_text())
        for rule in alerts["groups"][0]["rules"]:
            if not rule["for"].endswith("h"):  # TruMemory: every start is growth for a while
                rule["for"] = "0s"
        (folder / "alerts.yml").write_text(yaml.safe_dump(alerts))
        (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
        self.url = f"http://127.0.0.1:{free_port()}"
        self.log = folder / "log"
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [PROGRAMS / "prometheus", f"--config.file={folder}/prometheus.yml",
                 f"--storage.tsdb.path={folder}/data",
                 f"--web.listen-address={self.url.removeprefix('http://')}"],
                stdout=log, stderr=log)

    def stop(self):
        self.process.terminate()
        self.process.wait(30)

    def api(self, path, **parameters):
        url = f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        with urllib.request.urlopen(url, timeout=10) as reply:
            return json.load(reply)["data"]

    def query(self, expression):
        """[(labels, value)] now."""
        expression = expression.replace("$__rate_interval", RATE_INTERVAL)
        result = self.api("query", query=expression)["result"]
        return [(series["metric"], float(series["value"][1])) for series in result]

    def target(self):
        """(health, last error) of the service, once it was scraped."""
        found = self.api("targets")["activeTargets"]
        if not found or found[0]["health"] == "unknown":
            return None
        return found[0]["health"], found[0]["lastError"]

    def firing(self):
        return {alert["labels"]["alertname"] for alert in self.api("alerts")["alerts"]
                if alert["state"] == "firing"}

    def await_(self, condition, what, timeout_s=30):
        end = time.monotonic() + timeout_s
        while True:
            assert self.process.poll() is None, self.log.read_text()[-3000:]
            try:
                if value := condition():
                    return value
            except (urllib.error.URLError, ConnectionError):
                pass  # it does not listen yet
            assert time.monotonic() < end, what
            time.sleep(0.1)
