"""HTTP byte by byte, for what no client library would send."""
import http.client
import io
import socket
import time

from serving import Answer


class _Received:
    """Looks like a socket to http.client's parser, which reads all responses from one stream."""

    def __init__(self, data):
        self.stream = io.BytesIO(data)
        self.stream.close = lambda: None

    def makefile(self, *_):
        return self.stream


def connect(server, timeout_s=20):
    return socket.create_connection(("127.0.0.1", server.port), timeout=timeout_s)


def read_all(connection):
    """Everything until the service closes; a reset after an answer counts as its end."""
    data = bytearray()
    try:
        while piece := connection.recv(65536):
            data += piece
    except ConnectionResetError:
        pass
    return bytes(data)


def parse(data, methods=("GET",)):
    """The answers in these bytes, one for each method; nothing may follow them."""
    received = _Received(data)
    answers = []
    for method in methods:
        response = http.client.HTTPResponse(received, method=method)
        response.begin()
        answers.append(Answer(method, response))
    rest = received.stream.read()
    assert rest == b"", f"more answers than requests: {rest[:200]}"
    return answers


def talk(server, *pieces, pause_s=0, methods=("GET",), half_close=False):
    """Sends the pieces and reads to the end of the connection; the answers."""
    with connect(server) as connection:
        try:
            for piece in pieces:
                connection.sendall(piece)
                time.sleep(pause_s)
            if half_close:
                connection.shutdown(socket.SHUT_WR)
        except (BrokenPipeError, ConnectionResetError):
            pass  # it has answered before it read everything
        data = read_all(connection)
    return parse(data, methods)


def request(*lines, host="localhost", body=b"", method="GET", path="/v1/health", close=True):
    """A request with these header lines."""
    head = [f"{method} {path} HTTP/1.1"] + ([f"Host: {host}"] if host else []) + list(lines)
    head += ["Connection: close"] if close else []
    text = "\r\n".join(head) + "\r\n\r\n"
    return text.encode("latin-1") + body
