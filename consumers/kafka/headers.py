"""A record's headers, as far as the client can give them."""

from confluent_kafka import Message

from learners.events import Headers


def headers_of(message: Message) -> Headers | None:
    """Give a record's headers; None where a name among them is not UTF-8.

    To be asked once: of such a record the client gives a list with a hole in it the second time,
    which crashes the process that looks into it.
    """
    try:
        found = message.headers() or []
    except SystemError:  # its cause is a UnicodeDecodeError; the broker takes names of any bytes
        return None
    return list(found.items()) if isinstance(found, dict) else list(found)
