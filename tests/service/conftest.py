"""What the tests of the service share."""
import pytest

from service import ROOT, Server


@pytest.fixture(scope="session")
def data():
    """The folder of clips, checkpoints and goldens."""
    return ROOT / "tests" / "data"


@pytest.fixture(scope="session")
def clip(data):
    """clip(name) is a test clip."""
    return lambda name: data / "media" / name


@pytest.fixture
def start_server(tmp_path, data):
    """start_server(model="dense-tied", **settings) starts one and stops it after the test."""
    running = []

    def start(model="dense-tied", **settings):
        folder = tmp_path / f"server{len(running)}"
        folder.mkdir()
        running.append(Server(folder, data / "models" / model, **settings))
        return running[-1]

    yield start
    for server in running:
        server.stop()


@pytest.fixture(scope="session")
def server(tmp_path_factory, data):
    """A server that all tests share, ready to answer."""
    shared = Server(tmp_path_factory.mktemp("server"), data / "models" / "dense-tied")
    yield shared.wait_until_ready()
    assert shared.stop() == 0
