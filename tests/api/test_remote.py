"""The service in front of remote servers: faults, load, clients that leave, servers that come."""
import json
import os
import signal
import socket
import threading
import time

import pytest

import fake_vllm as fake
from serving import eventually

ANSWER = "".join(fake.WORDS)
QUESTION = {"messages": [{"role": "user", "content": "Hello"}], "max_tokens": 20}


@pytest.fixture
def vllm():
    """vllm(...) starts a FakeVllm."""
    with fake.stand_ins() as start:
        yield start


@pytest.fixture
def front(starting):
    """front(server, ...) is a `tru serve` that asks these servers."""

    def start(*servers, **settings):
        urls = ",".join(server if isinstance(server, str) else server.url for server in servers)
        return starting(**{"MODEL_BACKEND": "vllm", "VLLM_BASE_URL": urls, "VLLM_IDLE_TIMEOUT": 1,
                           **settings})

    return start


def chat(service, **more):
    return service.post("/v1/chat/completions", {**QUESTION, **more})


def test_answers_and_health(front, vllm):
    one, other = vllm(), vllm(trust=False, nested=False)
    service = front(one, other).wait_ready()
    reply = chat(service).json
    assert reply["choices"][0]["message"]["content"] == ANSWER
    assert (reply["model"], reply["usage"]["prompt_tokens"]) == ("org/model", 100)
    detailed = service.get("/v1/health/detailed")
    servers = detailed.json["model"]["servers"]
    assert [server["transport"] for server in servers] == ["frame_list", "timed_images"]
    assert servers[0]["prompt_form"] == "nested" and servers[1]["warnings"]
    assert b"127.0.0.1" not in detailed.body
    assert "--trust-request-mm-kwargs" in service.log_text()


@pytest.mark.parametrize("step, status, code", [
    (fake.status(400), 502, "backend_error"),
    (fake.status(401, body={"error": "Unauthorized"}), 502, "backend_error"),
    (fake.status(404), 502, "backend_error"),
    (fake.status(429), 503, "backend_unavailable"),
    (fake.status(500), 502, "backend_error"),
    (fake.status(503), 503, "backend_unavailable"),
    (fake.status(400, "maximum context length is 8192 tokens"), 422, "context_overflow"),
    (fake.stall_after(2), 504, "backend_timeout"),
    (fake.reset_after(2), 502, "backend_protocol"),
    (fake.answer(finish=None, done=False), 502, "backend_protocol"),
    (fake.raw(b"data: {\n\n"), 502, "backend_protocol"),
    (fake.raw(b"data: " + b"x" * (10 << 20)), 502, "backend_protocol"),
    (fake.error_after(1), 502, "backend_error"),
])
def test_faults(front, vllm, step, status, code):
    one = vllm()
    one.chat = step
    service = front(one).wait_ready()
    reply = chat(service)
    assert reply.refusal == (status, code)
    for secret in (b"secret", b"/models", b"10.1.2.3", b"127.0.0.1", b"EngineDead"):
        assert secret not in reply.body
    assert (reply.headers["Retry-After"] is not None) == (status == 503)
    one.chat = fake.answer()
    assert chat(service).status == 200  # one failure is no reason to rest


def test_what_was_heard_stays_in_a_stream(front, vllm):
    one = vllm()
    one.chat = fake.error_after(2)
    service = front(one).wait_ready()
    body = chat(service, stream=True).body.decode()
    assert " red" in body and "backend_error" in body and "EngineDead" not in body


def test_servers_share_the_load(front, vllm):
    servers = [vllm(), vllm()]
    for server in servers:
        server.chat = fake.stall_before_the_answer
    service = front(*servers).wait_ready()
    clients = [threading.Thread(target=chat, args=[service]) for _ in range(4)]
    for client in clients:
        client.start()
    eventually(lambda: [len(server.requests) for server in servers] == [2, 2], "two for each", 20)
    assert service.get("/v1/health").status == 200
    for server in servers:
        server.chat = fake.answer()
    for client in clients:
        client.join()


def test_a_client_that_leaves_frees_the_server(front, vllm):
    one = vllm()
    one.chat = fake.stall_after(2)
    service = front(one, VLLM_IDLE_TIMEOUT=60).wait_ready()
    for stream in (True, False):
        body = json.dumps({**QUESTION, "stream": stream}).encode()
        left = len(one.left_after_s)
        with socket.create_connection(("127.0.0.1", service.port)) as client:
            client.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n"
                           b"Content-Type: application/json\r\n"
                           b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
            eventually(lambda: len(one.requests) > left, "it is asked", 20)
        begin = time.monotonic()
        eventually(lambda: len(one.left_after_s) > left, "it is let go", 20)
        print(f"the server was free {time.monotonic() - begin:.2f} s after the client left")


def test_a_server_may_come_later_and_come_back(front, vllm):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    service = front(f"http://127.0.0.1:{port}").wait_alive()
    assert service.get("/v1/ready").refusal == (503, "model_loading")
    first = vllm(port=port)
    service.wait_ready()
    assert chat(service).status == 200
    first.close()
    assert chat(service).status == 503
    second = vllm(port=port, model="org/other")
    eventually(lambda: chat(service).status == 200, "it is asked again", 20)
    assert second.requests[-1]["model"] == "org/other"


def test_a_vllm_of_our_own_is_started_again(starting, tmp_path):
    log = fake.make_program(tmp_path)
    service = starting(MODEL_BACKEND="vllm", PATH=f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    service.wait_ready()
    assert chat(service).json["model"] == "dense-tied"
    os.kill(int(log.read_text().split()[0]), signal.SIGKILL)
    eventually(lambda: len(log.read_text().splitlines()) == 2, "a second one starts", 20)
    eventually(lambda: chat(service).status == 200, "it is asked again", 20)
    assert service.stop() == 0
    last = int(log.read_text().splitlines()[-1].split()[0])
    assert not os.path.exists(f"/proc/{last}")
