"""Who may come in: names, pages, tokens and certificates, without a server."""

from __future__ import annotations

import ssl
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.errors import ConfigError
from stream.server.access import Access, bearer_token, tls_context
from stream.server.certificate import validity_period, validity_warning
from stream.server.host_names import first_label, frame_ancestor, is_loopback, name_of, origin, own_names
from stream.server.settings import ServerSettings
from stream.settings import check
from stream.settings.reading import read
from tests.support.certificates import Certificate, make

ACCESS = Access(
    names=own_names("Stage.example.org") | {"desk"},
    machine=first_label("Stage.example.org"),
    origins=frozenset({"https://desk.example.org:443"}),
)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1:8765",
        "127.0.0.1",
        "203.0.113.7:80",
        "[::1]:8765",
        "[2001:DB8::7]",
        "localhost",
        "LOCALHOST:1",
        "localhost.",
        "page.localhost:8765",
        "stage:8765",
        "Stage.LOCAL:8765",
        "stage.local.",
        "stage.example.org",
        "desk:1",
        "stage.fritz.box:8765",
        "stage.lan",
        "STAGE.Home.Arpa.",
        "stage.speedport.ip:80",
        "stage.corp.example.net",
    ],
)
def test_server_is_known_by_these_names(host: str) -> None:
    """Every address, localhost, the machine's name, alone and in any domain, and names that were set are known."""
    assert ACCESS.allows_host(host)


@pytest.mark.parametrize(
    "host",
    [
        "",
        "evil.example",
        "stage2.evil.example:8765",
        "xstage.evil.example",
        "www.stage.evil.example",
        "evil.stage",
        "stage..example",
        "desk.evil.example",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "notlocalhost",
        "example.org",
        "127.1",
        "0x7f000001",
        "2130706433",
        "[::1",
        "::1",
        "[::1%25lo]",
        "[127.0.0.1]:x",
        "localhost:",
        "localhost:0",
        "localhost:65536",
        "localhost:8765:1",
        "localhost, evil.example",
        "localhost evil",
        "user@localhost",
        "localhost/",
        "http://localhost",
        "löcalhost",
        ".",
        "..",
        "localhost\n",
    ],
)
def test_server_is_not_known_by_others(host: str) -> None:
    """Names that somebody else can let lead here, and what is no name at all, are not ours."""
    assert not ACCESS.allows_host(host)


@pytest.mark.parametrize(
    ("page", "host"),
    [
        ("http://127.0.0.1:8765", "127.0.0.1:8765"),
        ("http://stage.local:8765", "STAGE.local:8765"),
        ("HTTP://Stage.Local:8765", "stage.local.:8765"),
        ("http://stage.local", "stage.local"),
        ("http://stage.local", "stage.local:80"),
        ("http://stage.local:80", "stage.local"),
        ("https://stage.local", "stage.local"),  # a proxy in front has TLS
        ("https://stage.local", "stage.local:443"),
        ("http://[::1]:8765", "[0:0:0:0:0:0:0:1]:8765"),
        ("https://desk.example.org", "stage.local:8765"),
        ("https://DESK.example.org:443", "127.0.0.1"),
    ],
)
def test_pages_of_the_server_are_welcome(page: str, host: str) -> None:
    """A page may connect to where it came from, and those that were set to anywhere."""
    assert ACCESS.allows_origin(page, host)


@pytest.mark.parametrize(
    ("page", "host"),
    [
        ("null", "127.0.0.1:8765"),
        ("", "127.0.0.1:8765"),
        ("http://evil.example", "127.0.0.1:8765"),
        ("http://127.0.0.1:8766", "127.0.0.1:8765"),
        ("http://127.0.0.1", "127.0.0.1:8765"),
        ("http://localhost:8765", "127.0.0.1:8765"),
        ("http://127.0.0.1:8765.evil.example", "127.0.0.1:8765"),
        ("http://127.0.0.1:8765@evil.example", "127.0.0.1:8765"),
        ("http://127.0.0.1:8765/", "127.0.0.1:8765"),
        ("file://", "127.0.0.1:8765"),
        ("file://127.0.0.1:8765", "127.0.0.1:8765"),
        ("chrome-extension://127.0.0.1:8765", "127.0.0.1:8765"),
        ("ws://127.0.0.1:8765", "127.0.0.1:8765"),
        ("127.0.0.1:8765", "127.0.0.1:8765"),
        ("http://desk.example.org", "127.0.0.1:8765"),
        ("https://desk.example.org:8443", "127.0.0.1:8765"),
        ("https://stage.local", "stage.local:80"),
        ("http://stage.local", "stage.local:443"),
    ],
)
def test_other_pages_are_not_welcome(page: str, host: str) -> None:
    """Another host, port or scheme, a page without an origin, and what is no origin may not connect."""
    assert not ACCESS.allows_origin(page, host)


def test_page_without_tls_is_not_welcome_where_there_is_tls() -> None:
    """A server with TLS takes its own pages by https only."""
    access = Access(tls=ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))
    assert access.allows_origin("https://stage.local:8765", "stage.local:8765")
    assert not access.allows_origin("http://stage.local:8765", "stage.local:8765")


@pytest.mark.slow
@given(st.text() | st.from_regex(r"[a-z]*://[a-z.\[\]:0-9@/]*"), st.text() | st.from_regex(r"[a-zA-Z.\[\]:0-9]*"))
def test_whatever_is_said_is_judged(page: str, host: str) -> None:
    """No Host and no Origin raises anything, and what passes for the page's own host names that very host."""
    ACCESS.allows_host(host)
    if ACCESS.allows_origin(page, host):
        assert origin(page) in ACCESS.origins or f"//{name_of(host)}" in str(origin(page))


@given(st.text())
def test_whatever_is_given_is_no_token(given_: str) -> None:
    """No text but the token is taken for it, and nothing where there is none."""
    access = Access(token="söcret \N{KEY}")
    for field in (given_, f"Bearer {given_}"):
        told = bearer_token(field)
        assert told is None or not access.is_token(told)
    try:
        given_.encode()
    except UnicodeEncodeError:
        return  # the protocol lets no such text through
    assert access.is_token(given_.encode()) == (given_ == access.token)
    assert not Access().is_token(given_.encode())


def test_bearer_may_be_written_in_any_case() -> None:
    """The scheme is read without regard to case; the token is taken as the bytes of its UTF-8."""
    access = Access(token="söcret")
    for scheme in ("Bearer", "bearer", "BEARER"):
        told = bearer_token(f"{scheme}   " + "söcret".encode().decode("latin-1"))
        assert told is not None
        assert access.is_token(told)
    assert bearer_token("Basic c8O2Y3JldA==") is None
    assert not Access().is_token(b"")


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("localhost", True),
        ("LocalHost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.168.1.5", False),
        ("stage.local", False),
        ("localhost.example.org", False),
    ],
)
def test_loopback_is_told_from_others(host: str, loopback: bool) -> None:
    """Addresses that only this machine reaches need no token; a name that may lead anywhere does."""
    assert is_loopback(host) == loopback


@pytest.mark.parametrize("machine", ["", ".", "stage", "Stage.", "stage.example.org"])
def test_machine_is_known_by_its_name(machine: str) -> None:
    """The host name, its first part, and that with .local are ours; a machine without a name has none."""
    expected = {"stage", "stage.local"} if "tage" in machine else set()
    assert own_names(machine) >= expected
    assert "" not in own_names(machine)
    assert ".local" not in own_names(machine)


@pytest.mark.parametrize("machine", ["", ".", "localhost", "localhost.localdomain", "127", "10.example.org"])
def test_name_that_any_machine_may_have_is_not_its_own_everywhere(machine: str) -> None:
    """What is called localhost or by a number is not known in any domain."""
    access = Access(names=own_names(machine), machine=first_label(machine))
    for host in ("localhost.evil.example", "127.evil.example", "127.0.0.1.evil.example", "10.evil.example", ".evil"):
        assert not access.allows_host(host)


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("self", "'self'"),
        ("'self'", "'self'"),
        ("https://Home.example.org", "https://home.example.org:443"),
        ("http://homeassistant.local:8123", "http://homeassistant.local:8123"),
        ("http://192.168.1.7:8123", "http://192.168.1.7:8123"),
        ("*", None),
        ("https:", None),
        ("https://*.example.org", None),
        ("http://[::1]:8123", None),
        ("home.example.org", None),
        ("data://home", None),
        ("http://home/path", None),
        ("http://home; script-src *", None),
        ("http://home\r\nX: y", None),
        ("http://home http://other", None),
        ("'none'", None),
        ("'unsafe-inline'", None),
        ("null", None),
        ("", None),
    ],
)
def test_frames_are_named_as_a_policy_does(text: str, written: str | None) -> None:
    """Who may show a page in a frame is the page itself or an origin, and nothing that would end the directive."""
    assert frame_ancestor(text) == written
    if written is None:
        with pytest.raises(ConfigError, match=r"^frame_ancestors is .*; expected ") as error:
            ServerSettings(frame_ancestors=(text,))
        assert "\n" not in str(error.value)
    else:
        assert Access.of(ServerSettings(frame_ancestors=(text,))).frame_ancestors == (written,)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "stage.local"])
def test_others_need_a_token_or_leave(tmp_path: Path, host: str) -> None:
    """Where others can reach it, the server starts with a token, from wherever, or when it is said to be open."""
    with pytest.raises(ConfigError, match=rf'^host is "{host}".*token_file.*--open') as error:
        Access.of(ServerSettings(host=host))
    assert "\n" not in str(error.value)
    file = tmp_path / "token"
    file.write_text(" söcret\n")
    assert Access.of(ServerSettings(host=host, token_file=str(file))).token == "söcret"
    assert Access.of(ServerSettings(host=host, token="söcret")).token == "söcret"
    assert Access.of(ServerSettings(host=host, open=True)).token is None
    assert Access.of(ServerSettings()).token is None


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "No such file or directory"),
        (b"", "expected one line of 1 to 1000 characters"),
        (b"\n \n", "expected one line of 1 to 1000 characters"),
        (b"one\ntwo-1234567", "expected one line of 1 to 1000 characters"),
        (b"1234567\x00", "expected one line of 1 to 1000 characters"),
        (b"1234567" * 200, "expected one line of 1 to 1000 characters"),
        (b"1234567\xff", "it is not UTF-8"),
    ],
)
def test_file_that_holds_no_token_is_named(tmp_path: Path, content: bytes | None, said: str) -> None:
    """A token file that cannot be used is named, and nothing of what is in it."""
    file = tmp_path / "token"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigError) as error:
        Access.of(ServerSettings(token_file=str(file)))
    assert str(error.value) == f'token_file is "{file}": {said}'


def test_token_stands_in_one_place() -> None:
    """A token and a file with one are one too many."""
    with pytest.raises(ConfigError, match=r"^token and token_file are both set; one of them is enough$"):
        Access.of(ServerSettings(token="a", token_file="/none"))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"token": "1234567" * 200}, "token is (hidden); expected a text of at most 1000 characters"),
        ({"token": "1234567\n"}, "token is (hidden); expected a text of at most 1000 characters"),
        ({"hosts": ("http://stage",)}, 'hosts is ["http://stage"]; expected names such as "stage.example.org"'),
        ({"origins": ("null",)}, 'origins is ["null"]; expected origins such as "https://stage.example.org:8443"'),
        (
            {"origins": ("null",)},
            'origins is ["null"]; expected origins such as "https://stage.example.org:8443"; a page '
            "opened from a file has none, and any website can make one without: serve the file by HTTP",
        ),
        ({"origins": ("file:///tmp",)}, 'origins is ["file:///tmp"]; expected origins such as '),
        ({"origins": ("stage",)}, 'origins is ["stage"]; expected origins such as "https://stage.example.org:8443"'),
        ({"connections": 0}, "connections is 0; expected 1 to 10000"),
    ],
)
def test_settings_of_access_are_checked(settings: dict[str, Any], said: str) -> None:
    """Tokens, names and pages that could never fit are refused."""
    with pytest.raises(ConfigError) as error:
        ServerSettings(**settings)
    assert str(error.value).startswith(said)


def test_certificate_is_used(certificate: Certificate) -> None:
    """A certificate and its key, in one file or two, make a context of TLS 1.2 at least."""
    both = certificate.folder / "both.pem"
    both.write_bytes(certificate.certificate.read_bytes() + certificate.key.read_bytes())
    for files in ((certificate.certificate, certificate.key), (both, None)):
        context = tls_context(str(files[0]), None if files[1] is None else str(files[1]))
        assert context is not None
        assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert tls_context(None, None) is None


def test_certificate_that_cannot_be_used_is_named(certificate: Certificate, tmp_path: Path) -> None:
    """What is missing, no PEM, of another key, or has a passphrase is named in one line."""
    garbage = tmp_path / "garbage.pem"
    garbage.write_bytes(bytes(range(256)))
    other = make(tmp_path, "other")
    locked = make(tmp_path, "locked", passphrase="1234567")
    ours, key = str(certificate.certificate), str(certificate.key)
    for files, said in (
        (("/none.pem", key), 'certificate is "/none.pem": No such file'),
        ((ours, "/none.pem"), 'key is "/none.pem": No such file'),
        ((ours, None), f'certificate is "{ours}": no PEM with it and its key'),
        ((str(garbage), key), f'certificate is "{garbage}": no PEM with it and its key'),
        ((ours, str(garbage)), f'certificate is "{ours}": no PEM with it and its key'),
        ((ours, str(other.key)), f'certificate is "{ours}": it does not belong to the key in {other.key}'),
        ((str(locked.certificate), str(locked.key)), f'key is "{locked.key}": it has a passphrase'),
        ((None, key), f'key is "{key}", and there is no certificate'),
        ((str(tmp_path), key), f'certificate is "{tmp_path}": Is a directory'),
    ):
        with pytest.raises(ConfigError) as error:
            tls_context(*files)
        assert str(error.value).startswith(said)
        assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("days", "said"),
    [
        (-1, "it does not hold before {begin}, and clients refuse it; is this machine's clock right?"),
        (0, None),
        (22, None),
        (24.5, "it expires in 5 days, on {end}"),
        (28.5, "it expires in 1 day, on {end}"),
        (29.5, "it expires within a day, on {end}"),
        (31, "it expired on {end}, and clients refuse it"),
    ],
)
def test_time_of_a_certificate_is_looked_at(certificate: Certificate, days: float, said: str | None) -> None:
    """A certificate is in order until a week before its end, and the days are counted from then on."""
    file = str(certificate.certificate)
    tls = tls_context(file, str(certificate.key))
    assert tls is not None
    begin, end = validity_period(tls, file)
    assert end - begin == 30 * 86_400
    first, last = (time.strftime("%Y-%m-%d", time.gmtime(it)) for it in (begin, end))
    expected = None if said is None else f'certificate is "{file}": {said.format(begin=first, end=last)}'
    assert validity_warning(tls, file, begin + days * 86_400) == expected


def test_times_of_any_certificate_are_found(tmp_path: Path) -> None:
    """Also of one that another follows in its file; one that is for no server is left alone."""
    strange = make(tmp_path, "strange", more=["-addext", "extendedKeyUsage=clientAuth"])
    tls = tls_context(str(strange.certificate), str(strange.key))
    assert tls is not None
    assert validity_warning(tls, str(strange.certificate), 0.0) is None
    old = make(tmp_path, "old", days=30)
    chain = tmp_path / "chain.pem"
    chain.write_bytes(old.certificate.read_bytes() + make(tmp_path, "authority", days=90).certificate.read_bytes())
    tls = tls_context(str(chain), str(old.key))
    assert tls is not None
    begin, end = validity_period(tls, str(chain))
    assert end - begin == 30 * 86_400


def test_warning_comes_with_the_access(tmp_path: Path) -> None:
    """What is wrong with a certificate is known with all else about access."""
    brief = make(tmp_path, days=3)
    access = Access.of(ServerSettings(certificate=str(brief.certificate), key=str(brief.key)))
    assert access.certificate_warning is not None
    assert access.certificate_warning.startswith(f'certificate is "{brief.certificate}": it expires in 2 days, on ')
    flags = {"certificate": str(brief.certificate), "key": str(brief.key)}
    assert check.notes(read(flags, {})) == [f"--{access.certificate_warning}"]
    assert Access.of(ServerSettings()).certificate_warning is None
