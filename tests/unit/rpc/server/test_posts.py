"""Which requests are plain, so that they are read without aiohttp."""

import time
from email.utils import parsedate_to_datetime

import pytest

from inos.rpc.server.posts import Post, PostReader, Responses

TOKEN = "5" * 64
LIMIT = 1000
HEAD = "POST / HTTP/1.1\r\nHost: localhost:8645\r\nContent-Type: application/json\r\nContent-Length: 2\r\n"
PLAIN = (HEAD + "\r\n{}").encode()


@pytest.fixture
def reader() -> PostReader:
    return PostReader({"localhost", "[::1]"}, TOKEN, LIMIT)


def test_plain_requests_of_one_connection(reader: PostReader) -> None:
    assert reader.read(PLAIN) == reader.read(PLAIN) == Post(b"{}", is_owner=False)
    assert reader.read(PLAIN[:-2] + b"[]") == Post(b"[]", is_owner=False)
    assert reader.read(PLAIN.replace(b"h: 2", b"h: 1000")[:-2] + b"x" * LIMIT) == Post(b"x" * LIMIT, is_owner=False)
    owned = PLAIN.replace(b"\r\n\r\n", b"\r\nAuthorization: Bearer %s\r\n\r\n" % TOKEN.encode())
    assert reader.read(owned) == Post(b"{}", is_owner=True)
    assert reader.read(PLAIN) == Post(b"{}", is_owner=False)
    assert reader.read(owned.replace(b"5555", b"5554", 1)) == Post(b"{}", is_owner=False)


@pytest.mark.parametrize(
    "more",
    [
        "accept: */*\r\nUser-Agent: curl/8\r\nAccept-Encoding: gzip, deflate\r\nAccept-Language: *\r\n",
        "Connection: keep-alive\r\n",
        "Connection:Keep-Alive  \r\n",
    ],
)
def test_headers_that_change_nothing(reader: PostReader, more: str) -> None:
    assert reader.read((HEAD + more + "\r\n{}").encode()) == Post(b"{}", is_owner=False)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        PLAIN[:30],
        PLAIN[:-1],
        PLAIN + b" ",
        PLAIN + PLAIN,
        PLAIN.replace(b"POST /", b"GET /"),
        PLAIN.replace(b"POST /", b"POST /ws"),
        PLAIN.replace(b"1.1", b"1.0"),
        PLAIN.replace(b"localhost", b"other.example"),
        PLAIN.replace(b"Host: localhost:8645\r\n", b""),
        PLAIN.replace(b"/json", b"/json; charset=utf-8"),
        PLAIN.replace(b"application/json", b"text/plain"),
        PLAIN.replace(b"h: 2", b"h: +2"),
        PLAIN.replace(b"h: 2", b"h: 2, 2"),
        PLAIN.replace(b"Content-Length: 2\r\n", b""),
        PLAIN.replace(b"h: 2", b"h: 1001")[:-2] + b"x" * 1001,
        PLAIN.replace(b"h: 2", b"h: 000002"),
        PLAIN.replace(b"\r\n", b"\n"),
        *(
            (HEAD + more + "\r\n{}").encode()
            for more in (
                "Content-Length: 2\r\n",
                "Host: localhost\r\n",
                "Transfer-Encoding: chunked\r\n",
                "Content-Encoding: gzip\r\n",
                "Expect: 100-continue\r\n",
                "Connection: close\r\n",
                "Connection: keep-alive, Upgrade\r\n",
                "Upgrade: websocket\r\n",
                "Cookie: a=b\r\n",
                "Accept : */*\r\n",
                "Accept: a\tb\r\n",
                "Accept: a\nb\r\n",
                "Accept: \x7f\r\n",
                "User-Agent: \xff\r\n",
                " folded\r\n",
                "Accept: " + "x" * 5000 + "\r\n",
            )
        ),
    ],
)
def test_other_requests_are_left_alone(reader: PostReader, data: bytes) -> None:
    assert reader.read(data) is None
    assert reader.read(PLAIN) == Post(b"{}", is_owner=False)
    assert reader.read(data) is None


def test_responses() -> None:
    responses = Responses()
    head, body = responses.encode(b'{"a":1}').split(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    assert (lines[:3], body) == (
        ["HTTP/1.1 200 OK", "Content-Type: application/json", "Content-Length: 7"],
        b'{"a":1}',
    )
    assert abs(parsedate_to_datetime(lines[3].removeprefix("Date: ")).timestamp() - time.time()) < 60
    empty = responses.encode(None)
    assert empty.startswith(b"HTTP/1.1 204 No Content\r\nDate: ")
    assert empty.endswith(b"\r\n\r\n")
    assert b"Content-Length" not in empty
