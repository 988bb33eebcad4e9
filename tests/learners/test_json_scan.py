"""Plain JSON in one scan, against the parser that knows all of JSON."""

import json
import random
import struct
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from learners.decoding import Decoded, EventDecoder
from learners.events import Records
from learners.formats import Format
from learners.scanned import JsonScanner
from learners.schema import Kind, Schema
from learners.structs import MAX_ID_LENGTH
from learners.tokens import Tokens
from tests.records import records_of

NESTED = Schema(features=("a", "b"), id="id", time="ts", label="y", classes=(0, 1))
FLAT = Schema(features=("a", "b"), features_in="", id="id", label="y", classes=("no", "yes"))
TARGET = Schema(features=("a",), features_in="x", time="t", label="y")
BARE = Schema(features=("only",), features_in="")
# Names that begin alike, are as long as a word, longer, and hold what has a meaning in JSON.
LIKE = Schema(
    features=("a", "ab", "abcdefg", "abcdefgh", "abcdefghi", "{x:1}, y", "abcdefghijklmnopqrst"),
    features_in="abc",
    id="abcdefgh",
    label="a",
    classes=("", "down", "down!", "exactly8"),
)
SCHEMAS = (NESTED, FLAT, TARGET, BARE, LIKE)
GOOD = b'{"id":"e","ts":7,"features":{"a":1.5,"b":2},"y":1}'
SPACED = b'  { "a" : -1.25e3 , "id" : 7 , "b" : 0 , "y" : "no" } '

# The first example compiles, and loads the tables of all of Unicode.
at_leisure = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


def slow(schema: Schema, *, keep: bool = False) -> EventDecoder:
    """Make a decoder that never scans."""
    decoder = EventDecoder(schema, keep_unknown_labels=keep)
    decoder._scanner = None
    return decoder


def is_plain(value: bytes, schema: Schema = NESTED) -> bool:
    return JsonScanner(schema).scan([value]) is not None


def assert_same(one: Decoded, other: Decoded) -> None:
    """Compare bit for bit, ids with their types."""
    left, right = one.batch, other.batch
    for name in ("X", "y", "labelled", "time_ms", "partitions", "offsets", "rows"):
        a, b = getattr(left, name), getattr(right, name)
        assert (a.dtype, a.shape, a.tobytes()) == (b.dtype, b.shape, b.tobytes()), name
    assert isinstance(left.X, np.ndarray)
    assert left.X.flags.c_contiguous
    assert left.X.flags.writeable
    assert [(type(each), each) for each in left.ids] == [(type(each), each) for each in right.ids]
    assert left.keys == right.keys
    assert (one.rejections, one.skipped) == (other.rejections, other.skipped)


def compare(schema: Schema, values: Sequence[bytes | None]) -> bool:
    """Compare what the scan gives with what the parser gives; tell whether it gave anything."""
    records = records_of(values)
    decoder = EventDecoder(schema)
    assert decoder._scanner is not None
    fields = decoder._scanner.scan(values)
    assert_same(decoder.decode(records), slow(schema).decode(records))
    if fields is not None:  # then the parser refuses none for what its bytes are
        decoded = slow(schema)._parser.read_all([value for value in values if value is not None])
        assert len(decoded) == len(values)
    return fields is not None


def _digits(least: int = 1, most: int = 20) -> st.SearchStrategy[str]:
    return st.text("0123456789", min_size=least, max_size=most)


def _spelled(sign: str, whole: str, fraction: str, exponent: str) -> str:
    return sign + (whole.lstrip("0") or "0") + fraction + exponent


# Any decimal that JSON knows: most are plain.
decimals = st.builds(
    _spelled,
    st.sampled_from(["", "-"]),
    _digits(),
    st.one_of(st.just(""), _digits().map(lambda digits: "." + digits)),
    st.one_of(
        st.just(""),
        st.builds(
            lambda letter, sign, digits: letter + sign + digits,
            st.sampled_from("eE"),
            st.sampled_from(["", "-", "+"]),
            _digits(1, 3),
        ),
    ),
)
floats = st.floats(allow_nan=False, allow_infinity=False)
numbers = st.one_of(
    floats.map(repr),
    st.floats(-1e6, 1e6).map(repr),
    st.integers(-(2**70), 2**70).map(str),
    decimals,
    st.sampled_from(["0", "-0", "-0.0", "0e5", "-0E-7", "1e400", "5e-324", "1e-400", "1E5"]),
)
strange_numbers = st.sampled_from(
    ["1.", ".5", "+1", "-", "01", "-01", "1e", "1e+", "0x1", "NaN", "-Infinity", "1.e5", "00"]
)
others = st.sampled_from(
    ["null", "true", "false", '"1"', "[]", "{}", "nul", '"\\u0041"', '"é"', '"', "[1,2]", ""]
)
texts = st.one_of(
    st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20).map(json.dumps),
    st.text(max_size=5).map(json.dumps),
    st.text(max_size=5).map(lambda text: json.dumps(text, ensure_ascii=False)),
    st.integers(MAX_ID_LENGTH - 2, MAX_ID_LENGTH + 2).map(lambda n: '"' + "x" * n + '"'),
)
integers = st.one_of(st.integers(-(10**18), 10**18).map(str), _digits(1, 25), decimals)
blanks = st.one_of(st.just(""), st.text(" \t\n\r", max_size=10))


@st.composite
def tokens(draw: st.DrawFn, usual: st.SearchStrategy[str], *, clean: bool) -> str:
    """Draw what was asked for, or now and then something else."""
    strange = not clean and draw(st.integers(0, 19)) == 0
    return draw(st.one_of(others, strange_numbers, texts, numbers)) if strange else draw(usual)


@st.composite
def objects(draw: st.DrawFn, members: list[tuple[str, str]], *, clean: bool) -> str:
    """Write members in some order with some blanks; some may be missing, or come twice."""
    if draw(st.booleans()):
        members = draw(st.permutations(members))
    if not clean and draw(st.integers(0, 9)) == 0:
        members = [*members, *draw(st.lists(st.sampled_from(members), max_size=2))]
        members = members[draw(st.integers(0, 2)) :]
    if not draw(st.booleans()):
        return "{" + ",".join(f'"{name}":{value}' for name, value in members) + "}"
    space = [draw(blanks) for _ in range(4)]
    inner = ",".join(
        f'{space[0]}"{name}"{space[1]}:{space[2]}{value}{space[3]}' for name, value in members
    )
    return "{" + inner + "}"


@st.composite
def events(draw: st.DrawFn, schema: Schema, *, clean: bool = False) -> bytes:
    """Draw an event of a schema; a clean one is what JSON and the schema allow."""
    members: list[tuple[str, str]] = []
    if schema.id is not None:
        members.append((schema.id, draw(tokens(st.one_of(texts, integers), clean=clean))))
    if schema.time is not None:
        members.append((schema.time, draw(tokens(integers, clean=clean))))
    if schema.label is not None and draw(st.booleans()):
        members.append((schema.label, draw(tokens(_labels(schema), clean=clean))))
    features = [(name, draw(tokens(numbers, clean=clean))) for name in schema.features]
    if schema.features_in:
        within = draw(objects(features, clean=clean))
        members.append((schema.features_in, within))
    else:
        members += features
    undeclared = st.one_of(others, texts, numbers) if not clean else st.one_of(texts, numbers)
    others_beside = st.tuples(st.sampled_from(["more", "", "x" * 20, "é"]), undeclared)
    members += draw(st.lists(others_beside, max_size=1))
    return (draw(blanks) + draw(objects(members, clean=clean)) + draw(blanks)).encode()


def _labels(schema: Schema) -> st.SearchStrategy[str]:
    if schema.classes is None:
        return st.one_of(numbers, st.just("null"))
    known = st.sampled_from([json.dumps(label) for label in schema.classes])
    return st.one_of(known, known, known, st.sampled_from(["null", "7", '"maybe"', "1.0", "-0"]))


@st.composite
def mutated(draw: st.DrawFn, value: bytes) -> bytes:
    """Delete, insert, swap or cut off bytes."""
    letters = bytearray(value)
    for _ in range(draw(st.integers(1, 3))):
        if not letters:
            break
        at = draw(st.integers(0, len(letters) - 1))
        kind = draw(st.sampled_from(["delete", "insert", "change", "swap", "cut"]))
        if kind == "delete":
            del letters[at]
        elif kind == "cut":
            del letters[at:]
        elif kind == "swap":
            other = draw(st.integers(0, len(letters) - 1))
            letters[at], letters[other] = letters[other], letters[at]
        else:
            usual = st.sampled_from(b'{}[]:,"\\ \t\n0123456789-+.eEnul\x00\x1f\x7f\x80\xff')
            letter = draw(st.one_of(usual, st.integers(0, 255)))
            letters[at : at + (kind == "change")] = bytes([letter])
    return bytes(letters)


@at_leisure
@given(st.data(), st.sampled_from(SCHEMAS))
def test_a_scan_gives_what_the_parser_gives_or_nothing(data: st.DataObject, schema: Schema) -> None:
    compare(schema, data.draw(st.lists(events(schema), max_size=3)))


@at_leisure
@given(st.data(), st.sampled_from(SCHEMAS))
def test_one_spelling_of_an_event_is_scanned_as_it_is_parsed(
    data: st.DataObject, schema: Schema
) -> None:
    compare(schema, [data.draw(events(schema, clean=True))])


@at_leisure
@given(st.data(), st.sampled_from(SCHEMAS))
def test_damaged_events_are_scanned_as_they_are_parsed_or_not_at_all(
    data: st.DataObject, schema: Schema
) -> None:
    value = data.draw(events(schema, clean=True))
    compare(schema, [data.draw(mutated(value)), value])


@at_leisure
@given(st.sampled_from([NESTED, FLAT]), st.data())
def test_plain_events_that_are_damaged_are_read_the_same(
    schema: Schema, data: st.DataObject
) -> None:
    value = GOOD if schema is NESTED else SPACED
    assert compare(schema, [value])
    compare(schema, [value, data.draw(mutated(value)), value])


def test_an_event_cut_in_two_is_not_read_across_the_cut() -> None:
    for cut in range(len(GOOD) + 1):
        assert not compare(NESTED, [GOOD[:cut], GOOD[cut:]])


def usual(schema: Schema, number: int, dice: random.Random) -> dict[str, Any]:
    """Make an event as a producer in Python would."""
    features = {name: dice.gauss(0, 1) * 10 ** dice.randint(-3, 6) for name in schema.features}
    event: dict[str, Any] = {schema.features_in: features} if schema.features_in else features
    if schema.id is not None:
        event[schema.id] = number if number % 2 else f"event-{number}"
    if schema.time is not None:
        event[schema.time] = 1_700_000_000_000 + number
    if schema.label is not None:
        labels = schema.classes or (0, -1.5, 1e-7)
        event[schema.label] = dice.choice((*labels, None))
    return event


@pytest.mark.parametrize("separators", [None, (",", ":")], ids=["default", "compact"])
@pytest.mark.parametrize("schema", SCHEMAS, ids=["nested", "flat", "target", "bare", "like"])
def test_usual_events_are_plain(schema: Schema, separators: tuple[str, str] | None) -> None:
    dice = random.Random(7)  # noqa: S311 - no secret
    made = [usual(schema, number, dice) for number in range(500)]
    assert compare(schema, [json.dumps(each, separators=separators).encode() for each in made])


@at_leisure
@given(floats)
def test_the_shortest_spelling_of_a_normal_float_is_plain(value: float) -> None:
    assume(value == 0 or abs(value) >= 2.3e-308)
    fields = JsonScanner(BARE).scan([f'{{"only":{value!r}}}'.encode()])
    assert fields is not None
    assert struct.pack("d", fields.numbers[0, 0]) == struct.pack("d", value)


def features(text: str) -> bytes:
    return GOOD.replace(b'{"a":1.5,"b":2}', text.encode())


@pytest.mark.parametrize(
    "value",
    [
        GOOD.replace(b'"y":1', b'"y":null'),
        GOOD.replace(b',"y":1', b""),
        GOOD.replace(b'"e"', b'"' + b"x" * MAX_ID_LENGTH + b'"'),
        GOOD.replace(b'"e"', b"-" + b"9" * 18),
        GOOD.replace(b'"e"', b'"\x7f{}[]:, "'),
        GOOD.replace(b'"e"', b'""'),
        GOOD.replace(b'"y":1', b'"more":2,"y":1'),
        b'{"":"x","some": true,"any":false , ' + GOOD[1:-1] + b',"more":null,"more":-1.5e3}',
        features('{"b":2,"a":1.5}'),
        features('\t{ "a" : 1e-5\n,"b"\r: -0.0 } '),
        features('{"a":0.00012345678901234567,"b":1E+5}'),
        features('{"a":1234567890123456789,"b":-0}'),
    ],
)
def test_these_are_plain(value: bytes) -> None:
    assert compare(NESTED, [value, GOOD, value])


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b" ",
        None,
        GOOD + b"}",
        GOOD + b"\0",
        GOOD[:-1],
        GOOD.replace(b'"id"', b'"di"'),
        GOOD.replace(b'"y":1', b'"y":1,"more":[2]'),
        GOOD.replace(b'"y":1', b'"y":1,"more":{}'),
        GOOD.replace(b'"y":1', b'"y":1,"more":trux'),
        GOOD.replace(b'"y":1', b'"y":1,"more":"\\n"'),
        GOOD.replace(b'"y":1', b'"y":1,"mo\\u0072e":2'),
        GOOD.replace(b'"y":1', b'"y":1,"more" 2'),
        GOOD.replace(b'"y":1', b'"y":1,"more":'),
        GOOD.replace(b'"y":1', b'"y":1,"y":1'),
        GOOD.replace(b'"y":1', b'"y":2'),
        GOOD.replace(b'"y":1', b'"y":1.0'),
        GOOD.replace(b'"y":1', b'"y":true'),
        GOOD.replace(b'"id":"e",', b""),
        GOOD.replace(b'"ts":7,', b""),
        GOOD.replace(b'"ts":7', b'"ts":1' + b"0" * 18),
        GOOD.replace(b'"ts":7', b'"ts":7.0'),
        GOOD.replace(b'"e"', b"1" + b"0" * 18),
        GOOD.replace(b'"e"', b"null"),
        GOOD.replace(b'"e"', b"-0"),
        GOOD.replace(b'"e"', b'"' + b"x" * (MAX_ID_LENGTH + 1) + b'"'),
        GOOD.replace(b'"e"', b'"\\n"'),
        GOOD.replace(b'"e"', '"é"'.encode()),
        GOOD.replace(b'"e"', b'"\n"'),
        GOOD.replace(b'"e"', b'"\xff"'),
        features("[1.5,2]"),
        features("{}"),
        features('{"a":1.5}'),
        features('{"a":1.5,"b":2,"c":3}'),
        features('{"a":1.5,"a":1.5,"b":2}'),
        features('{"a":1.5,"b":null}'),
        features('{"a":1.5,"b":12345678901234567890}'),
        features('{"a":1.5,"b":5e-324}'),
        features('{"a":1.5,"b":1e400}'),
        features('{"a":1.5,"b":2,}'),
        features('{"a":1.5 "b":2}'),
        features('{"a":1.5,,"b":2}'),
    ],
)
def test_these_are_not_plain(value: bytes | None) -> None:
    assert not compare(NESTED, [GOOD, value, GOOD])


def test_a_read_of_nothing_is_plain() -> None:
    for schema in SCHEMAS:
        assert compare(schema, [])


@pytest.mark.parametrize(
    "schema",
    [
        Schema(features=("é",)),
        Schema(features=('a"b',)),
        Schema(features=("a\\b",)),
        Schema(features=("a",), label="y", classes=("no", "né")),
        Schema(features=("a",), kinds=(Kind.TEXT,)),
        Schema(features=("a",), label="y", classes=tuple(range(300))),
        Schema(features=("a",), label="y", classes=(0, 2**63)),
    ],
)
def test_these_schemas_are_never_scanned(schema: Schema) -> None:
    assert not JsonScanner.fits(schema)


def test_other_formats_and_words_are_never_scanned() -> None:
    assert EventDecoder(Schema(features=("a",), kinds=(Kind.TEXT,)))._scanner is None
    assert EventDecoder(NESTED, Format.JSON_ARRAY)._scanner is None
    assert EventDecoder(NESTED, Format.MSGPACK)._scanner is None


def test_a_value_that_is_too_large_is_refused_though_it_is_plain() -> None:
    schema = Schema(features=("a",), max_bytes=30)
    values = [b'{"features":{"a":1}}', b'{"features":{"a":1}}' + b" " * 11]
    decoded = EventDecoder(schema).decode(records_of(values))
    assert [rejection.row for rejection in decoded.rejections] == [1]
    assert_same(decoded, slow(schema).decode(records_of(values)))


def test_what_is_out_of_bounds_is_refused_as_ever() -> None:
    values = [GOOD, features('{"a":1e30,"b":2}'), GOOD]
    assert compare(NESTED, values)
    decoded = EventDecoder(NESTED).decode(records_of(values))
    assert [rejection.row for rejection in decoded.rejections] == [1]
    assert isinstance(decoded.batch.ids, Tokens)
    target = Schema(features=("a",), features_in="", label="y", max_abs=10)
    assert compare(target, [b'{"a":1,"y":2}', b'{"a":1,"y":-20}', b'{"a":11}', b'{"a":1}'])


def test_unknown_labels_are_kept_where_they_are_to_be() -> None:
    records = records_of([GOOD, GOOD.replace(b'"y":1', b'"y":5')])
    kept = EventDecoder(NESTED, keep_unknown_labels=True).decode(records)
    assert_same(kept, slow(NESTED, keep=True).decode(records))
    assert kept.batch.labelled.tolist() == [True, False]


def test_after_a_read_that_is_not_plain_some_go_by_unscanned() -> None:
    decoder = EventDecoder(NESTED)

    def scanned(value: bytes) -> bool:
        batch = decoder.decode(records_of([value])).batch
        assert batch.ids == ["e"]
        return isinstance(batch.ids, Tokens)

    assert scanned(GOOD)
    assert not scanned(features("[1,2]"))
    assert [scanned(GOOD) for _ in range(27)] == [False] * 25 + [True] * 2


def records_in_order(values: list[bytes]) -> Records:
    return records_of(values, keys=[b"%d" % row for row in range(len(values))])


def test_events_that_are_taken_keep_their_ids_as_tokens() -> None:
    values = [GOOD.replace(b'"e"', token) for token in (b'"a"', b"12", b'"c"', b"-7")]
    batch = EventDecoder(NESTED).decode(records_in_order(values)).batch
    taken = batch.take(np.array([True, True, False, True]))
    assert isinstance(taken.ids, Tokens)
    assert taken.ids == ["a", 12, -7]
    assert taken.keys == [b"0", b"1", b"3"]


def test_tokens_are_what_would_be_written_of_the_ids() -> None:
    plain = [chr(code) for code in range(32, 128) if chr(code) not in '"\\']
    ids = [*plain, "".join(plain), "", 0, 7, -7, 10**17, -(10**17)]
    values = [GOOD.replace(b'"e"', msgspec.json.encode(each)) for each in ids]
    tokens = EventDecoder(NESTED).decode(records_of(values)).batch.ids
    assert isinstance(tokens, Tokens)
    assert tokens == ids
    places = zip(tokens.starts.tolist(), tokens.ends.tolist(), strict=True)
    written = [tokens.buffer[start:end].tobytes() for start, end in places]
    assert written == [msgspec.json.encode(each) for each in ids]


def test_tokens_are_a_sequence_of_what_they_stand_for() -> None:
    text = b'"up" 12 "" -3'
    starts, ends = np.array([0, 5, 8, 11]), np.array([4, 7, 10, 13])
    tokens = Tokens(np.frombuffer(text, np.uint8), starts, ends)
    said = ["up", 12, "", -3]
    assert len(tokens) == 4
    assert list(tokens) == said
    assert [tokens[place] for place in range(-4, 4)] == said + said
    assert tokens == said
    assert said == tokens
    assert tokens != said[1:]
    assert tokens[1:3] == said[1:3]
    assert list(tokens[::-1]) == said[::-1]
    assert tokens.take(np.array([3, 0])) == [-3, "up"]
    assert 12 in tokens
    assert list(tokens.take(np.array([], dtype=np.int64))) == []
    with pytest.raises(IndexError):
        tokens[4]
