"""Planted mistakes of a channel that carries attachments."""

import base64
import mimetypes
from typing import ClassVar

from channel_mutants import WithOptions, caught_by

from notifykit.errors import PermanentError


class WithFiles(WithOptions):
    """Picture messages, correct: the files go along as base64 in JSON."""

    carries_attachments: ClassVar[bool] = True

    def told(self, each):
        return {"name": each.name, "type": each.media_type, "data": base64.b64encode(each.data).decode()}

    def chosen(self, message):
        return message.attachments

    async def send(self, address, content, message):
        files = [self.told(each) for each in self.chosen(message)]
        key = message.id if content.number == 1 else f"{message.id}/{content.number}"
        if not (key.isascii() and key.isprintable()):
            raise PermanentError("the message's id cannot stand in a header")
        status, headers, body = await self._post({"to": address.value, "text": content["text"], "files": files}, key)
        return self._judge(status, headers, body)


@caught_by("attachments_arrive_as_they_are")
class ForgetsTheAttachments(WithFiles):
    def chosen(self, message):
        return ()


@caught_by("attachments_arrive_as_they_are")
class WritesFileNamesInAscii(WithFiles):
    def told(self, each):
        return {**super().told(each), "name": each.name.encode("ascii", "replace").decode()}


@caught_by("attachments_arrive_as_they_are")
class EscapesAFileNamesQuotesOnly(WithFiles):
    """What the provider reads is decoded once more than it was encoded."""

    def told(self, each):
        return {**super().told(each), "name": each.name.replace("%22", '"')}


@caught_by("attachments_arrive_as_they_are")
class TakesEveryFileForText(WithFiles):
    def told(self, each):
        text = each.data.decode("utf-8", "replace")
        return {**super().told(each), "data": base64.b64encode(text.encode()).decode()}


@caught_by("attachments_arrive_as_they_are")
class EndsTheLinesOfTextFilesAnew(WithFiles):
    def told(self, each):
        data = b"\r\n".join(each.data.splitlines()) if each.media_type.startswith("text/") else each.data
        return {**super().told(each), "data": base64.b64encode(data).decode()}


@caught_by("attachments_arrive_as_they_are")
class GuessesTheTypeByItself(WithFiles):
    def told(self, each):
        return {**super().told(each), "type": mimetypes.guess_type(each.name)[0] or "application/octet-stream"}


@caught_by("attachments_arrive_as_they_are")
class SendsTheFilesOnTheFirstAttemptOnly(WithFiles):
    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self._sent = set()

    def chosen(self, message):
        first = message.id not in self._sent
        self._sent.add(message.id)
        return message.attachments if first else ()


@caught_by("an_attachment_of_any_size_arrives_or_is_refused")
class LeavesOutWhatIsEmpty(WithFiles):
    def chosen(self, message):
        return [each for each in message.attachments if each.data]


@caught_by("an_attachment_of_any_size_arrives_or_is_refused")
class FindsOutAtTheSendThatAFileIsTooLarge(WithFiles):
    def chosen(self, message):
        if sum(len(each.data) for each in message.attachments) > 500_000:
            raise PermanentError("the provider takes 500 kB")
        return message.attachments


@caught_by("several_attachments_arrive_in_their_order")
class SendsTheFirstFileOnly(WithFiles):
    def chosen(self, message):
        return message.attachments[:1]


@caught_by("several_attachments_arrive_in_their_order")
class SortsTheFiles(WithFiles):
    def chosen(self, message):
        return sorted(message.attachments, key=lambda each: each.name)


@caught_by("several_attachments_arrive_in_their_order")
class SendsTheFilesOfTheLastMessageAgain(WithFiles):
    kept = ()

    def chosen(self, message):
        self.kept = message.attachments or self.kept
        return self.kept
