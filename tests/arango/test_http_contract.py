"""What the HTTP API answers, on the test server and on a real one (see `conftest`)."""

from __future__ import annotations

import re
from typing import Any

import jwt
import pytest
import requests
from arango.collection import StandardCollection
from arango.database import StandardDatabase
from arango.exceptions import (
    ArangoServerError,
    CollectionCreateError,
    DatabaseCreateError,
    DocumentInsertError,
    DocumentRevisionError,
    JWTAuthError,
    ServerConnectionError,
)
from arango.request import Request as ClientRequest

from tests.arango.client import Place, connect


class TestHttpContract:
    """What the HTTP API answers, on this server and on a real one."""

    def test_both_ways_to_log_in_work(self, place: Place) -> None:
        for method in ("basic", "jwt"):
            database = connect(
                place.url, "_system", place.user, place.password, auth_method=method, verify=True
            )
            assert "_system" in (database.databases() or [])

    def test_wrong_passwords_are_refused(self, place: Place) -> None:
        with pytest.raises(ServerConnectionError) as caught:
            connect(place.url, "_system", place.user, "wrong", verify=True)
        assert (caught.value.http_code, caught.value.error_code) == (401, 11)
        with pytest.raises(JWTAuthError) as refused_login:
            connect(place.url, "_system", place.user, "wrong", auth_method="jwt")
        assert refused_login.value.http_code == 401

    def test_a_token_tells_when_it_ends(self, place: Place) -> None:
        login = {"username": place.user, "password": place.password}
        token = requests.post(f"{place.url}/_open/auth", json=login, timeout=5).json()["jwt"]
        claims = jwt.decode(token, options={"verify_signature": False})
        assert claims["iss"] == "arangodb"
        assert claims["preferred_username"] == place.user
        assert claims["exp"] > claims["iat"]

    def test_databases_are_listed_made_and_missed(self, db: StandardDatabase, place: Place) -> None:
        assert db.name in (db.databases_accessible_to_user() or [])
        assert db.properties()["name"] == db.name
        assert db.version()
        with pytest.raises(ServerConnectionError) as caught:
            connect(place.url, "absent", place.user, place.password, verify=True)
        assert (caught.value.http_code, caught.value.error_code) == (404, 1228)
        with pytest.raises(DatabaseCreateError) as twice:
            connect(place.url, "_system", place.user, place.password).create_database(db.name)
        assert (twice.value.http_code, twice.value.error_code) == (409, 1207)

    def test_collections_are_made_listed_emptied_and_dropped(self, db: StandardDatabase) -> None:
        db.create_collection("plain")
        db.create_collection("edges", edge=True)
        found = {held["name"]: held["type"] for held in db.collections() or [] if not held["system"]}
        assert found == {"plain": "document", "edges": "edge"}
        with pytest.raises(CollectionCreateError) as caught:
            db.create_collection("plain")
        assert (caught.value.http_code, caught.value.error_code) == (409, 1207)
        plain = db.collection("plain")
        plain.insert({})
        assert plain.properties()["name"] == "plain"
        assert plain.count() == 1
        plain.truncate()
        assert plain.count() == 0
        assert db.delete_collection("plain")
        assert not db.delete_collection("plain", ignore_missing=True)
        with pytest.raises(ArangoServerError) as missing:
            plain.count()
        assert (missing.value.http_code, missing.value.error_code) == (404, 1203)

    def test_the_revision_moves_with_every_write_and_only_then(self, things: StandardCollection) -> None:
        assert things.revision() == "54"
        seen = [things.revision()]
        for write in (
            lambda: things.insert({"_key": "k", "a": 1}),
            lambda: things.insert({"_key": "l"}),
            lambda: things.update({"_key": "k", "a": 1}),
            lambda: things.replace({"_key": "k", "a": 1}),
            lambda: things.delete("k"),
            things.truncate,
        ):
            write()
            revision = things.revision()
            assert isinstance(revision, str)
            assert revision.isdigit()
            seen.append(revision)
        assert len(set(seen)) == len(seen)
        assert things.revision() == seen[-1]

    def test_one_document_lives_through_its_calls(self, things: StandardCollection) -> None:
        inserted = things.insert({"_key": "k", "a": {"x": 1}, "b": [1]}, return_new=True)
        assert isinstance(inserted, dict)
        assert inserted["new"]["_id"] == "things/k"
        updated = things.update({"_key": "k", "a": {"y": None}, "b": [2]}, return_old=True)
        assert isinstance(updated, dict)
        assert updated["_old_rev"] == inserted["_rev"]
        assert updated["old"]["b"] == [1]
        document = things.get("k")
        assert isinstance(document, dict)
        assert (document["a"], document["b"]) == ({"x": 1, "y": None}, [2])
        things.update({"_key": "k", "a": {"x": None}}, keep_none=False)
        things.update({"_key": "k", "c": {"p": 1}})
        things.update({"_key": "k", "c": {"q": 1}}, merge=False)
        document = things.get("k")
        assert isinstance(document, dict)
        assert (document["a"], document["c"]) == ({"y": None}, {"q": 1})
        things.replace({"_key": "k", "z": 1})
        assert things.get("k").keys() == {"_key", "_id", "_rev", "z"}
        assert things.has("k")
        assert things.delete("k")
        assert things.get("k") is None
        assert not things.has("k")
        assert things.delete("k", ignore_missing=True) is False

    def test_a_stale_revision_is_refused(self, things: StandardCollection) -> None:
        old = things.insert({"_key": "k"})
        things.update({"_key": "k", "a": 1})
        for call in (
            lambda: things.get(old),
            lambda: things.update({"_key": "k", "_rev": old["_rev"], "a": 2}),
            lambda: things.replace({"_key": "k", "_rev": old["_rev"], "a": 2}),
            lambda: things.delete(old),
        ):
            with pytest.raises(DocumentRevisionError) as caught:
                call()
            assert (caught.value.http_code, caught.value.error_code) == (412, 1200)
        things.update({"_key": "k", "_rev": old["_rev"], "a": 2}, check_rev=False)

    def test_a_taken_key_is_refused_replaced_merged_or_left(self, things: StandardCollection) -> None:
        first = things.insert({"_key": "k", "a": 1})
        with pytest.raises(DocumentInsertError) as caught:
            things.insert({"_key": "k"})
        assert (caught.value.http_code, caught.value.error_code) == (409, 1210)
        ignored = things.insert({"_key": "k", "a": 5}, overwrite_mode="ignore")
        assert ignored["_rev"] == first["_rev"]
        things.insert({"_key": "k", "b": 2}, overwrite_mode="update")
        assert things.get("k")["a"] == 1
        things.insert({"_key": "k", "c": 3}, overwrite_mode="replace")
        assert "a" not in things.get("k")

    @pytest.mark.parametrize("key", ["", "a b", "a/b", "ö", "x" * 255, 7])
    def test_an_illegal_key_is_refused(self, things: StandardCollection, key: Any) -> None:
        with pytest.raises(DocumentInsertError) as caught:
            things.insert({"_key": key})
        assert (caught.value.http_code, caught.value.error_code) == (400, 1221)

    def test_many_documents_come_and_go_together(self, things: StandardCollection) -> None:
        results = things.insert_many([{"_key": "a"}, {"_key": "b"}, {"_key": "a"}])
        assert isinstance(results, list)
        assert [type(result) is dict for result in results] == [True, True, False]
        assert results[2].error_code == 1210
        found = things.get_many(["b", "absent", "things/a"])
        assert [document["_key"] for document in found] == ["b", "a"]
        results = things.update_many([{"_key": "a", "n": 1}, {"_key": "absent"}])
        assert results[0]["_old_rev"] != results[0]["_rev"]
        assert results[1].error_code == 1202
        results = things.replace_many([{"_key": "a", "m": 1}])
        assert results[0]["_key"] == "a"
        results = things.delete_many(["a", {"_key": "b"}, "absent"])
        assert [type(result) is dict for result in results] == [True, True, False]
        assert things.count() == 0

    def test_an_import_counts_and_is_all_or_nothing(
        self, db: StandardDatabase, things: StandardCollection
    ) -> None:
        result = things.import_bulk([{"_key": "a"}, {"n": 1}])
        assert {name: result[name] for name in ("created", "errors", "updated", "ignored")} == {
            "created": 2,
            "errors": 0,
            "updated": 0,
            "ignored": 0,
        }
        with pytest.raises(DocumentInsertError) as caught:
            things.import_bulk([{"_key": "b"}, {"_key": "a"}])
        assert (caught.value.http_code, caught.value.error_code) == (409, 1210)
        assert not things.has("b")
        result = things.import_bulk([{"_key": "b"}, {"_key": "a"}], halt_on_error=False)
        assert (result["created"], result["errors"], len(result["details"])) == (1, 1, 1)
        result = things.import_bulk([{"_key": "a", "x": 1}], on_duplicate="update")
        assert result["updated"] == 1
        result = things.import_bulk([{"_key": "a", "x": 2}], on_duplicate="ignore")
        assert result["ignored"] == 1
        assert things.get("a")["x"] == 1
        edges = db.create_collection("edges", edge=True)
        edges.import_bulk([{"_key": "e", "_from": "a", "_to": "b"}], from_prefix="things", to_prefix="things")
        assert edges.get("e")["_from"] == "things/a"
        with pytest.raises(DocumentInsertError) as bad_edge:
            edges.insert({"_from": "nowhere"})
        assert bad_edge.value.error_code == 1233

    def test_indexes_are_made_once_listed_and_dropped(self, things: StandardCollection) -> None:
        made = things.add_index({"type": "persistent", "fields": ["updatedAt", "_key"]})
        again = things.add_index({"type": "persistent", "fields": ["updatedAt", "_key"]})
        assert made["id"] == again["id"]
        assert [index["type"] for index in things.indexes() or []] == ["primary", "persistent"]
        assert things.delete_index(made["id"])
        assert len(things.indexes() or []) == 1

    def test_numbers_are_spelled_as_arangodb_spells_them(
        self, place: Place, things: StandardCollection
    ) -> None:
        things.insert({"_key": "k", "a": 360000.0, "b": 1e8, "c": 1.2e8, "d": 29.33, "e": -0.5, "f": 2**53})
        body = requests.get(
            f"{place.url}/_db/{things.db_name}/_api/document/things/k",
            auth=(place.user, place.password),
            timeout=5,
        ).text
        for spelled in ("360000", "1e+8", "120000000", "29.33", "-0.5", "9007199254740992"):
            assert re.search(rf":{re.escape(spelled)}[,}}]", body), spelled

    def test_unknown_paths_and_methods_are_errors(self, place: Place) -> None:
        database = connect(place.url, "_system", place.user, place.password)
        response = database._execute(ClientRequest("get", "/_api/no/such/thing"), lambda response: response)
        assert (response.status_code, response.error_code) == (404, 404)
