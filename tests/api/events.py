"""Server-sent events, read one by one."""
import json


class EventStream:
    """The events of a response: (id, name, data); comments are counted."""

    def __init__(self, connection, response):
        self.connection, self.response = connection, response
        self.comments = 0

    def __iter__(self):
        fields = {}
        while line := self.response.readline():
            line = line.decode().rstrip("\n").rstrip("\r")
            if line.startswith(":"):
                self.comments += 1
            elif line:
                name, _, value = line.partition(": ")
                assert name in ("id", "event", "data", "retry"), line
                assert name == "data" or name not in fields, "a field stands twice"
                fields[name] = fields[name] + "\n" + value if name in fields else value
            elif fields:
                yield fields.get("id"), fields.get("event"), json.loads(fields["data"])
                fields = {}
        assert fields == {}, "the stream ends within an event"

    def until(self, name):
        """Reads on to the first event of this name; its data."""
        for _, event, data in self:
            if event == name:
                return data
            assert event != "error", data
        raise AssertionError(f"the stream ended before {name}")

    def close(self):
        """Leaves, as a closed browser tab does."""
        self.connection.close()
        self.response.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def stream(server, method, path, body=None, headers=None, timeout_s=120):
    """Opens a stream of events."""
    connection, response = server.open(method, path, body, headers, timeout_s)
    assert response.status == 200, response.read()
    assert response.headers.get_content_type() == "text/event-stream"
    assert response.headers["Cache-Control"] == "no-cache"
    return EventStream(connection, response)
