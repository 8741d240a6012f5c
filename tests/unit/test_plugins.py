"""Plug-ins by entry point, from packages that are really installed."""

import itertools
import sys
import threading
from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from notifykit._plugins import BUSES, CHANNELS, bus_from_url, channel_from_url, get_bus, installed, load
from notifykit.abc import Bus
from notifykit.errors import BrokenPluginError, ConfigurationError, MissingExtraError, UnknownPluginError

CHANNEL = """
from notifykit.abc import Channel

class PigeonChannel(Channel):
    kind = "pigeon"
    parts = {}
    url = ""
    def parse_address(self, raw): ...
    async def send(self, address, content, message): ...

    @classmethod
    def from_url(cls, url):
        self = cls()
        self.url = url
        return self

class Homing(PigeonChannel): ...
class NoUrl(Channel):
    parse_address = send = PigeonChannel.send
not_a_class = PigeonChannel()
class NotAChannel: ...
"""
BUS = """
from notifykit.abc import Bus

class SlateBus(Bus):
    def __init__(self, url):
        self.url = url

    @classmethod
    def from_url(cls, url):
        return cls(url)

SlateBus.__abstractmethods__ = frozenset()
class Handmade(SlateBus):
    from_url = property()
"""

Install = Callable[..., str]
_numbers = itertools.count()


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Return a function that installs a package of one module and returns the module's name."""
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)
    load.cache_clear()

    def install(package: str, source: str, group: str = CHANNELS, requires: str = "", **points: str) -> str:
        module = f"pigeons_{next(_numbers)}"
        (tmp_path / f"{module}.py").write_text(source)
        info = tmp_path / f"{package.replace('-', '_')}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n{requires}")
        lines = "\n".join(f"{name} = {module}:{target}" for name, target in points.items())
        (info / "entry_points.txt").write_text(f"[{group}]\n{lines}\n")
        return module

    yield install
    load.cache_clear()
    for name in set(sys.modules) - before:
        if name.startswith("pigeons_"):
            del sys.modules[name]


def test_a_channel_of_another_package_is_found_by_its_scheme(install: Install) -> None:
    module = install("acme-pigeons", CHANNEL, pigeon="PigeonChannel")
    found = load(CHANNELS, "pigeon")
    assert (found.__module__, found.__name__) == (module, "PigeonChannel")
    channel = channel_from_url("pigeon://loft?speed=80")
    assert isinstance(channel, found)
    assert channel.url == "pigeon://loft?speed=80"


def test_a_plugin_is_imported_only_when_it_is_asked_for(install: Install) -> None:
    module = install("acme-pigeons", CHANNEL, pigeon="PigeonChannel")
    assert "pigeon" in installed(CHANNELS)
    assert module not in sys.modules
    load(CHANNELS, "pigeon")
    assert module in sys.modules


def test_several_schemes_may_name_one_class(install: Install) -> None:
    install("acme-pigeons", CHANNEL, pigeon="PigeonChannel", dove="PigeonChannel")
    assert load(CHANNELS, "pigeon") is load(CHANNELS, "dove")


def test_our_own_plugins_are_registered_as_those_of_others_are() -> None:
    assert {"memory", "sqlite"} <= installed(BUSES).keys()
    assert {"smtp", "smtps", "smtp+starttls", "telegram", "webpush"} <= installed(CHANNELS).keys()


@pytest.mark.parametrize(("group", "word"), [(CHANNELS, "channel"), (BUSES, "bus")])
def test_an_unknown_scheme_is_told_what_is_installed(install: Install, group: str, word: str) -> None:
    install("acme-pigeons", CHANNEL, group, pigeon="PigeonChannel")
    with pytest.raises(UnknownPluginError, match=rf"no {word} is installed for carrier://.*pigeon") as caught:
        load(group, "carrier")
    assert caught.value.name == "carrier"
    assert caught.value.group == group
    assert "pigeon" in caught.value.installed
    assert list(caught.value.installed) == sorted(caught.value.installed)


def test_a_scheme_installed_later_is_found_then(install: Install) -> None:
    with pytest.raises(UnknownPluginError):
        load(CHANNELS, "pigeon")
    install("acme-pigeons", CHANNEL, pigeon="PigeonChannel")
    assert load(CHANNELS, "pigeon")


def test_two_packages_that_claim_one_scheme_are_both_named(install: Install) -> None:
    install("acme-pigeons", CHANNEL, pigeon="PigeonChannel")
    install("best-pigeons", CHANNEL, pigeon="PigeonChannel")
    with pytest.raises(BrokenPluginError, match=r"acme-pigeons, best-pigeons; uninstall all but one") as caught:
        load(CHANNELS, "pigeon")
    assert caught.value.package == "acme-pigeons, best-pigeons"


@pytest.mark.parametrize(
    ("source", "cause"),
    [("1 / 0", ZeroDivisionError), ("def broken(:", SyntaxError), ("raise ImportError('no luck')", ImportError), ("", AttributeError)],
)
def test_a_plugin_that_does_not_load_is_blamed_by_its_package(install: Install, source: str, cause: type[Exception]) -> None:
    module = install("acme-pigeons", source, pigeon="PigeonChannel")
    with pytest.raises(BrokenPluginError, match=rf"acme-pigeons registers pigeon:// but {module}:PigeonChannel cannot be loaded") as caught:
        load(CHANNELS, "pigeon")
    assert (caught.value.name, caught.value.package) == ("pigeon", "acme-pigeons")
    assert isinstance(caught.value.__cause__, cause)


@pytest.mark.parametrize("target", ["not_a_class", "NotAChannel", "Channel.send"])
def test_what_is_no_channel_class_is_refused(install: Install, target: str) -> None:
    install("acme-pigeons", CHANNEL, pigeon=target)
    with pytest.raises(BrokenPluginError, match="is no Channel class"):
        load(CHANNELS, "pigeon")


def test_a_channel_is_no_bus(install: Install) -> None:
    install("acme-pigeons", CHANNEL, BUSES, pigeon="PigeonChannel")
    with pytest.raises(BrokenPluginError, match="is no Bus class"):
        load(BUSES, "pigeon")


def test_an_absent_extra_gets_the_pip_command(install: Install) -> None:
    install("acme-pigeons", "import feathers", pigeon="PigeonChannel [wings]", requires="Requires-Dist: feathers; extra == 'wings'\n")
    with pytest.raises(MissingExtraError, match=r'pip install "acme-pigeons\[wings\]"') as caught:
        load(CHANNELS, "pigeon")
    assert caught.value.extra == "wings"
    assert isinstance(caught.value.__cause__, ModuleNotFoundError)
    assert isinstance(caught.value, ImportError)


def test_a_missing_module_of_a_plugin_without_extras_is_its_own_fault(install: Install) -> None:
    install("acme-pigeons", "import feathers", pigeon="PigeonChannel")
    with pytest.raises(BrokenPluginError, match=r"acme-pigeons registers pigeon:// .*needs feathers, which is not installed"):
        load(CHANNELS, "pigeon")


def test_a_missing_module_of_the_package_itself_is_no_absent_extra(install: Install) -> None:
    install("acme-pigeons", "import importlib; importlib.import_module(__name__ + '.loft')", pigeon="PigeonChannel [wings]")
    with pytest.raises(BrokenPluginError):
        load(CHANNELS, "pigeon")


def test_a_module_missing_although_the_extra_is_installed_is_the_packages_fault(install: Install) -> None:
    install("feathers", "")
    install("acme-pigeons", "import beaks", pigeon="PigeonChannel [wings]", requires="Requires-Dist: Feathers>=1; extra == 'wings'\n")
    with pytest.raises(BrokenPluginError, match="needs beaks, which is not installed"):
        load(CHANNELS, "pigeon")


def test_an_extra_that_is_there_in_part_is_absent(install: Install) -> None:
    install("feathers", "")
    install(
        "acme-pigeons",
        "import beaks",
        pigeon="PigeonChannel [wings]",
        requires="Requires-Dist: feathers; extra == 'wings'\nRequires-Dist: beaks>=1; extra == \"wings\"\n",
    )
    with pytest.raises(MissingExtraError):
        load(CHANNELS, "pigeon")


def test_an_extra_made_of_the_packages_own_extras_is_absent(install: Install) -> None:
    requires = "Requires-Dist: acme-pigeons[feathers]; extra == 'wings'\n"
    install("acme-pigeons", "import beaks", pigeon="PigeonChannel [wings]", requires=requires)
    with pytest.raises(MissingExtraError):
        load(CHANNELS, "pigeon")


def test_a_plugin_may_say_itself_which_extra_is_absent(install: Install) -> None:
    source = "from notifykit.errors import MissingExtraError; raise MissingExtraError('pip install loft', extra='wings')"
    install("acme-pigeons", source, pigeon="PigeonChannel")
    with pytest.raises(MissingExtraError, match="pip install loft"):
        load(CHANNELS, "pigeon")


def test_one_package_found_twice_on_the_path_is_no_clash(install: Install, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    install("acme-pigeons", CHANNEL, pigeon="PigeonChannel")
    monkeypatch.setattr(sys, "path", [str(tmp_path), str(tmp_path / ".." / tmp_path.name), *sys.path])
    assert load(CHANNELS, "pigeon")


@pytest.mark.parametrize(
    ("source", "fault"),
    [
        ("from notifykit.abc import NoSuchPort", "takes from notifykit.abc what is not there"),
        ("from notifykit import no_such_name_any_more", "takes from notifykit what is not there"),
        ("import notifykit.no_longer_there", "needs notifykit.no_longer_there, which this notifykit does not have"),
        ("from notifykit.abc import Channel\nclass PigeonChannel(Channel): pass", "lacks parse_address, send"),
    ],
)
def test_a_plugin_that_is_made_for_another_notifykit_is_named_and_told_so(install: Install, source: str, fault: str) -> None:
    install("pigeon-post", source, pigeon="PigeonChannel")
    with pytest.raises(BrokenPluginError, match="another notifykit; upgrade pigeon-post") as caught:
        channel_from_url("pigeon://x")
    assert fault in str(caught.value)
    assert caught.value.package == "pigeon-post"


def test_a_channel_without_from_url_says_so(install: Install) -> None:
    install("acme-pigeons", CHANNEL, pigeon="NoUrl")
    with pytest.raises(ConfigurationError, match="NoUrl cannot be made from a URL: construct it"):
        channel_from_url("pigeon://loft")


def test_a_bus_is_made_from_its_url(install: Install) -> None:
    install("acme-slates", BUS, BUSES, slate="SlateBus")
    first, second = bus_from_url("slate://wall"), bus_from_url("slate://wall")
    assert isinstance(first, Bus)
    assert first is not second


def test_get_bus_gives_every_thread_the_same_bus_of_a_url(install: Install) -> None:
    install("acme-slates", BUS, BUSES, slate="SlateBus")
    start = threading.Barrier(8)
    found: list[Bus] = []

    def get() -> None:
        start.wait()
        found.append(get_bus("slate://shared"))

    threads = [threading.Thread(target=get) for _ in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(found) == 8
    assert len({id(each) for each in found}) == 1
    assert get_bus("slate://other") is not found[0]


def test_an_entry_point_without_a_package_is_named_by_its_module() -> None:
    from notifykit._plugins import _package

    assert _package(EntryPoint("pigeon", "loft.pigeons:Pigeon", CHANNELS)) == "loft.pigeons"
