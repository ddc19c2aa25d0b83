"""What the tests of the service share."""
import functools
import http.server
import sys
import threading

import openai
import pytest

import page
from serving import DATA, PROGRAM, ROOT, WAIT_S, Server
from stand_in import MediaSite

sys.path.insert(0, str(ROOT / "tests" / "remote"))  # fake_vllm


@pytest.fixture(scope="session")
def clip():
    """clip(name) is a test clip."""
    return lambda name: DATA / "media" / name


@pytest.fixture(scope="session")
def program(tmp_path_factory):
    """program(with_page) is the program, installed with or without a page beside it."""
    return functools.cache(lambda with_page: page.install(
        PROGRAM, tmp_path_factory.mktemp("installed"), with_page))


@pytest.fixture(scope="session")
def serving(program, tmp_path_factory):
    """serving(model, **settings) is a ready service with these settings; asked again, the same."""
    running = {}

    def start(model="dense-tied", with_page=True, **settings):
        key = (model, with_page, *sorted(settings.items()))
        if key not in running:
            running[key] = Server(program(with_page), tmp_path_factory.mktemp("serve"), model,
                                  **settings)
            running[key].wait_ready()
        assert running[key].process.poll() is None, "the service has ended"
        return running[key]

    yield start
    statuses = [server.stop() for server in running.values()]
    assert statuses == [0] * len(statuses)


@pytest.fixture
def starting(program, tmp_path_factory):
    """starting(model, **settings) is a service of this test's own, perhaps not ready yet."""
    running = []

    def start(model="dense-tied", **settings):
        running.append(Server(program(True), tmp_path_factory.mktemp("start"), model, **settings))
        return running[-1]

    yield start
    for server in running:
        server.process.kill()
        server.process.wait()


@pytest.fixture(scope="session")
def server(serving):
    """The service most tests ask: a tiny checkpoint, greedy, eight tokens."""
    return serving()


WITH_AND_WITHOUT_PAGE = {"params": [True, False], "ids": ["page", "no page"]}


@pytest.fixture(scope="session", **WITH_AND_WITHOUT_PAGE)
def either(request, serving):
    """As `server`, once with a web page and once without: nothing else may answer differently."""
    return serving(with_page=request.param)


@pytest.fixture(scope="session", **WITH_AND_WITHOUT_PAGE)
def keyed(request, serving):
    """A service that wants a key, with and without a page."""
    return serving(with_page=request.param, AUTH="on",
                   API_KEYS="first-key-0123456789,second-key-9876543210")


@pytest.fixture(scope="session")
def fetching(serving):
    """A service that fetches from this machine too."""
    return serving(ALLOW_PRIVATE_URLS=1)


@pytest.fixture(scope="session")
def talker(serving):
    """A service whose checkpoint never ends an answer by itself at temperature 1."""
    return serving("moe", TEMPERATURE=1, MAX_NEW_TOKENS=2048, ALLOW_PRIVATE_URLS=1)


@pytest.fixture(scope="session")
def client(server):
    """The published client of OpenAI's interface."""
    return openai.OpenAI(base_url=server.url + "/v1", api_key="any", max_retries=0, timeout=WAIT_S)


@pytest.fixture(scope="session")
def site():
    """A web site on this machine: the test clips and some misbehaviour."""
    web = http.server.ThreadingHTTPServer(("127.0.0.1", 0), MediaSite)
    web.daemon_threads = True
    threading.Thread(target=web.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{web.server_port}"
    web.shutdown()
    web.server_close()
