"""openwmi record: what a host returned, as MOF that serves again."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.conftest import Main
from tests.remote.server.serving import NAMESPACE, PASSWORD

from openwmi import host as hosts
from openwmi import mof


def played(text: str) -> hosts.Host:
    """A mock host made of a cassette, as `openwmi serve --mof` makes it."""
    made = hosts.local(hosts.MEMORY, mock=True)

    async def fill() -> None:
        await mof.compile(text, await made.services(hosts.DEFAULT_NAMESPACE), open=made.services)

    made.portal.run(fill)
    return made


def test_a_cassette_plays_what_was_recorded(main: Main, host: str, tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.write_text(PASSWORD + "\n", encoding="utf-8")
    file = tmp_path / "cassette.mof"
    where = ("-H", host, "-n", NAMESPACE, "--user", "ada", "--password-file", str(password))
    code, out, err = main(
        "record", "SELECT * FROM Item", "SELECT * FROM Special", "--into", str(file),
        "--omit", "Wide", *where,
    )  # fmt: skip
    assert (code, out) == (0, "")
    text = file.read_text(encoding="utf-8")
    assert PASSWORD not in text
    assert "ada" not in text
    assert "schön" not in text
    dynamic = main("record", "SELECT * FROM Row WHERE N < 3", *where).out
    assert dynamic.count("instance of Row") == 3
    assert "dynamic" not in dynamic
    live = json.loads(main("query", "SELECT * FROM Item WHERE Id = 1", "-o", "json", *where).out)
    made = played(text)
    try:
        shot = made.one_shot(NAMESPACE)
        (item,) = [one for batch in shot.query("SELECT * FROM Item WHERE Id = 1") for one in batch]
        assert item.Wide is None
        assert (item.U64, item.Inner.Size, item.Texts) == (18446744073709551000, 7, live[0]["Texts"])
        assert shot.get("Special").superclass == "Item"  # type: ignore[union-attr]
    finally:
        hosts.end(made)


def test_to_standard_output_and_without_keys(main: Main, host: str, tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.write_text(PASSWORD + "\n", encoding="utf-8")
    where = ("-H", host, "-n", NAMESPACE, "--user", "ada", "--password-file", str(password))
    code, out, err = main("record", "SELECT Text FROM Item", "-v", *where)
    assert code == 0
    assert out.startswith("// What 127.0.0.1[")
    assert "instance of Item" not in out
    assert "2 objects have no path" in err
    missing = str(tmp_path / "no" / "such" / "folder")
    assert main("record", "SELECT * FROM Item", "--into", missing, *where).code == 2
