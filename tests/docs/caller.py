"""Asks the `nest` to carry out a command here, with these streams: `caller.py SOCKET NAME ...`.

Run as a file and without site packages, so that it starts in no time.
"""

import json
import os
import socket
import sys


def call(address: str, words: list[str]) -> int:
    """Give the command's exit code."""
    request = {"words": words, "folder": os.getcwd(), "environment": dict(os.environ)}  # noqa: PTH109 - pathlib takes longer to load than all the rest
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(address)
        socket.send_fds(connection, [json.dumps(request).encode()], [0, 1, 2])
        answer = connection.recv(100)
    code = int(answer or b"1")
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(call(sys.argv[1], sys.argv[2:]))
