"""The channels that stand in for others during development keep every law that is about them."""

import io
from contextlib import asynccontextmanager
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from tempfile import TemporaryDirectory

from notifykit.channels.console import ConsoleChannel
from notifykit.channels.file import FileChannel
from notifykit.testing.conformance import Arrival, ArrivedFile, ChannelTests, ChannelTraits, Provider, Situation

ALL_IS_ACCEPTED = frozenset(Situation) - {Situation.ACCEPTED}


class Console(Provider):
    def __init__(self):
        self.stream = io.StringIO()

    def connect(self, timeout):
        return ConsoleChannel("telegram", stream=self.stream)

    def meets(self, situation):
        return situation is Situation.ACCEPTED

    def arrivals(self):
        return [Arrival(each.encode(errors="replace")) for each in self.stream.getvalue().split("on trial to ")[1:]]


class TestConsoleChannel(ChannelTests):
    addresses = ("ada", 7)
    bad_addresses = (None, "", True, 1.5, {"endpoint": []})
    url = "console://telegram"
    never = ALL_IS_ACCEPTED
    traits = ChannelTraits(names_messages=False, keeps_text=False, keeps_files=False, knows_options=False)

    @asynccontextmanager
    async def make_provider(self):
        yield Console()


class Folder(Provider):
    def __init__(self, path):
        self.path = path
        self.read_before = {}

    def connect(self, timeout):
        return FileChannel(self.path / "outbox", "email")

    def meets(self, situation):
        if situation is Situation.UNREACHABLE:
            (self.path / "outbox").write_text("no folder")
        return True

    def arrivals(self):
        if not (self.path / "outbox").is_dir():
            return []
        files = {each: each.stat().st_mtime_ns for each in (self.path / "outbox").glob("*.eml")}
        known = self.read_before
        self.read_before = {each: known.get(each) or self.read(each[0]) for each in files.items()}
        return [self.read_before[each] for each in sorted(files.items(), key=lambda each: each[1])]

    def read(self, path):
        mail = message_from_bytes(path.read_bytes(), policy=default)
        body = mail.get_body(("plain",))
        parts = {"text": body.get_content().replace("\r\n", "\n").removesuffix("\n")} if body else None
        return Arrival(path.read_bytes(), parts, path.stem, list(map(as_file, mail.iter_attachments())))


def as_file(part):
    return ArrivedFile(part.get_filename(), part.get_payload(decode=True), part.get_content_type())


class TestFileChannel(ChannelTests):
    addresses = ("ada@example.com", "bob@example.com")
    bad_addresses = (None, "", True, 1.5, {"endpoint": []})
    url = "file:///outbox?kind=email"
    never = ALL_IS_ACCEPTED - {Situation.UNREACHABLE}
    traits = ChannelTraits(names_messages=False, knows_options=False)

    @asynccontextmanager
    async def make_provider(self):
        with TemporaryDirectory() as folder:
            yield Folder(Path(folder))
