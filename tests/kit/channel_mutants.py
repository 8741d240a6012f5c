"""Planted mistakes: small changes of a correct channel, each one that real channels have made, and the law that must catch it."""

import json
import socket
import sys
from base64 import b64decode
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import anyio
import httpx
from anyio.lowlevel import checkpoint
from attrs import frozen

sys.path.insert(0, str(Path(__file__).parents[1] / "plugin" / "acme-sms" / "src"))

from acme_sms import SMSChannel

from notifykit import Address, Secret
from notifykit.errors import (
    ChannelUnavailableError,
    ConfigurationError,
    InvalidAddressError,
    OutcomeUnknownError,
    PermanentError,
    TransientError,
)
from notifykit.testing.conformance import ArrivedFile, ChannelCase, Situation
from notifykit.testing.conformance.http_provider import http_provider
from notifykit.testing.conformance.http_server import reply, reply_json

TOKEN = "s3cret-token-of-acme"
ANSWERS = {Situation.ACCEPTED: reply_json(200, {"id": "m-1"}), Situation.GONE: reply(410)}
MUTANTS = {}


def case_of(kind):
    """Return the case of a channel class, as its own test class would."""

    def make():
        return http_provider(
            lambda server, timeout: kind(TOKEN, url=f"{server.url}/v1/messages", timeout=timeout),
            ANSWERS,
            lambda request: {"text": request.json["text"]},
            lambda request: request.headers.get("idempotency-key"),
            lambda request: request.target.endswith("/messages"),
            lambda server: (),
            lambda request: [ArrivedFile(each["name"], b64decode(each["data"]), each["type"]) for each in request.json.get("files", ())],
        )

    return ChannelCase(
        make=make,
        addresses=("+15550001234", "+15550005678"),
        bad_addresses=("12", "+1 555 000 12x4", None),
        spellings=(("+15550001234", "+1 555 000 1234"),),
        options=getattr(kind, "good_options", ()),
        secrets=(TOKEN,),
        url=f"acme-sms://{TOKEN}",
    )


class WithOptions(SMSChannel):
    """The correct one, with an option: how long the provider may try to deliver."""

    good_options = ({"valid_for": timedelta(minutes=5)}, {"valid_for": 60})

    def parse_options(self, options, attachments=()):
        unknown = set(options) - {"valid_for"}
        if unknown:
            raise ConfigurationError(f"there is no option {min(unknown)}")
        return {name: int(each.total_seconds()) if isinstance(each, timedelta) else each for name, each in options.items()}

    async def send(self, address, content, message):
        self.parse_options(message.own_options)
        return await super().send(address, content, message)


@frozen
class Mutant:
    kind: type
    law: str
    slow: bool = False

    @property
    def case(self):
        return case_of(self.kind)


def caught_by(law, *, slow=False):
    def plant(kind):
        MUTANTS[kind.__name__] = Mutant(kind, law, slow)
        return kind

    return plant


# what a status means


@caught_by("a_fault_of_the_provider_passes")
class ServerErrorsAreFinal(SMSChannel):
    def _judge(self, status, headers, body):
        return super()._judge(400 if status >= 500 else status, headers, body)


@caught_by("no_fault_of_the_server_condemns_a_message")
class OnlyFiveHundredAndThreePasses(SMSChannel):
    def _judge(self, status, headers, body):
        return super()._judge(400 if status > 503 else status, headers, body)


@caught_by("wrong_credentials_are_no_messages_fault")
class ARotatedTokenKillsTheQueue(SMSChannel):
    def _judge(self, status, headers, body):
        return super()._judge(400 if status == 401 else status, headers, body)


@caught_by("a_refused_message_is_not_tried_again")
class ABadRequestMakesTheAddressVanish(SMSChannel):
    def _judge(self, status, headers, body):
        return super()._judge(410 if status == 400 else status, headers, body)


@caught_by("a_refused_message_is_not_tried_again")
class ABadRequestIsRetriedForEver(SMSChannel):
    def _judge(self, status, headers, body):
        return super()._judge(500 if status == 400 else status, headers, body)


@caught_by("an_address_that_is_gone_is_known_to_be")
class GoneIsLikeAnyRefusal(SMSChannel):
    def _judge(self, status, headers, body):
        return super()._judge(400 if status == 410 else status, headers, body)


@caught_by("every_status_is_judged")
class BelowFourHundredIsSuccess(SMSChannel):
    def _judge(self, status, headers, body):
        return "m-1" if status < 400 else super()._judge(status, headers, body)


@caught_by("every_status_is_judged")
class LetsTheClientRaise(SMSChannel):
    def _judge(self, status, headers, body):
        httpx.Response(status, request=httpx.Request("POST", "http://sms.example")).raise_for_status()
        return super()._judge(status, headers, body)


@caught_by("a_redirect_is_not_followed")
class FollowsRedirects(SMSChannel):
    async def open(self):
        self._client = httpx.AsyncClient(timeout=self._timeout, follow_redirects=True, trust_env=False)


# waiting


@caught_by("a_request_to_wait_is_honoured")
class WaitsAFixedSecond(SMSChannel):
    def _wait(self, headers):
        return timedelta(seconds=1)


@caught_by("a_request_to_wait_is_honoured")
class TakesSecondsForMilliseconds(SMSChannel):
    def _wait(self, headers):
        return super()._wait(headers) / 1000


@caught_by("a_request_to_wait_is_honoured")
class BusyIsAFailedAttempt(SMSChannel):
    def _judge(self, status, headers, body):
        return super()._judge(500 if status == 429 else status, headers, body)


@caught_by("retry_after_is_read_in_every_form")
class KnowsSecondsOnly(SMSChannel):
    def _wait(self, headers):
        return timedelta(seconds=int(headers.get("retry-after", "5")))


@caught_by("retry_after_is_read_in_every_form")
class WaitsForYears(SMSChannel):
    def _wait(self, headers):
        text = headers.get("retry-after", "")
        return timedelta(seconds=min(int(text), 10**9)) if text.isdigit() else super()._wait(headers)


@caught_by("retry_after_is_read_in_every_form")
class WaitsBackwards(SMSChannel):
    def _wait(self, headers):
        text = headers.get("retry-after", "")
        return timedelta(seconds=int(text)) if text.removeprefix("-").isdigit() and len(text) < 6 else super()._wait(headers)


# success


@caught_by("a_yes_that_cannot_be_read_is_an_unknown_outcome")
class TrustsTheFormOfAnAnswer(SMSChannel):
    def _id(self, body):
        return json.loads(body)["id"]


@caught_by("a_yes_that_cannot_be_read_is_an_unknown_outcome")
class AnyYesIsAYes(SMSChannel):
    def _id(self, body):
        try:
            return super()._id(body)
        except OutcomeUnknownError:
            return None


@caught_by("any_answer_is_judged")
class TrustsTheShapeOfAnAnswer(SMSChannel):
    def _id(self, body):
        try:
            return str(json.loads(body)["id"])
        except (ValueError, KeyError):
            raise OutcomeUnknownError from None


@caught_by("a_provider_id_is_text_or_nothing")
class TheIdIsANumber(SMSChannel):
    def _id(self, body):
        super()._id(body)
        return 365


# the network


def losing(**losses):
    """Return a channel that takes what went wrong on the wire for something else."""

    class Losing(SMSChannel):
        async def _post(self, value, key):
            try:
                return await super()._post(value, key)
            except Exception as error:
                other = losses.get(type(error).__name__)
                if other is None:
                    raise
                raise other("something went wrong") from error

    return Losing


@caught_by("a_lost_answer_is_an_unknown_outcome")
class ALostAnswerIsTriedAgain(losing(OutcomeUnknownError=TransientError)):
    pass


@caught_by("silence_is_an_unknown_outcome")
class ATimeOutIsTriedAgain(SMSChannel):
    async def _post(self, value, key):
        try:
            return await super()._post(value, key)
        except OutcomeUnknownError as error:
            if isinstance(error.__cause__, TimeoutError | httpx.TimeoutException):
                raise TransientError("sms.example is slow") from error
            raise


@caught_by("a_server_that_is_down_is_no_messages_fault")
class AnOutageUsesUpAttempts(losing(ChannelUnavailableError=TransientError)):
    pass


@caught_by("a_lost_answer_is_an_unknown_outcome")
class SendsAgainByItself(SMSChannel):
    async def _post(self, value, key):
        try:
            return await super()._post(value, key)
        except OutcomeUnknownError:
            return await super()._post(value, key)


@caught_by("a_lost_answer_is_an_unknown_outcome")
class LetsNetworkErrorsOut(SMSChannel):
    async def _post(self, value, key):
        try:
            return await super()._post(value, key)
        except OutcomeUnknownError as error:
            raise (error.__cause__ or error) from None


@caught_by("silence_is_an_unknown_outcome", slow=True)
class HasNoTimeOut(SMSChannel):
    def __init__(self, token, *, url="", timeout=10):
        super().__init__(token, url=url, timeout=1000)


@caught_by("a_dripping_answer_is_given_up", slow=True)
class TimesOutEachReadAlone(SMSChannel):
    async def open(self):
        self._client = httpx.AsyncClient(timeout=self._timeout, follow_redirects=False, trust_env=False)
        self._timeout = 1000


@caught_by("an_endless_answer_is_cut_off")
class ReadsWhateverComes(SMSChannel):
    async def _body(self, answer):
        return await answer.aread()


@caught_by("what_is_no_http_is_an_unknown_outcome")
class BrokenHttpIsAFaultOfTheMessage(SMSChannel):
    async def _post(self, value, key):
        try:
            return await super()._post(value, key)
        except OutcomeUnknownError as error:
            if isinstance(error.__cause__, httpx.RemoteProtocolError):
                raise PermanentError("bad answer") from error
            raise


@caught_by("no_cookie_is_kept")
class KeepsCookies(SMSChannel):
    async def _post(self, value, key):
        client = self._client
        self._client = _Cookies(client)
        try:
            return await super()._post(value, key)
        finally:
            self._client = client


class _Cookies:
    """A client whose cookies cannot be cleared."""

    def __init__(self, client):
        self.stream = client.stream
        self.cookies = httpx.Cookies()


# several at once, and cancelling


@caught_by("concurrent_sends_do_not_get_in_each_others_way")
class KeepsTheTextInTheChannel(SMSChannel):
    async def _post(self, value, key):
        self._value = value
        await checkpoint()
        return await super()._post(self._value, key)


@caught_by("each_of_many_sends_gets_its_own_answer")
class KeepsTheAnswerInTheChannel(SMSChannel):
    async def _post(self, value, key):
        self._answer = await super()._post(value, key)
        await anyio.sleep(0.01)
        return self._answer


@caught_by("cancellation_is_let_through")
class SwallowsCancellation(SMSChannel):
    async def _post(self, value, key):
        try:
            return await super()._post(value, key)
        except BaseException as error:
            if isinstance(error, OutcomeUnknownError | ChannelUnavailableError):
                raise
            raise OutcomeUnknownError("something happened") from error


@caught_by("cancellation_is_let_through")
class BlocksTheLoop(SMSChannel):
    async def _post(self, value, key):
        headers = {"Authorization": f"Bearer {self._token.reveal()}", "Idempotency-Key": key}
        try:
            answer = httpx.post(self._url, json=value, headers=headers, timeout=0.3)
        except httpx.HTTPError as error:
            raise OutcomeUnknownError("no answer") from error
        return answer.status_code, answer.headers, answer.content


class OneConnection(SMSChannel):
    """Speaks HTTP by hand over one connection that it keeps."""

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self._stream = None

    async def close(self):
        stream, self._stream = self._stream, None
        if stream is not None:
            await stream.aclose()
        await super().close()

    async def _post(self, value, key):
        body = json.dumps(value).encode()
        head = f"POST /v1/messages HTTP/1.1\r\nHost: x\r\nIdempotency-Key: {key}\r\nContent-Length: {len(body)}\r\n\r\n"
        parts = urlsplit(self._url)
        try:
            if self._stream is None:
                self._stream = await anyio.connect_tcp(parts.hostname, parts.port)
            await self._stream.send(head.encode() + body)
            got = b""
            while b"\r\n\r\n" not in got:
                got += await self._stream.receive()
            top, _, rest = got.partition(b"\r\n\r\n")
            headers = httpx.Headers([tuple(line.split(b": ", 1)) for line in top.split(b"\r\n")[1:]])
            while len(rest) < int(headers["content-length"]):
                rest += await self._stream.receive()
            return int(top.split()[1]), headers, rest
        except (OSError, anyio.EndOfStream, anyio.BrokenResourceError) as error:
            self._stream = None
            raise OutcomeUnknownError("the answer was lost") from error


@caught_by("a_late_answer_answers_for_no_other")
class UsesACancelledConnectionAgain(OneConnection):
    pass


@caught_by("a_connection_that_was_closed_while_idle_costs_no_message")
class TrustsAnIdleConnection(OneConnection):
    pass


# secrets


@caught_by("a_repr_shows_no_secret")
class ShowsItsToken(SMSChannel):
    def __repr__(self):
        return f"SMSChannel({self._token.reveal()!r})"


@caught_by("no_secret_is_shown_in_an_error")
class PutsTheTokenIntoErrors(SMSChannel):
    def _judge(self, status, headers, body):
        if status == 401:
            raise ChannelUnavailableError(f"sms.example does not know {self._token.reveal()}")
        return super()._judge(status, headers, body)


@caught_by("no_secret_is_shown_in_an_error")
class TheCauseShowsTheToken(SMSChannel):
    def _judge(self, status, headers, body):
        try:
            return super()._judge(status, headers, body)
        except PermanentError as error:
            raise PermanentError("refused") from ValueError(f"POST with Authorization: {self._token.reveal()}: {error}")


@caught_by("no_secret_is_logged")
class PutsTheTokenIntoTheUrl(SMSChannel):
    def __init__(self, token, *, url="", timeout=10):
        super().__init__(token, url=f"{url}?token={Secret(token).reveal()}&to=/messages", timeout=timeout)


@caught_by("no_address_and_no_text_is_shown")
class PutsTheAddressIntoErrors(SMSChannel):
    async def send(self, address, content, message):
        try:
            return await super().send(address, content, message)
        except PermanentError as error:
            raise type(error)(f"{error}: {address.value}") from None


@caught_by("no_address_and_no_text_is_shown")
class PutsTheTextIntoErrors(SMSChannel):
    async def send(self, address, content, message):
        try:
            return await super().send(address, content, message)
        except TransientError as error:
            raise TransientError(f"{error} with {content['text']}") from None


@caught_by("a_url_makes_a_channel_or_is_refused_without_being_shown")
class ShowsAUrlItCannotRead(SMSChannel):
    @classmethod
    def from_url(cls, url):
        if "?" in url:
            raise ConfigurationError(f"{url} has parameters, and there are none")
        return super().from_url(url)


@caught_by("every_error_survives_a_process_boundary")
class ErrorsHoldTheConnection(SMSChannel):
    async def send(self, address, content, message):
        try:
            return await super().send(address, content, message)
        except PermanentError as error:
            error.client = self._client
            raise


# addresses


@caught_by("spellings_of_one_address_share_a_key")
class TheKeyIsWhatWasTyped(SMSChannel):
    def parse_address(self, raw):
        return Address(super().parse_address(raw).value, str(raw))


@caught_by("an_address_is_canonical")
class AnAddressIsNoJson(SMSChannel):
    def parse_address(self, raw):
        if isinstance(raw, tuple | list):
            return Address(tuple(raw), raw[0])
        value = super().parse_address(raw).value
        return Address((value, "tel"), value)


@caught_by("different_addresses_have_different_keys")
class TheKeyIsThePrefix(SMSChannel):
    def parse_address(self, raw):
        return Address(super().parse_address(raw).value, str(raw)[:8])


@caught_by("a_wrong_address_is_refused_and_not_shown")
class ShowsAWrongAddress(SMSChannel):
    def parse_address(self, raw):
        try:
            return super().parse_address(raw)
        except InvalidAddressError:
            raise InvalidAddressError(f"{raw} is no telephone number") from None


@caught_by("a_wrong_address_is_refused_and_not_shown")
class ShowsAWrongAddressInTheCause(SMSChannel):
    def parse_address(self, raw):
        try:
            int(raw) if isinstance(raw, str) else 0
            return super().parse_address(raw)
        except ValueError as error:
            raise InvalidAddressError("that is no telephone number", channel=self.kind) from error


@caught_by("a_wrong_address_is_refused_and_not_shown")
class TakesAnythingForAnAddress(SMSChannel):
    def parse_address(self, raw):
        return Address(str(raw).replace(" ", ""), str(raw).replace(" ", ""))


@caught_by("any_value_is_an_address_or_is_refused")
class CrashesOnAnAddressInAList(SMSChannel):
    def parse_address(self, raw):
        return super().parse_address(raw[0] if isinstance(raw, list) else raw)


# what goes out


@caught_by("every_attempt_bears_the_same_key")
class EachAttemptIsANewMessage(SMSChannel):
    async def _post(self, value, key):
        return await super()._post(value, str(uuid4()))


@caught_by("the_pieces_of_a_long_message_bear_keys_of_their_own")
class AllPiecesBearOneKey(SMSChannel):
    async def _post(self, value, key):
        return await super()._post(value, key.partition("/")[0])


@caught_by("what_arrives_is_what_was_sent")
class SpeaksLatinOnly(SMSChannel):
    async def _post(self, value, key):
        return await super()._post({**value, "text": value["text"].encode("latin-1", "replace").decode("latin-1")}, key)


@caught_by("what_arrives_is_what_was_sent")
class EscapesOnceMore(SMSChannel):
    async def _post(self, value, key):
        return await super()._post({**value, "text": value["text"].replace("&", "&amp;")}, key)


@caught_by("any_text_is_sent_or_refused")
class CrashesOnHalfACharacter(SMSChannel):
    async def _post(self, value, key):
        json.dumps(value, ensure_ascii=False).encode()
        return await super()._post(value, key)


@caught_by("no_value_forges_a_header")
class TrustsTheMessagesId(SMSChannel):
    async def send(self, address, content, message):
        status, headers, body = await self._post({"to": address.value, "text": content["text"]}, message.id)
        return self._judge(status, headers, body)


@caught_by("an_accepted_message_arrives_once")
class SendsTwiceToBeSure(SMSChannel):
    async def _post(self, value, key):
        await super()._post(value, key)
        return await super()._post(value, key)


@caught_by("unknown_options_are_refused")
class IgnoresOptions(SMSChannel):
    def parse_options(self, options, attachments=()):
        return {}


@caught_by("options_are_canonical")
class KeepsOptionsInTheProvidersWords(WithOptions):
    def parse_options(self, options, attachments=()):
        return {{"valid_for": "ttl"}[name]: each for name, each in super().parse_options(options).items()}


@caught_by("options_are_canonical")
class KeepsWhatNoQueueCanCarry(WithOptions):
    def parse_options(self, options, attachments=()):
        super().parse_options(options)
        return {name: each if isinstance(each, timedelta) else timedelta(seconds=each) for name, each in options.items()}


@caught_by("options_are_canonical")
class TakesOptionsOutOfTheCallersHands(WithOptions):
    def parse_options(self, options, attachments=()):
        parsed = super().parse_options(options)
        if options:
            options.clear()
        return parsed


@caught_by("options_are_canonical")
class ItsAuthorTriedNoOptions(WithOptions):
    good_options = ()


@caught_by("a_message_with_options_goes")
class ReadsOptionsAsTheyWereGiven(WithOptions):
    async def send(self, address, content, message):
        valid_for = message.own_options.get("valid_for", timedelta(minutes=1)).total_seconds()
        status, headers, body = await self._post({"to": address.value, "text": content["text"], "ttl": valid_for}, message.id)
        return self._judge(status, headers, body)


@caught_by("a_channel_says_what_it_is")
class ItsKindIsShouted(SMSChannel):
    kind = "SMS"


@caught_by("trying_the_channel_out_sends_nothing")
class TriesOutByWritingToItself(SMSChannel):
    async def check(self):
        await self._post({"to": "+15550000000", "text": "test"}, "test")


# a life


@caught_by("making_a_channel_talks_to_nobody")
class ConnectsAtOnce(SMSChannel):
    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        parts = urlsplit(self._url)
        with socket.create_connection((parts.hostname, parts.port)) as wire:
            wire.sendall(b"GET / HTTP/1.1\r\n\r\n")
            wire.recv(1)


@caught_by("a_closed_channel_opens_again")
class CannotBeOpenedAgain(SMSChannel):
    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self._only = httpx.AsyncClient(timeout=self._timeout, trust_env=False)

    async def open(self):
        self._client = self._only


@caught_by("opening_and_closing_a_channel_twice_is_harmless")
class CannotBeClosedTwice(SMSChannel):
    async def close(self):
        client = self._client
        self._client = None
        await client.aclose()


@caught_by("closing_lets_go_of_every_connection")
class LeavesItsConnections(SMSChannel):
    kept = []

    async def close(self):
        self.kept.append(self._client)
        self._client = None


@caught_by("a_channel_serves_one_loop_after_another")
class BelongsToItsFirstLoop(SMSChannel):
    async def close(self):
        pass
