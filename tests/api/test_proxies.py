"""TRUSTED_PROXIES: who a request counts for, and who cannot pass for somebody else.

127.0.0.2 is the trusted proxy, 127.0.0.1 a client that reaches the service itself.
"""
import contextlib
import http.client
import subprocess

import pytest

from serving import PROGRAM, WAIT_S, Answer, eventually

PROXY, OTHER_PROXY, CLIENT = "127.0.0.2", "10.9.8.7", "127.0.0.1"
TRUSTED = f"{PROXY}, {OTHER_PROXY}, fd00::/8"


@pytest.fixture(scope="module")
def proxied(serving):
    """Three requests a client, all of them logged."""
    return serving(TRUSTED_PROXIES=TRUSTED, AUTH="off", RATE_LIMIT="3/d")


def ask(server, *fields, source=PROXY, path="/v1/models"):
    """A request from this address with these X-Forwarded-For fields."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=WAIT_S,
                                            source_address=(source, 0))
    with contextlib.closing(connection):
        connection.putrequest("GET", path)
        for field in fields:
            connection.putheader("X-Forwarded-For", field)
        connection.endheaders()
        return Answer("GET", connection.getresponse())


def counted_as(server, *fields, source=PROXY):
    """(peer, proxy) of the log's line."""
    answer = ask(server, *fields, source=source)
    *_, line = server.log_of(answer.headers["X-Request-ID"])
    return line["peer"], line.get("proxy")


def test_each_client_behind_the_proxy_has_a_limit_of_its_own(proxied):
    for client in ("203.0.113.1", "203.0.113.2", "2001:db8:1::1"):
        assert [ask(proxied, client).status for _ in range(4)] == [200, 200, 200, 429], client
    assert ask(proxied, "2001:db8:1::2").status == 429  # of the same network
    assert ask(proxied, "2001:db8:2::1").status == 200


def test_a_client_cannot_choose_its_address_through_the_proxy(proxied):
    """Proxies add the address they see on the right; what stands before it is the client's."""
    sent = ["", "198.51.100.1", "127.0.0.1", "junk", f"198.51.100.9, {OTHER_PROXY}"]
    answers = [ask(proxied, f"{forged}, 203.0.113.30") for forged in sent]
    assert [answer.status for answer in answers] == [200, 200, 200, 429, 429]


def test_an_untrusted_peer_is_not_believed(proxied):
    """Whatever it claims, it is counted by its own address."""
    claims = ["203.0.113.40", "203.0.113.41", PROXY, f"203.0.113.42, {PROXY}", "::1"]
    answers = [ask(proxied, claim, source="127.0.0.3") for claim in claims]
    assert [answer.status for answer in answers] == [200, 200, 200, 429, 429]
    assert counted_as(proxied, "203.0.113.43", source="127.0.0.3") == ("127.0.0.3", None)


@pytest.mark.parametrize("fields,client", [
    (["203.0.113.50"], "203.0.113.50"),
    ([f"203.0.113.51, {OTHER_PROXY}"], "203.0.113.51"),
    ([f"198.51.100.1, 203.0.113.52 ,{OTHER_PROXY}, fd00::5"], "203.0.113.52"),
    (["203.0.113.53", OTHER_PROXY], "203.0.113.53"),
    ([f"203.0.113.54:4711, [fd00::5]:80, {OTHER_PROXY}"], "203.0.113.54"),
    (["[2001:db8:5::1]:443"], "2001:db8:5::1"),
    (["2001:DB8:6:0::1"], "2001:db8:6::1"),
    (["::ffff:203.0.113.55"], "203.0.113.55"),
    ([f"fd00::9, {OTHER_PROXY}"], "fd00::9")])
def test_chains_of_proxies(proxied, fields, client):
    assert counted_as(proxied, *fields) == (client, PROXY)


@pytest.mark.parametrize("fields", [
    [], [""], [","], ["unknown"], ["203.0.113.60,"], ["203.0.113"], ["203.0.113.60 198.51.100.1"],
    ["for=203.0.113.60"], ["2001:db8::1%eth0"], ["203.0.113.60:"], ["203.0.113.60, x"],
    [f"203.0.113.60, x, {OTHER_PROXY}"], ["203.0.113.60", ""], ["203.0.113.60\xff"], ["9" * 8000]])
def test_what_cannot_be_read_counts_for_the_proxy(proxied, fields):
    assert counted_as(proxied, *fields) == (PROXY, PROXY)


@pytest.mark.parametrize("field", ["127.0.0.1", "127.7.7.7", "::1", "[::1]:80", "0.0.0.0", "::",
                                   "::ffff:127.0.0.1", f"127.0.0.1, {OTHER_PROXY}"])
def test_nobody_behind_a_proxy_is_this_machine(proxied, field):
    assert counted_as(proxied, field) == (PROXY, PROXY)


def test_forwarded_is_not_read(proxied):
    connection = http.client.HTTPConnection("127.0.0.1", proxied.port, timeout=WAIT_S,
                                            source_address=(PROXY, 0))
    with contextlib.closing(connection):
        connection.request("GET", "/v1/models", headers={"Forwarded": "for=203.0.113.70"})
        answer = Answer("GET", connection.getresponse())
    assert proxied.log_of(answer.headers["X-Request-ID"])[-1]["peer"] == PROXY


def test_without_the_setting_nobody_is_believed(server):
    assert counted_as(server, "203.0.113.80") == (PROXY, None)
    assert counted_as(server, "203.0.113.80", source=CLIENT) == (CLIENT, None)


def test_open_requests_are_limited_for_each_client(serving):
    """Loopback has no such limit, a client that claims to be it through the proxy has."""
    server = serving("moe", TRUSTED_PROXIES=PROXY, AUTH="off", MAX_CONNECTIONS_PER_ADDRESS=1,
                     TEMPERATURE=1, MAX_NEW_TOKENS=32768)
    body = '{"stream":true,"messages":[{"role":"user","content":"x"}]}'
    held = []
    for client in ("203.0.113.90", "127.0.0.1"):
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=WAIT_S,
                                                source_address=(PROXY, 0))
        connection.request("POST", "/v1/chat/completions", body, {
            "Content-Type": "application/json", "X-Forwarded-For": client})
        response = connection.getresponse()
        assert response.status == 200, client
        held.append((connection, response))
    for client in ("203.0.113.90", "127.0.0.1", "::1", "junk"):
        answer = ask(server, client)
        assert answer.refusal == (429, "too_many_connections"), client
        assert answer.headers["Retry-After"] == "1"
    assert ask(server, "203.0.113.91").status == 200
    assert ask(server, "203.0.113.90", source=CLIENT).status == 200
    for connection, response in held:
        response.close()
        connection.close()
    eventually(lambda: ask(server, "203.0.113.90").status == 200, "its place is free again")


def test_auto_asks_for_keys_behind_a_proxy_on_this_machine(starting, tmp_path):
    """HOST is loopback, but whoever reaches the proxy reaches the service."""
    refused = starting(TRUSTED_PROXIES=PROXY)
    assert refused.process.wait(30) == 3
    last = refused.log_text().splitlines()[-1]
    assert "TRUSTED_PROXIES" in last and "API_KEYS" in last
    server = starting(TRUSTED_PROXIES=PROXY, API_KEYS="a-key-0123456789").wait_alive()
    for source, client in ((PROXY, "127.0.0.1"), (PROXY, "203.0.113.1"), (CLIENT, "127.0.0.1")):
        assert ask(server, client, source=source).refusal == (401, "unauthorized")


@pytest.mark.parametrize("value", ["nginx", "10.0.0.1/8", "0.0.0.0/0", "::/0", "10.0.0.0/33",
                                   "1.2.3", "10.0.0.1-10.0.0.9", "*"])
def test_bad_values(value):
    done = subprocess.run([PROGRAM, "serve", "--trusted-proxies", value], capture_output=True,
                          text=True, timeout=30)
    assert done.returncode == 2 and done.stdout == ""
    line, = done.stderr.splitlines()
    assert f"'{value}'" in line and "10.0.0.0/8" in line
