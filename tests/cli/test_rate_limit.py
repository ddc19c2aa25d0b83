"""RATE_LIMIT, as somebody who asks too often meets it."""
import json
import re
import threading
import time
import urllib.error
import urllib.request

import pytest


@pytest.fixture
def serve(start, model, tmp_path):
    """serve(*flags) starts the service and returns a function that asks it."""

    def run(*flags):
        process = start("serve", "--port", "0", *model(), "--data-dir", tmp_path / "data", *flags)
        for line in process.stderr:
            if found := re.search(r"http://\S+?:(\d+)/", line):
                break
        else:
            pytest.fail("the service did not start")
        threading.Thread(target=process.stderr.read, daemon=True).start()
        url = f"http://127.0.0.1:{found[1]}"
        while get(url + "/v1/ready", {})[0] != 200:
            time.sleep(0.02)
        return lambda path, **headers: get(url + path, headers)

    return run


def get(url, headers):
    """(status, headers, body)"""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=30) as r:
            return r.status, r.headers, r.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read()


def test_who_asks_too_often_is_told_when_to_come_back(serve):
    request = serve("--rate-limit", "3/h")
    left = []
    for _ in range(3):
        status, headers, _ = request("/v1/models")
        assert status == 200
        left.append((headers["RateLimit-Limit"], headers["RateLimit-Remaining"]))
    assert left == [("3", "2"), ("3", "1"), ("3", "0")]
    status, headers, body = request("/v1/models")
    assert (status, json.loads(body)["error"]["code"]) == (429, "rate_limited")
    assert 1100 < int(headers["Retry-After"]) <= 1200
    assert request("/v1/health")[0] == 200  # open to everybody, not counted


def test_keys_are_counted_apart_and_wrong_ones_by_address(serve):
    request = serve("--rate-limit", "1/h", "--auth", "on", "--api-keys", "first,second")
    for key, statuses in (("first", (200, 429)), ("second", (200, 429)), ("wrong", (401, 429))):
        for status in statuses:
            assert request("/v1/models", Authorization=f"Bearer {key}")[0] == status, key
    assert request("/v1/models", Authorization="Bearer another")[0] == 429


def test_without_a_limit_nobody_is_counted(serve):
    assert "RateLimit-Limit" not in serve()("/v1/models")[1]
