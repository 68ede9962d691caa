"""No private address is contacted, however it is written and whoever leads there."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import pytest

from pz_tsm_core.errors import Code, TsmError
from pz_tsm_core.remote import Reach, guard, plainly

#: Ways to write this machine, as a person does it and as only a resolver reads it.
LOOPBACK = [
    "http://127.0.0.1:PORT/", "http://127.1:PORT/", "http://127.0.1:PORT/",
    "http://2130706433:PORT/", "http://0x7f000001:PORT/", "http://0x7f.0.0.1:PORT/",
    "http://0x7f.1:PORT/", "http://0177.0.0.1:PORT/", "http://017700000001:PORT/",
    "http://127.0.0.1.:PORT/", "http://127.0.0.%31:PORT/", "http://127。0。0。1:PORT/",
    "http://①②⑦.⓪.⓪.①:PORT/", "http://localhost:PORT/", "http://LOCALHOST:PORT/",
    "http://localhost.:PORT/", "HTTP://LocalHost:PORT/", "http://0.0.0.0:PORT/", "http://0:PORT/",
    "http://[::]:PORT/", "http://[::1]:PORT/", "http://[0:0:0:0:0:0:0:1]:PORT/",
    "http://[::ffff:127.0.0.1]:PORT/", "http://[::ffff:7f00:1]:PORT/",
    "http://127.0.0.1:PORT\\@example.org/", "http://127.0.0.1:PORT#@example.org/",
]

#: And others that are not public, or hide where they lead.
OTHERS = [
    "http://127.0.0.2:PORT/", "http://127.255.255.254:PORT/",
    # IPv4 within IPv6: compatible, translated, tunnelled
    "http://[::127.0.0.1]:PORT/", "http://[64:ff9b::127.0.0.1]:PORT/",
    "http://[64:ff9b:1::7f00:1]:PORT/", "http://[2002:7f00:1::]:PORT/",
    "http://[2001:0:7f00:1::80ff:fffe]:PORT/", "http://[::ffff:10.0.0.1]:PORT/",
    "http://[fe80::1]:PORT/", "http://[fe80::1%25lo]:PORT/", "http://[fc00::1]:PORT/",
    "http://[fec0::1]:PORT/", "http://[ff02::1]:PORT/", "http://[2001:db8::1]:PORT/",
    # networks of a house, of a provider, of nobody, of everybody; services of clouds
    "http://10.0.0.1:PORT/", "http://172.16.0.1:PORT/", "http://192.168.0.1:PORT/",
    "http://169.254.169.254:PORT/latest/meta-data/", "http://[fd00:ec2::254]:PORT/",
    "http://168.63.129.16:PORT/", "http://100.64.0.1:PORT/", "http://192.0.0.192:PORT/",
    "http://192.88.99.1:PORT/", "http://198.18.0.1:PORT/", "http://203.0.113.1:PORT/",
    "http://224.0.0.1:PORT/", "http://240.0.0.1:PORT/", "http://255.255.255.255:PORT/",
    # another host for who reads it than for who connects
    "http://example.test@127.0.0.1:PORT/", "http://example.test:80@127.0.0.1:PORT/",
    "http://example.test%40127.0.0.1:PORT/", "http://user:password@127.0.0.1:PORT/",
    "http://127.0.0.1\t:PORT/", "http://127.0.0.1\n:PORT/", "http:127.0.0.1:PORT/",
    "http:///127.0.0.1:PORT/", "//127.0.0.1:PORT/", "127.0.0.1:PORT/",
    # other protocols
    "file:///etc/passwd", "file://127.0.0.1:PORT/", "ftp://127.0.0.1:PORT/",
    "gopher://127.0.0.1:PORT/", "http+unix://127.0.0.1:PORT/", "javascript:alert(1)", "",
]

#: Names that a resolver may or may not take for an address; where it does not, they lead nowhere.
RESOLVER = {"127.0.0.1": ["127.0.0.1"], "localhost": ["127.0.0.1 ::1"]}


def _state(reach: Reach, url: str) -> object:
    return reach.state(url)


def _post(reach: Reach, url: str) -> object:
    with plainly(url):
        return reach.session.post(url, data={"QUERY": "SELECT 1"})


def _filesystem(reach: Reach, url: str) -> object:
    with plainly(url):
        return reach.filesystem(url).cat_file(url, 0, 10)


WAYS = [_state, _post, _filesystem]


def _refused(way: Callable, reach: Reach, url: str) -> TsmError:
    with pytest.raises(TsmError) as refused:
        way(reach, url)
    assert refused.value.codes == (Code.REMOTE_FORBIDDEN,)
    return refused.value


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("form", LOOPBACK + OTHERS)
def test_no_private_address_is_contacted(form, way, reach, names, trap) -> None:
    names |= RESOLVER
    with pytest.raises(TsmError) as refused:
        way(reach, form.replace("PORT", str(trap.port)))
    nowhere = {Code.SERVICE_UNREACHABLE} if "%" in form else set()
    assert set(refused.value.codes) <= {Code.REMOTE_FORBIDDEN} | nowhere
    assert "password" not in str(refused.value)


@pytest.mark.parametrize("way", WAYS)
def test_without_the_guard_many_would_be(way, limited, names, traps, monkeypatch) -> None:
    names |= RESOLVER
    trap = traps("127.0.0.1", "::1")
    monkeypatch.setattr(guard, "check_address", lambda *_: None)
    reach = limited(retries=0, connect_seconds=0.1, stall_seconds=0.02)
    caught = 0
    for form in LOOPBACK:
        with contextlib.suppress(TsmError):
            way(reach, form.replace("PORT", str(trap.port)))
        caught += trap.caught() > 0
    assert caught >= 15


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("status", "target"), [
    (301, "http://127.0.0.1:PORT/"), (302, "http://127.0.0.1:PORT/"),
    (303, "http://127.0.0.1:PORT/"), (307, "http://127.0.0.1:PORT/"),
    (308, "http://127.0.0.1:PORT/"), (302, "//127.0.0.1:PORT/"), (302, "http://localhost:PORT/"),
    (302, "http://[::ffff:127.0.0.1]:PORT/"), (302, "http://user:word@127.0.0.1:PORT/"),
    (302, "file:///etc/passwd"), (302, "ftp://127.0.0.1:PORT/"),
])
def test_nobody_is_led_to_a_private_address(status, target, way, reach, server, trap) -> None:
    to = target.replace("PORT", str(trap.port))
    url = server.on("/a", lambda visit: visit.reply(status, headers={"Location": "/b"}))
    server.on("/b", lambda visit: visit.reply(status, headers={"Location": to}))
    _refused(way, reach, url)


@pytest.mark.parametrize("way", WAYS)
def test_a_name_that_leads_to_a_private_address_is_refused(way, reach, names, trap) -> None:
    names["archive.test"] = ["127.0.0.1"]
    error = _refused(way, reach, f"http://archive.test:{trap.port}/")
    assert f"archive.test:{trap.port}" in str(error)
    assert "127.0.0.1" in str(error)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("both", ["PUBLIC 127.0.0.1", "127.0.0.1 PUBLIC", "PUBLIC ::1"])
def test_a_name_that_leads_also_to_a_private_address_is_refused(
        way, both, reach, names, traps, serve, monkeypatch) -> None:
    public = serve("127.0.0.3")  # as good as public
    monkeypatch.setenv(guard.ALLOW_HOSTS, "127.0.0.3")
    trap = traps("127.0.0.1", "::1", port=public.port)
    names["archive.test"] = [both.replace("PUBLIC", "127.0.0.3")]
    _refused(way, reach, f"http://archive.test:{public.port}/")
    assert trap.caught() == 0
    assert not public.seen


@pytest.mark.parametrize("way", WAYS)
def test_a_name_that_leads_elsewhere_the_second_time_leads_nowhere(
        way, reach, names, traps, serve, monkeypatch) -> None:
    public = serve("127.0.0.3")
    monkeypatch.setenv(guard.ALLOW_HOSTS, "127.0.0.3")
    trap = traps("127.0.0.1", port=public.port)
    public.on("/", lambda visit: visit.reply(200, b"0123456789", {"Connection": "close"}))
    url = f"http://archive.test:{public.port}/"
    names["archive.test"] = ["127.0.0.3", "127.0.0.1"]
    way(reach, url)
    assert public.seen
    for _ in range(3):
        _refused(way, Reach(reach.limits), url)
    assert trap.caught() == 0


def test_what_is_retried_is_checked_again(reach, names, traps, serve, monkeypatch) -> None:
    public = serve("127.0.0.3")
    monkeypatch.setenv(guard.ALLOW_HOSTS, "127.0.0.3")
    trap = traps("127.0.0.1", port=public.port)
    public.on("/", lambda visit: visit.reply(503, headers={"Connection": "close"}))
    names["archive.test"] = ["127.0.0.3", "127.0.0.1"]
    _refused(_state, reach, f"http://archive.test:{public.port}/")
    assert len(public.seen) == 1
    assert trap.caught() == 0


@pytest.mark.parametrize("entry", [
    "127.0.0.1", "127.0.0.1:PORT", "127.0.0.0/8", "127.0.0.0/8:PORT", "archive.test",
    "Archive.Test.:PORT", "10.0.0.1, archive.test:PORT",
])
@pytest.mark.parametrize("way", WAYS)
def test_what_the_operator_allows_is_contacted(way, entry, reach, names, serve, monkeypatch):
    home = serve()
    home.on("/", lambda visit: visit.reply(200, b"0123456789"))
    monkeypatch.setenv(guard.ALLOW_HOSTS, entry.replace("PORT", str(home.port)))
    names["archive.test"] = ["127.0.0.1"]
    way(reach, f"http://archive.test:{home.port}/")
    assert home.seen


@pytest.mark.parametrize("entry", ["127.0.0.1:1", "127.0.0.2", "10.0.0.0/8", "archive.test:1",
                                   "test", "example.archive.test", "[::1]", "*"])
@pytest.mark.parametrize("way", WAYS)
def test_what_the_operator_allows_is_no_other_host(way, entry, reach, names, trap, monkeypatch):
    monkeypatch.setenv(guard.ALLOW_HOSTS, entry)
    names["archive.test"] = ["127.0.0.1"]
    _refused(way, reach, f"http://archive.test:{trap.port}/")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", ["a" * 64 + ".test", "a..test", ".test", "\u0000.test", "-"])
def test_a_name_that_is_none_leads_nowhere(way, name, reach) -> None:
    with pytest.raises(TsmError) as refused:
        way(reach, f"http://{name}/")
    assert refused.value.codes[0] in (Code.REMOTE_FORBIDDEN, Code.SERVICE_UNREACHABLE)


def test_a_list_that_cannot_be_read_allows_nothing(reach, trap, monkeypatch) -> None:
    monkeypatch.setenv(guard.ALLOW_HOSTS, "127.0.0.1:http")
    assert guard.ALLOW_HOSTS in str(_refused(_state, reach, f"http://127.0.0.1:{trap.port}/"))


@pytest.mark.parametrize("address", [
    "93.184.216.34", "8.8.8.8", "130.79.128.5", "2606:2800:220:1:248:1893:25c8:1946",
    "2001:660:5002:100::1", "64:ff9b::8.8.8.8", "2002:808:808::1", "::ffff:8.8.8.8",
])
def test_public_addresses_are_let_pass(address) -> None:
    guard.check_address("archive.test", address, 443)


def test_no_reply_leads_from_https_to_http(tls_server, serve, reach, monkeypatch) -> None:
    plain = serve()
    secure = tls_server("127.0.0.1")
    monkeypatch.setenv(guard.ALLOW_HOSTS, "127.0.0.1")
    for way in WAYS:
        url = secure.on("/a", lambda visit: visit.reply(302, headers={"Location": plain.on("/")}))
        _refused(way, reach, url)
    assert not plain.seen
    assert secure.seen


def test_passwords_of_netrc_are_not_sent(server, reach, tmp_path, monkeypatch) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("default login somebody password secret\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    url = server.on("/a", lambda visit: visit.reply(302, headers={"Location": "/b"}))
    server.on("/b", lambda visit: visit.reply(200, b"0123456789"))
    for way in WAYS:
        way(reach, url)
    assert len(server.seen) >= 6
    assert not any("Authorization" in seen.headers for seen in server.seen)


class TestProxy:
    """A proxy of the environment is the operator's choice; whither it leads is not."""

    @pytest.fixture
    def proxy(self, serve, monkeypatch):
        home = serve()
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{home.port}")
        return home

    @pytest.mark.parametrize("way", WAYS)
    def test_it_is_asked_for_public_hosts(self, way, proxy, reach, names) -> None:
        names["archive.test"] = ["93.184.216.34"]
        url = "http://archive.test/file"
        proxy.replies[url] = [lambda visit: visit.reply(200, b"0123456789")]
        way(reach, url)
        assert {seen.path for seen in proxy.seen} == {url}

    @pytest.mark.parametrize("way", WAYS)
    @pytest.mark.parametrize("address", ["10.0.0.1", "127.0.0.1", "::1"])
    def test_it_is_not_asked_for_private_ones(self, way, address, proxy, reach, names) -> None:
        names["archive.test"] = [address]
        _refused(way, reach, "http://archive.test/file")
        assert not proxy.seen

    @pytest.mark.parametrize("way", WAYS)
    def test_it_leads_nobody_to_private_ones(self, way, proxy, reach, names) -> None:
        names["archive.test"] = ["93.184.216.34"]
        url = "http://archive.test/file"
        proxy.replies[url] = [lambda visit: visit.reply(302, headers={"Location": "http://10.0.0.1/"})]
        _refused(way, reach, url)
        assert {seen.path for seen in proxy.seen} == {url}

    @pytest.mark.parametrize("way", WAYS)
    def test_it_is_passed_by_where_the_environment_says_so(self, way, proxy, reach, server,
                                                           monkeypatch) -> None:
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        way(reach, server.on("/", lambda visit: visit.reply(200, b"0123456789")))
        assert server.seen
        assert not proxy.seen
