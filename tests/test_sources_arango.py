"""Reading ArangoDB: cursors and their pages, and documents that come through to the byte.

What every source does alike is tested in `test_sources_contract`, a server's faults in `test_sources_arango_faults`,
the way to a server in `test_sources_arango_connection`.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from decimal import Decimal

import pytest

from cdp_assets.sources import arango
from cdp_assets.sources.model import CONVERSION, PROFILE, SEGMENT, CursorLost, SourceRejected
from tests.arango_support import KEYS, Leo, seven_profiles
from tests.conftest import CDNOW
from tests.dump_support import ODD, line
from tests.source_support import keys_of


@pytest.fixture
def leo() -> Iterator[Leo]:
    with seven_profiles() as made:
        yield made


class TestCursors:
    @pytest.mark.parametrize("method", ["scan", "keys"])
    def test_a_lost_cursor_is_reported_as_such(self, leo: Leo, method: str) -> None:
        pages = getattr(leo.source(), method)(PROFILE)
        read = [next(pages), next(pages)]
        leo.server.lose_cursors()
        with pytest.raises(CursorLost, match="read again from the beginning"):
            next(pages)
        assert [len(page) for page in read] == [2, 2]
        assert len(leo.sent("/_api/cursor/", "POST")) == 2

    @pytest.mark.parametrize("number", [21, 1500])
    def test_a_query_that_the_server_ended_is_a_lost_cursor(self, leo: Leo, number: int) -> None:
        leo.server.faults.status(410, number, path="/_api/cursor", after=1)
        with pytest.raises(CursorLost, match="ended the query"):
            list(leo.source().scan(PROFILE))

    def test_an_empty_last_page_is_no_page(self, leo: Leo) -> None:
        leo.server.cursors.empty_last_batches = 2
        assert [len(page) for page in leo.source().scan(PROFILE)] == [2, 2, 2, 1]
        assert [len(page) for page in leo.source(page_size=7).scan(PROFILE)] == [7]

    def test_every_cursor_is_closed_however_its_reading_ends(self, leo: Leo) -> None:
        source = leo.source()
        list(source.scan(PROFILE))
        given_up = source.scan(PROFILE)
        next(given_up)
        assert len(leo.server.cursors) == 1
        given_up.close()  # type: ignore[attr-defined]
        leo.server.faults.status(403, 11, path="/_api/cursor", after=2)
        with pytest.raises(SourceRejected):
            list(source.scan(PROFILE))
        assert len(leo.server.cursors) == 0

    def test_a_cursor_that_cannot_be_closed_spoils_nothing(
        self, leo: Leo, caplog: pytest.LogCaptureFixture
    ) -> None:
        leo.server.faults.status(500, 4, method="DELETE")
        with caplog.at_level(logging.WARNING):
            assert sorted(keys_of(leo.source().scan(PROFILE))) == KEYS
        assert "a cursor stays open for up to 600 s" in caplog.text
        assert len(leo.server.requests_to("/_api/cursor", "DELETE")) == 1

    def test_scans_stream_are_numbered_and_spare_the_servers_cache(self, leo: Leo) -> None:
        source = leo.source()
        list(source.scan(PROFILE))
        list(source.fetch(PROFILE, ["p1"]))
        scan, fetch = (request.body for request in leo.server.requests_to("/_api/cursor") if request.body)
        assert scan["options"] == {"stream": True, "allowRetry": True, "fillBlockCache": False}
        assert fetch["options"] == {"stream": True, "allowRetry": True, "fillBlockCache": True}
        assert (scan["batchSize"], scan["ttl"], "memoryLimit" in scan) == (2, 600, False)
        assert [path.rsplit("/", 1)[1] for path in leo.sent("/_api/cursor/", "POST")] == ["2", "3", "4"]

    def test_nothing_is_sent_before_the_first_read(self, leo: Leo) -> None:
        leo.source(auth_method="jwt").scan(PROFILE)
        assert leo.server.requests == []

    def test_the_revision_is_read_before_the_count(self, leo: Leo) -> None:
        leo.source().signature(PROFILE)
        assert [path.rsplit("/", 1)[1] for path in leo.sent()] == ["revision", "count"]


class TestDocuments:
    def test_a_page_with_odd_documents_comes_through_to_the_byte(self, leo: Leo) -> None:
        leo.server.database("leo_cdp").drop_collection(PROFILE)
        collection = leo.server.database("leo_cdp").create_collection(PROFILE)
        plain = [line(PROFILE, f"p{n}", name="Trần Thị Ánh") for n in range(3)]
        for n, document in enumerate([plain[0], *ODD, *plain[1:]]):
            collection.insert_raw(f"k{n}", document)
        read = list(leo.source(page_size=100).scan(PROFILE))
        assert read == [[plain[0], *ODD, *plain[1:]]]

    def test_large_documents_come_in_pages_bounded_by_bytes(
        self, leo: Leo, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(arango, "PAGE_BYTES", 100_000)
        leo.server.database("leo_cdp").drop_collection(SEGMENT)
        collection = leo.server.database("leo_cdp").create_collection(SEGMENT)
        for n in range(60):
            collection.insert_raw(f"s{n}", line(SEGMENT, f"s{n}", ext="x" * 10_000))
        source = leo.source(page_size=1000)
        pages = list(source.scan(SEGMENT))
        assert sum(map(len, pages)) == 60
        assert max(sum(map(len, page)) for page in pages) <= 100_000
        small = list(source.scan(PROFILE))
        assert len(small) == 1, "small documents come as before"

    def test_the_cdnow_sample_is_complete(self, leo: Leo) -> None:
        leo.server.load_dump(leo.server.create_database("leo_cdnow"), CDNOW)
        source = leo.source(database="leo_cdnow", page_size=2000, key_page_size=20_000)
        assert sum(map(len, source.keys(PROFILE))) == source.signature(PROFILE).count == 2357
        assert sum(map(len, source.scan(CONVERSION))) == 6919
        (total,) = source.totals()
        assert (total.currency, total.documents) == ("USD", 6919)
        assert round(total.amount, 2) == Decimal("244091.94")
        read = [document for page in source.scan(PROFILE) for document in page]
        assert len(read) == 2357
