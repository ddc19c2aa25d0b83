"""tru keys, and the service that asks for them."""
import json
import re
import time

import pytest


@pytest.fixture
def keys(tru, tmp_path):
    """keys(*arguments) is `tru keys` with a data folder of the test's own."""

    def run(*arguments):
        return tru("keys", *arguments, "--data-dir", tmp_path / "data")

    return run


def test_a_key_is_shown_once_and_kept_as_a_digest(keys, tmp_path):
    made = keys("add", "laptop", "--scopes", "ask,metrics")
    key = made.stdout.strip()
    assert re.fullmatch(r"tru_[0-9a-f]{40}", key) and "only time" in made.stderr
    stored = tmp_path / "data" / "keys.json"
    assert key[4:] not in stored.read_text() and stored.stat().st_mode & 0o777 == 0o600
    listed = keys("list").stdout
    assert "laptop" in listed and "ask,metrics" in listed and key[4:] not in listed


def test_json_is_one_object_for_each_key(keys):
    made = json.loads(keys("add", "a", "--json").stdout)
    assert set(made) == {"id", "name", "scopes", "created", "key"} and made["scopes"] == ["ask"]
    keys("add", "b", "--scopes", "admin")
    listed = [json.loads(line) for line in keys("list", "--json").stdout.splitlines()]
    assert [key["name"] for key in listed] == ["a", "b"]
    assert all("key" not in key and "sha256" not in key for key in listed)


def test_revoking_by_id_and_by_name(keys):
    first = json.loads(keys("add", "twin", "--json").stdout)
    keys("add", "twin")
    result = keys("revoke", "twin")
    assert result.returncode == 2 and "by its id" in result.stderr
    assert keys("revoke", first["id"]).returncode == 0
    assert keys("revoke", "twin").returncode == 0
    assert keys("list").stdout == ""
    result = keys("revoke", "twin")
    assert result.returncode == 2 and "tru keys list" in result.stderr


def test_wrong_scopes_are_named(keys):
    result = keys("add", "x", "--scopes", "ask,root")
    assert result.returncode == 2 and "'root'" in result.stderr and "metrics" in result.stderr


def test_the_service_asks_for_the_keys_and_heeds_their_scopes(serve, keys):
    ask = keys("add", "a").stdout.strip()
    metrics = keys("add", "m", "--scopes", "metrics").stdout.strip()
    request = serve("--auth", "on", API_KEYS="from-the-environment")
    for key, status in ((ask, 200), ("from-the-environment", 200), (metrics, 403),
                        (ask + "0", 401)):
        answer = request("/v1/models", Authorization=f"Bearer {key}")
        assert answer[0] == status, key
    assert request("/v1/models", **{"X-API-Key": ask})[0] == 200
    assert request("/v1/health/detailed", Authorization=f"Bearer {metrics}")[0] == 200
    assert json.loads(request("/v1/models")[2])["error"]["code"] == "unauthorized"
    assert request("/v1/health")[0] == 200


def test_a_revoked_key_is_useless_at_once(serve, keys):
    key = keys("add", "a").stdout.strip()
    keys("add", "b")
    request = serve("--auth", "on")
    assert request("/v1/models", Authorization=f"Bearer {key}")[0] == 200
    keys("revoke", "a")
    time.sleep(1.1)  # what changed is looked for once a second
    assert request("/v1/models", Authorization=f"Bearer {key}")[0] == 401


def test_without_keys_a_public_service_does_not_start(refused, model, tmp_path):
    line = refused(3, "serve", "--host", "0.0.0.0", "--port", "0", *model(), "--data-dir",
                   tmp_path / "data")
    assert "tru keys add" in line and "AUTH=off" in line
