"""An Airflow connection is read as it was meant, or refused with what to do; its secrets are not repeated."""

from __future__ import annotations

import json

import pytest
from airflow.sdk import Connection

from reclustering.connections import read_choice, read_connection, read_extras, read_switch
from reclustering.core.errors import TerminalError

SECRET = "canary"


def read(monkeypatch, value: str | None) -> Connection:
    if value is None:
        monkeypatch.delenv("AIRFLOW_CONN_SHOP", raising=False)
    else:
        monkeypatch.setenv("AIRFLOW_CONN_SHOP", value)
    return read_connection("shop", types=["mssql"], example="mssql://…")


@pytest.mark.parametrize(
    "value",
    [
        f"mssql://etl:{SECRET}/x@db.example:1433/shop",
        f"mssql://etl:{SECRET}#x@db.example:1433/shop",
        f"mssql://etl:{SECRET}?x@db.example:1433/shop",
        f"mssql://etl:{SECRET}[x@db.example:1433/shop",
        f"mssql://etl:12/{SECRET}@db.example:1433/shop",
        f"mssql://etl:12#{SECRET}@db.example:1433/shop",
        f"mssql://etl:/{SECRET}@db.example/shop",
        f"mssql://etl:{SECRET}@ss/word@db.example:1433/shop",
        f"mssql://etl:{SECRET}@s:1/word@db.example:1433/shop",
        f"mssql://etl:12?{SECRET}=x@db.example/shop?a=b",
        f"mssql://etl:#{SECRET}@db.example/shop",
        f"mssql://etl:{SECRET}@db.example:99999/shop",
        f"mssql://etl:{SECRET}@db.example:http/shop",
        f"mssql://etl:{SECRET}@db.example/shop#1",
        f"mssql://etl:a://{SECRET}://@db.example/shop",
        f'{{"conn_type": "mssql", "password": "{SECRET}", "host": "db',
        f'{{"conn_type": "mssql", "password": "{SECRET}", "hst": "db"}}',
        f'{{"conn_type": "mssql", "password": "{SECRET}", "port": "http"}}',
        f'["mssql", "{SECRET}"]',
        SECRET,
    ],
)
def test_a_connection_that_is_set_and_cannot_be_read_is_not_called_missing(value, monkeypatch):
    with pytest.raises(TerminalError) as refused:
        read(monkeypatch, value)
    message = str(refused.value)
    assert "The Airflow connection 'shop' is set, by AIRFLOW_CONN_SHOP, but cannot be" in message
    assert "percent-encoded (/ is %2F" in message
    assert SECRET not in message


@pytest.mark.parametrize(
    "password", ["/", "#", "?", "[", "]", "@", ":", "%", " ", "ü", "a/b#c?d[e]@f"]
)
def test_every_password_can_be_written(password, monkeypatch):
    from urllib.parse import quote

    uri = f"mssql://etl:{quote(password, safe='')}@db.example:1433/shop?x=a%40b"
    assert read(monkeypatch, uri).password == password
    as_json = {"conn_type": "mssql", "host": "db", "password": password}
    assert read(monkeypatch, json.dumps(as_json)).password == password


def test_an_at_sign_in_an_extra_is_no_cut_password(monkeypatch):
    assert read(monkeypatch, "mssql://db.example/shop?from=store@example.com").schema == "shop"


@pytest.mark.parametrize("port", [0, 65536, 99999, -1])
def test_a_port_that_cannot_be_is_refused(port, monkeypatch):
    value = json.dumps({"conn_type": "mssql", "host": "db", "port": port})
    if port == 0:  # Airflow takes it for none.
        assert not read(monkeypatch, value).port
        return
    with pytest.raises(TerminalError, match=f"'shop' has the port {port}; expected 1 to 65535"):
        read(monkeypatch, value)


def test_a_missing_connection_is_named(monkeypatch):
    with pytest.raises(
        TerminalError, match=r"no Airflow connection 'shop'\. Create it under Admin"
    ):
        read(monkeypatch, None)


def test_another_type_is_refused(monkeypatch):
    with pytest.raises(TerminalError, match="'shop' is of type 'postgres'; expected mssql"):
        read(monkeypatch, "postgres://db.example/shop")


def extras(extra: str | None) -> dict:
    return read_extras(Connection(conn_id="shop", extra=extra), ["encrypt", "timeout"])


def test_an_unknown_extra_is_named_beside_an_address(monkeypatch):
    connection = read(monkeypatch, "mssql://db.example/shop?from=store@example.com&encript=yes")
    with pytest.raises(TerminalError, match=r"'encript' \(did you mean encrypt\?\)"):
        read_extras(connection, ["encrypt", "from"])


def test_extras_that_are_left_empty_are_not_set():
    assert extras('{"encrypt": "", "timeout": null}') == extras("") == extras(None) == {}
    assert extras('{"timeout": 0}') == {"timeout": 0}


@pytest.mark.parametrize("wrong", ["[1]", '"encrypt"', "encrypt=yes", "3", "{"])
def test_extras_that_are_no_object_are_refused(wrong):
    with pytest.raises(TerminalError, match="'shop' has extras that are no JSON object"):
        extras(wrong)


def test_an_unknown_extra_is_refused_with_the_nearest_name():
    with pytest.raises(
        TerminalError, match=r"'encript' \(did you mean encrypt\?\), 'zzz', which are not known"
    ):
        extras('{"encript": "yes", "zzz": 1, "timeout": 3}')


@pytest.mark.parametrize("cut", [f"12?{SECRET}", f"12?{SECRET}=x", f"?{SECRET}=", f"p@s?{SECRET}="])
def test_a_part_of_a_password_is_not_named_as_an_extra(cut, monkeypatch):
    connection = read(monkeypatch, f"mssql://etl:{cut}@db.example/shop")
    with pytest.raises(TerminalError, match="cannot be read") as refused:
        read_extras(connection, ["encrypt"])
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize("value", [True, "true", "True", "YES", " yes ", "1", 1])
def test_yes_in_every_form(value):
    assert read_switch(value, extra="x") is True


@pytest.mark.parametrize("value", [False, "false", "FALSE", "no", "No", "0", 0])
def test_no_in_every_form(value):
    assert read_switch(value, extra="x") is False


@pytest.mark.parametrize("value", ["ja", "maybe", "on", "2", 2, "", None, [], 0.5])
def test_what_is_neither_is_refused_by_name(value):
    with pytest.raises(TerminalError, match=r"'shop' has encrypt = '.*'; expected true or false"):
        read_switch(value, extra="The connection 'shop' has encrypt")


def test_a_choice_is_read_in_any_case():
    assert read_choice(" msi", ["Default", "MSI"], extra="x") == "MSI"
    with pytest.raises(TerminalError, match="x = 'Nonsense'; expected Default or MSI"):
        read_choice("Nonsense", ["Default", "MSI"], extra="x")
