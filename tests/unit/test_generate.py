"""Generated files: the same bytes for the same seed, the size that was asked for, and what their record promises."""

from __future__ import annotations

import hashlib
import json
import re
from fractions import Fraction
from itertools import cycle, islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glue_job.conform import Conformer
from glue_job.records import BadLine, parse
from ndjctl.contracts import BadLineReason, FormatError
from ndjctl.generate.bad_lines import TOO_MANY_VALUES
from ndjctl.generate.content import Generator
from ndjctl.generate.fitting import Rounds
from ndjctl.generate.mix import Mix, mixed
from ndjctl.generate.places import special_lines, spread
from ndjctl.generate.recipe import NONE, Amount, Recipe, RecipeError
from ndjctl.generate.record import NEW_FIELD, OTHER_TYPE, FileFacts, Generated, GeneratedFile, total
from ndjctl.generate.typed import parse_amount, parse_rate, parse_size
from tests.generate_world import SHAPES, made, places, promised, recipe, root_of, seen, share

LIGHT_REASONS = {
    reason
    for name, reason in vars(BadLineReason).items()
    if name.isupper() and reason not in (BadLineReason.TOO_LONG, BadLineReason.TOO_LARGE)
}

amounts = st.one_of(
    st.just(NONE),
    st.integers(1, 40).map(lambda count: Amount(count=count)),
    st.fractions(Fraction(1, 400), Fraction(1, 4), max_denominator=400).map(lambda found: Amount(share=found)),
)


@settings(deadline=None, max_examples=25)
@given(
    shape=st.sampled_from(SHAPES),
    seed=st.integers(-(2**70), 2**70),
    number=st.integers(0, 10**6),
    lines=st.integers(150, 900),
    bad=amounts,
    drift=amounts,
)
def test_what_a_record_promises_is_what_the_record_path_finds(
    shape: str, seed: int, number: int, lines: int, bad: Amount, drift: Amount
) -> None:
    generator = Generator(recipe(shape, seed, bad, drift, lines=lines))
    body, facts = made(generator, number)
    found = seen(body, root_of(generator))
    assert facts.lines == found.lines == lines
    assert facts.size_bytes == len(body)
    assert facts.checksum == f"sha256:{hashlib.sha256(body).hexdigest()}"
    assert facts.bad_lines == found.bad
    assert promised(facts) == found.rescued
    for amount, count in ((bad, facts.bad_line_count), (drift, facts.drifted_records)):
        assert amount.count in (0, count)
    assert abs(facts.bad_line_count - lines * bad.share) <= 1 or bad.count
    assert abs(facts.drifted_records - facts.records * drift.share) <= 1 or drift.count


@settings(deadline=None, max_examples=12)
@given(
    shape=st.sampled_from(SHAPES),
    seed=st.integers(0, 10**6),
    lines=st.integers(1, 600),
    drift=st.sampled_from(["1/3", "1/4", "1/20"]),
)
def test_a_value_of_another_type_is_rescued_whatever_the_sample_shows(
    shape: str, seed: int, lines: int, drift: str
) -> None:
    # Also of a file's beginning alone, and of one that is nothing but a few lines.
    generator = Generator(recipe(shape, seed, share("1/10"), share(drift), lines=lines))
    body, facts = made(generator)
    found = seen(body)
    clean = {field.name: field.type for field in root_of(generator).fields}
    types = {field.name: field.type for field in found.observer.schema().fields}
    if facts.records:
        assert promised(facts, OTHER_TYPE) == found.rescued
    for pointer, _, _ in promised(facts, NEW_FIELD):
        name = pointer.split("/")[1]
        assert name in types  # it has a column, or its struct has
    if lines > 300:
        assert {name: types[name] for name in clean if name not in ("user", "only", "größe", "metadata")} == {
            name: clean[name] for name in clean if name not in ("user", "only", "größe", "metadata")
        }


@settings(deadline=None, max_examples=16)
@given(
    shape=st.sampled_from(SHAPES),
    seed=st.integers(0, 10**6),
    size=st.integers(1, 600_000),
    bad=st.sampled_from(["0", "1/50", "1/3"]),
)
def test_a_size_is_exact_within_one_record(shape: str, seed: int, size: int, bad: str) -> None:
    generator = Generator(recipe(shape, seed, share(bad), share("1/30"), size_bytes=size))
    body, facts = made(generator, 3)
    assert facts.size_bytes == len(body)
    if facts.lines == 1:
        return  # one record is the least
    assert len(body) <= size
    # The next line would not have fitted.
    longer, _ = made(Generator(recipe(shape, seed, share(bad), share("1/30"), size_bytes=size + 20_000)), 3)
    next_line = longer[len(body) :].partition(b"\n")[0]
    assert longer.startswith(body)
    assert len(body) + len(next_line) + 1 > size


def test_a_generator_makes_a_file_again_and_no_two_files_alike() -> None:
    generator = Generator(recipe("events", lines=3_000))
    content = generator.content(7)
    assert b"".join(content) == b"".join(content) == made(generator, 7)[0]
    lines = [line for number in range(4) for line in made(generator, number)[0].splitlines()]
    assert len(set(lines)) == len(lines)
    assert made(Generator(recipe("events", seed=2, lines=3_000)), 7)[0] != b"".join(content)


@pytest.mark.parametrize(
    ("shape", "checksum"),
    [
        ("events", "e117650526bf7a8c"),
        ("flat", "b7eeef22025097b9"),
        ("wide", "4e5a3c8c97ea8395"),
        ("tweets", "57b77921976efe73"),
        ("schema", "7895b2383d878dcc"),
    ],
)
def test_the_bytes_of_a_seed_never_change(shape: str, checksum: str) -> None:
    """Whoever changes them makes another version of them (recipe.CONTENT_VERSION)."""
    facts = made(Generator(recipe(shape, 42, share("1/100"), share("1/100"), size_bytes=2_000_000)), 5)[1]
    assert facts.checksum.startswith(f"sha256:{checksum}")


def test_every_light_reason_comes_in_turn() -> None:
    _, facts = made(Generator(recipe("flat", bad=Amount(20), lines=500)))
    assert facts.bad_lines == dict.fromkeys(sorted(LIGHT_REASONS), 2)


def test_huge_lines_are_beyond_the_limits_of_size() -> None:
    generator = Generator(recipe("flat", bad=Amount(12), lines=500, huge_lines=2))
    _, facts = made(generator)
    assert facts.bad_lines == {
        **dict.fromkeys(LIGHT_REASONS, 1),
        BadLineReason.TOO_LONG: 1,
        BadLineReason.TOO_LARGE: 1,
    }
    assert 64 * 2**20 + 2 * TOO_MANY_VALUES < facts.size_bytes < 100 * 10**6
    # Where the longest line is shorter than a record of too many values, all of them are too long.
    _, facts = made(Generator(recipe("flat", bad=Amount(3), lines=500, huge_lines=3, max_line_bytes=1000)))
    assert facts.bad_lines == {BadLineReason.TOO_LONG: 3}


def test_every_kind_of_drift_comes_in_turn_and_a_schema_of_ones_own_keeps_its_names() -> None:
    generator = Generator(recipe("schema", drift=Amount(1_000), lines=10_000))
    body, facts = made(generator)
    counts = sorted(facts.drifted.values())
    assert sum(counts) == 1_000
    assert counts[-1] - counts[0] <= 1
    pointers = {place.pointer for place in facts.drifted}
    assert {"/added_text_2", "/größe/added_flag", "/a~1b~0c %d"} <= pointers
    assert b'"a/b~c %d":' in body


@pytest.mark.parametrize("shape", SHAPES)
def test_values_are_nested_skewed_and_rich_in_nulls(shape: str) -> None:
    records = [parse(line) for line in made(Generator(recipe(shape, lines=1_000)))[0].splitlines()]
    nulls = sum(value is None for record in records for value in record.values())
    assert nulls > len(records) / 20
    if shape == "events":
        ids = sorted(record["user"]["id"] for record in records)
        assert ids[len(ids) // 2] * 100 < ids[-1]
        assert len({record["event_type"] for record in records}) == 4
        assert {len(record["items"]) for record in records} == {0, 1, 2, 3}
    if shape == "wide":
        assert {len(record) for record in records} == {200}


@pytest.mark.parametrize(
    ("shape", "size", "bad"), [("events", 50_000, 10), ("flat", 20_000, 0), ("tweets", 60_000, 3), ("wide", 90_000, 5)]
)
def test_a_number_of_drifted_records_may_be_as_large_as_a_share(shape: str, size: int, bad: int) -> None:
    """A third of the good lines that every file surely has."""
    with pytest.raises(RecipeError, match="drifted records do not fit") as refused:
        Generator(recipe(shape, 1, Amount(bad), Amount(10_000), size_bytes=size))
    told = re.search(r"room for ([0-9,]+);", str(refused.value))
    assert told is not None
    room = int(told[1])
    generator = Generator(recipe(shape, 1, Amount(bad), Amount(room), size_bytes=size))
    found = [made(generator, number)[1] for number in range(30)]
    assert {facts.drifted_records for facts in found} == {room}
    least_good = min(facts.lines - facts.bad_line_count for facts in found)
    assert least_good * 0.6 <= 3 * room <= least_good, least_good


@given(st.lists(st.integers(1, 99), min_size=1, max_size=9), st.integers(0, 2_000), st.integers(0, 8))
def test_lines_in_turn_fit_wherever_they_begin(lengths: list[int], size: int, begin: int) -> None:
    lines = Rounds(lengths, 1.0).least_lines(size)
    first = begin % len(lengths)
    assert sum(islice(cycle(lengths), first, first + lines)) <= size


@pytest.mark.parametrize(
    ("shape", "size", "bad", "drift"),
    [
        ("events", 10_000, 10, 0),
        ("events", 1_000, 1, 0),
        ("flat", 60_000, 300, 2),
        ("tweets", 30_000, 2, 7),
        ("flat", 20_000, 10, 40),
        ("schema", 500, 3, 1),
    ],
)
def test_as_many_fit_as_the_refusal_says_and_not_one_more(shape: str, size: int, bad: int, drift: int) -> None:
    def refused(bad: int, drift: int) -> tuple[str, int] | None:
        try:
            generator = Generator(recipe(shape, 1, Amount(bad), Amount(drift), size_bytes=size))
        except RecipeError as error:
            told = re.search(r"[0-9,]+ (bad lines|drifted records) do not fit .* room for ([0-9,]+|none);", str(error))
            assert told is not None, str(error)
            return told[1], 0 if told[2] == "none" else int(told[2].replace(",", ""))
        for number in range(3):
            _, facts = made(generator, number)
            assert (facts.bad_line_count, facts.drifted_records) == (bad, drift)
        return None

    wrong = refused(bad, drift)
    assert wrong is not None
    what, room = wrong
    if what == "bad lines":
        assert room < bad
        assert refused(room, 0) is None
        assert refused(room + 1, 0) == (what, room)
    else:
        assert room < drift
        assert refused(bad, room) is None
        assert refused(bad, room + 1) == (what, room)


@pytest.mark.parametrize(
    ("what", "sentence"),
    [
        ({"shape": "round", "lines": 1}, "There is no shape 'round'"),
        ({"shape": "events"}, "a number of lines or a size"),
        ({"shape": "events", "lines": 0}, "at least one line"),
        ({"shape": "events", "lines": 10**9}, "at most 500,000,000 lines"),
        ({"shape": "events", "lines": 10, "bad": Amount(11)}, "there is room for 10"),
        ({"shape": "events", "lines": 30, "drift": Amount(11)}, "there is room for 10"),
        ({"shape": "events", "lines": 30, "drift": Amount(share=Fraction(1, 2))}, "33% at most"),
        ({"shape": "events", "size_bytes": 10_000, "bad": Amount(100)}, "there is room for 2; ask for fewer"),
        ({"shape": "events", "size_bytes": 100, "bad": Amount(1)}, "there is room for none; ask for none"),
        ({"shape": "events", "lines": 30, "huge_lines": 1}, "more huge lines than bad lines"),
        ({"shape": "schema", "lines": 1, "schema": {"fields": []}}, "has no field"),
        ({"shape": "schema", "lines": 1, "schema": {"fields": [{"name": "a"}]}}, "neither a kind nor"),
        ({"shape": "schema", "lines": 1, "schema": {"fields": [{"name": "\ud800", "type": "bool"}]}}, "no valid text"),
    ],
)
def test_what_cannot_be_made_is_said(what: dict[str, object], sentence: str) -> None:
    with pytest.raises(RecipeError, match=sentence):
        Generator(Recipe(**{"seed": 1, "date": "2026-11-23", **what}))  # type: ignore[arg-type]


@given(st.fractions(Fraction(1, 1000), 1, max_denominator=1000), st.integers(0, 2**64 - 1), st.booleans())
def test_places_are_spread_as_evenly_as_a_share_says(part: Fraction, entropy: int, keeps_first: bool) -> None:
    found = list(islice(spread(part, None, entropy, keeps_first), 200))
    assert found == sorted(set(found))
    for count, place in enumerate(found):
        assert abs(place * part - count) <= 1
    if keeps_first and part <= Fraction(1, 3):
        assert all(2 * (count + 1) <= place + 1 for count, place in enumerate(found))


@given(st.sets(st.integers(0, 60)), st.sets(st.integers(0, 60)))
def test_drifted_records_are_among_the_good_ones(bad: set[int], drifted: set[int]) -> None:
    found = list(special_lines(iter(sorted(bad)), iter(sorted(drifted))))
    lines = [line for line, _, _ in found]
    assert lines == sorted(set(lines))
    assert {line for line, kind, _ in found if kind == "bad"} == bad
    good = [line for line in range(200) if line not in bad]
    assert [line for line, kind, _ in found if kind == "drifted"] == [good[number] for number in sorted(drifted)]


def test_integers_are_those_of_splitmix64() -> None:
    # The first ones of the reference implementation with the seed 1234567.
    state, found = 1234567, []
    for _ in range(3):
        found.append(mixed(state))
        state += 0x9E3779B97F4A7C15
    assert found == [6457827717110365317, 3203168211198807973, 9817491932198370423]
    mix = Mix("a")
    assert {mix.log_uniform(5) for _ in range(500)} == set(range(5))
    assert {mix.below(3) for _ in range(100)} == {0, 1, 2}


def test_a_record_is_read_back_and_refused_where_it_is_none() -> None:
    facts = [made(Generator(recipe("flat", 1, share("1/9"), share("1/9"), lines=200)), number)[1] for number in (0, 1)]
    files = tuple(GeneratedFile(f"{number}.ndjson", each) for number, each in enumerate(facts))
    record = Generated({"seed": 1}, "0.1.0", "folder", files)
    assert Generated.from_json(record.to_json(), "x") == record
    sums = record.totals()
    assert (sums.number, sums.lines, sums.records) == (2, 400, 400 - sums.bad_line_count)
    assert total([]) == FileFacts(0, 0, 0, "")
    broken = json.loads(record.to_json())
    del broken["files"][0]["lines"]
    for body in (b"{", b"[]", json.dumps({**broken, "version": 2}).encode(), json.dumps(broken).encode()):
        with pytest.raises(FormatError, match=r"^x "):
            Generated.from_json(body, "x")


@pytest.mark.parametrize(
    ("text", "size"),
    [("3.5GB", 3_500_000_000), ("64MiB", 2**26), ("10 kb", 10_000), ("1000", 1000), ("0.5KiB", 512), ("7B", 7)],
)
def test_sizes_are_typed_in_decimal_and_binary_units(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize(
    ("parse", "text"),
    [
        *((parse_size, text) for text in ("", "GB", "0", "0.1", "-1MB", "1e3", "3,5GB", "1 XB", "٣GB", "9" * 99)),
        *((parse_amount, text) for text in ("", "%", "0.1", "-1", "101%", "1 %%", "x")),
        *((parse_rate, text) for text in ("", "0/s", "-1/s", "11/d", "1e9", "/s", "9999999/s")),
    ],
)
def test_what_is_no_amount_is_refused_with_a_sentence(parse: object, text: str) -> None:
    with pytest.raises(ValueError, match=r"no size|no amount|no rate|more than all"):
        parse(text)  # type: ignore[operator]


def test_shares_and_rates_as_they_are_typed() -> None:
    assert parse_amount("0.1%") == Amount(share=Fraction(1, 1000))
    assert parse_amount(" 25 ") == Amount(count=25)
    assert not parse_amount("0%")
    assert parse_rate("11/s") == 11.0
    assert parse_rate("7000/h") == pytest.approx(7000 / 3600)
    assert parse_rate("90 / min") == 1.5


def test_the_helpers_of_these_tests_do_find_what_is_wrong() -> None:
    generator = Generator(recipe("flat", lines=50))
    body, _ = made(generator)
    worse = body.replace(b'"quantity":', b'"quantities":', 1) + b"{\n"
    found = seen(worse, root_of(generator))
    assert found.bad == {"not JSON": 1}
    assert found.rescued == {("/quantities", "", "integer"): 1}
    with pytest.raises(BadLine):
        parse(b"{")
    assert places(Conformer(root_of(generator)).drift.counts.items()) == {}
