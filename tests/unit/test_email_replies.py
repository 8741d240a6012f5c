"""Each answer of a server means one error; what the server says about people is not repeated."""

import inspect
import socket
import ssl
from datetime import timedelta
from typing import Any

import aiosmtplib
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from notifykit.channels.email.redact import redact
from notifykit.channels.email.replies import Answer, Stage, failure, queue_id, refusal
from notifykit.channels.email.translate import translate
from notifykit.errors import (
    AddressGoneError,
    ChannelUnavailableError,
    DeliveryError,
    OutcomeUnknownError,
    PermanentError,
    RateLimitedError,
    TransientError,
)

MINUTE = timedelta(minutes=1)
SESSION = [Stage.CONNECT, Stage.TLS, Stage.EHLO, Stage.AUTH, Stage.NOOP]

TABLE: list[tuple[Stage, str, type[DeliveryError], str, timedelta | None]] = [
    # the recipient does not exist: only what is said of the recipient
    (Stage.RCPT, "550 5.1.1 no such user", AddressGoneError, "5.1.1", None),
    (Stage.RCPT, "550 5.1.2 no such domain", AddressGoneError, "5.1.2", None),
    (Stage.RCPT, "501 5.1.3 bad address syntax", AddressGoneError, "5.1.3", None),
    (Stage.RCPT, "551 5.1.6 moved away", AddressGoneError, "5.1.6", None),
    (Stage.RCPT, "556 5.1.10 null MX", AddressGoneError, "5.1.10", None),
    (Stage.CONTENT, "550 5.1.1 no such user", AddressGoneError, "5.1.1", None),
    (Stage.RCPT, "550 5.1.0 rejected", PermanentError, "5.1.0", None),
    (Stage.RCPT, "550 5.1.8 bad sender's domain", PermanentError, "5.1.8", None),
    (Stage.MAIL, "550 5.1.1 sender unknown", PermanentError, "5.1.1", None),
    (Stage.DATA, "554 5.1.1 no valid recipients", PermanentError, "5.1.1", None),
    # refused for good
    (Stage.RCPT, "550 5.7.1 relaying denied", PermanentError, "5.7.1", None),
    (Stage.CONTENT, "554 5.7.1 looks like spam", PermanentError, "5.7.1", None),
    (Stage.RCPT, "550 5.2.1 mailbox disabled", PermanentError, "5.2.1", None),
    (Stage.RCPT, "552 5.2.2 over quota", PermanentError, "5.2.2", None),
    (Stage.RCPT, "550 no such user", PermanentError, "550", None),
    (Stage.MAIL, "553 sender not allowed", PermanentError, "553", None),
    (Stage.CONTENT, "552 too big", PermanentError, "552", None),
    (Stage.DATA, "503 5.5.1 bad sequence", PermanentError, "5.5.1", None),
    # not this message's fault
    (Stage.MAIL, "530 5.7.0 authentication required", ChannelUnavailableError, "5.7.0", None),
    (Stage.MAIL, "530 Must issue a STARTTLS command first", ChannelUnavailableError, "530", None),
    (Stage.RCPT, "535 5.7.8 session expired", ChannelUnavailableError, "5.7.8", None),
    (Stage.MAIL, "421 4.3.2 shutting down", ChannelUnavailableError, "4.3.2", None),
    # the channel is too fast, or the server has no room
    (Stage.MAIL, "450 4.7.1 sending limit reached", RateLimitedError, "4.7.1", 5 * MINUTE),
    (Stage.MAIL, "452 4.3.1 insufficient system storage", RateLimitedError, "4.3.1", 5 * MINUTE),
    (Stage.MAIL, "452 no space", RateLimitedError, "452", 5 * MINUTE),
    (Stage.CONTENT, "452 4.3.1 disk full", RateLimitedError, "4.3.1", 5 * MINUTE),
    (Stage.CONTENT, "454 Throttling failure: Maximum sending rate exceeded.", RateLimitedError, "454", MINUTE),
    (Stage.RCPT, "421 4.7.28 unusual rate of mail from your IP", RateLimitedError, "4.7.28", MINUTE),
    (Stage.RCPT, "451 4.7.0 too many messages, slow down", RateLimitedError, "4.7.0", MINUTE),
    # this mailbox, later
    (Stage.RCPT, "452 4.2.2 mailbox full", TransientError, "4.2.2", 30 * MINUTE),
    (Stage.RCPT, "452 over quota", TransientError, "452", 30 * MINUTE),
    (Stage.CONTENT, "450 4.2.2 mailbox full", TransientError, "4.2.2", 30 * MINUTE),
    (Stage.RCPT, "451 4.7.1 try again later", TransientError, "4.7.1", 5 * MINUTE),
    (Stage.RCPT, "450 4.2.0 Greylisted, see the page", TransientError, "4.2.0", 5 * MINUTE),
    (Stage.RCPT, "450 mailbox busy", TransientError, "450", None),
    (Stage.CONTENT, "451 local error", TransientError, "451", None),
    (Stage.RCPT, "421 closing", TransientError, "421", None),
    (Stage.CONTENT, "421 4.4.2 timeout", TransientError, "4.4.2", None),
    # the enhanced code decides, when it is one
    (Stage.RCPT, "550 4.2.1 try later after all", TransientError, "4.2.1", None),
    (Stage.RCPT, "450 5.1.1 gone after all", AddressGoneError, "5.1.1", None),
    (Stage.RCPT, "550 2.1.5 nonsense", PermanentError, "2.1.5", None),
    (Stage.RCPT, "550 5.01.001 zeros", AddressGoneError, "5.1.1", None),
    (Stage.RCPT, "550 5.1.1x is no code", PermanentError, "550", None),
    (Stage.RCPT, "550 see 5.1.1", PermanentError, "550", None),
    # answers that mean nothing
    (Stage.RCPT, "354 go on", TransientError, "354", None),
    (Stage.DATA, "250 ok", TransientError, "250", None),
    (Stage.CONTENT, "354 go on", OutcomeUnknownError, "354", None),
]


@pytest.mark.parametrize(("stage", "line", "kind", "code", "retry_after"), TABLE, ids=[f"{row[0].name} {row[1]}" for row in TABLE])
def test_an_answer_means_one_error(stage: Stage, line: str, kind: type[DeliveryError], code: str, retry_after: timedelta | None) -> None:
    number, _, text = line.partition(" ")
    error = refusal(stage, Answer(int(number), text))
    assert type(error) is kind
    assert error.code == code
    assert getattr(error, "retry_after", None) == retry_after
    assert number in str(error)
    assert stage.value in str(error)


@pytest.mark.parametrize("stage", SESSION)
@pytest.mark.parametrize(
    "line", ["421 4.7.0 too many connections", "454 4.7.0 TLS not available", "535 5.7.8 wrong", "550 5.1.1 x", "250 ok"]
)
def test_before_any_message_every_refusal_is_the_channels(stage: Stage, line: str) -> None:
    error = refusal(stage, Answer(int(line[:3]), line[4:]))
    assert type(error) is ChannelUnavailableError
    assert line[:3] in str(error)


def test_what_a_server_says_to_auth_is_not_repeated() -> None:
    error = refusal(Stage.AUTH, Answer(501, "5.5.2 cannot decode AGFkYQBzM2NyZXQ="))
    assert str(error) == "the mail server answered 501 5.5.2 to AUTH: check user name and password or token"


@pytest.mark.parametrize("stage", Stage)
def test_a_conversation_that_breaks_off_is_judged_by_its_stage(stage: Stage) -> None:
    error = failure(stage, "no answer in time")
    if stage in SESSION:
        assert type(error) is ChannelUnavailableError
    else:
        assert type(error) is (OutcomeUnknownError if stage is Stage.CONTENT else TransientError)
    assert "no answer in time" in str(error)


MADE: dict[str, Any] = {
    "SMTPException": ("x",),
    "SMTPRecipientsRefused": ([aiosmtplib.SMTPRecipientRefused(550, "5.1.1 ada@example.com", "ada@example.com")],),
    "SMTPSenderRefused": (550, "5.1.1 no", "ada@example.com"),
    "SMTPRecipientRefused": (550, "5.1.1 no", "ada@example.com"),
}
FOREIGN = [
    (type(error).__name__, error)
    for error in [
        ConnectionResetError(104, "Connection reset by peer"),
        ConnectionRefusedError(111, "refused"),
        BrokenPipeError(32, "pipe"),
        TimeoutError(),
        socket.gaierror(-2, "Name or service not known"),
        ssl.SSLError(1, "x"),
        ssl.SSLCertVerificationError(1, "x"),
        ssl.SSLEOFError(8, "eof"),
        EOFError(),
        UnicodeError("label too long"),
        OSError("many"),
    ]
]


def every_error_of_aiosmtplib() -> list[tuple[str, Exception]]:
    classes = [each for each in vars(aiosmtplib.errors).values() if inspect.isclass(each) and issubclass(each, aiosmtplib.SMTPException)]
    assert len(classes) >= 15
    return [
        (each.__name__, each(*MADE.get(each.__name__, (550, "5.7.1 no") if issubclass(each, aiosmtplib.SMTPResponseException) else ("x",))))
        for each in classes
    ]


@pytest.mark.parametrize("stage", Stage)
@pytest.mark.parametrize(("name", "error"), every_error_of_aiosmtplib() + FOREIGN)
def test_every_exception_below_us_becomes_an_error_of_ours(name: str, error: Exception, stage: Stage) -> None:
    told = translate(stage, error)
    assert isinstance(told, DeliveryError)
    if stage in SESSION:
        assert type(told) is ChannelUnavailableError
    assert "ada@example.com" not in str(told)


def test_an_answer_that_cannot_be_read_is_a_broken_conversation() -> None:
    garbage = aiosmtplib.SMTPResponseException(-1, "Malformed SMTP response line: ada@example.com")
    assert type(translate(Stage.RCPT, garbage)) is TransientError
    assert type(translate(Stage.CONTENT, garbage)) is OutcomeUnknownError


def test_a_bug_is_not_taken_for_a_bad_network() -> None:
    assert translate(Stage.RCPT, KeyError("x")) is None


@pytest.mark.parametrize(
    ("text", "id_"),
    [
        ("2.0.0 Ok: queued as 4F5C12345", "4F5C12345"),
        ("Ok: queued as 7lQeFy2iRbWM0rkq9CFtwA", "7lQeFy2iRbWM0rkq9CFtwA"),
        ("OK id=1tEz3k-0000Xy-2P", "1tEz3k-0000Xy-2P"),
        ("2.0.0 4AN9xYzt012345 Message accepted for delivery", "4AN9xYzt012345"),
        ("2.0.0 OK  1732363200 5b1f17b1804b1-432-20020a0d.27 - gsmtp", "5b1f17b1804b1-432-20020a0d.27"),
        ("Ok 0102018f5a3c1b2d-0f3a1b2c-1111-2222-3333-444455556666-000000", "0102018f5a3c1b2d-0f3a1b2c-1111-2222-3333-444455556666-000000"),
        ("2.6.0 <id@x> [InternalId=98765, Hostname=h] 1234 bytes Queued mail for delivery", "98765"),
        ("OK", None),
        ("Great success", None),
        ("", None),
    ],
)
def test_the_queue_id_is_read_where_its_form_is_known(text: str, id_: str | None) -> None:
    assert queue_id(text) == id_


LOCALS = st.from_regex(r"[a-z0-9+'_-]{1,12}", fullmatch=True)


@given(
    LOCALS,
    st.sampled_from(["<{}>", "{}", "to={}", "mailto:{}", "<{}>: no", "https://x.example/w?id={}", "[{}]", "({})", '"{}"']),
    st.booleans(),
)
@example("a", "user {} unknown", False)
def test_no_address_gets_through_in_any_clothes(local: str, form: str, upper: bool) -> None:
    address = f"{local}@example.com"
    told = form.format(address.upper() if upper else address)
    encoded = form.format(address.replace("@", "%40"))
    for text in (f"5.1.1 {told} rejected", f"5.1.1 {encoded} rejected", f"5.1.1\n{told}\r\nrejected"):
        shown = redact(text, [address]).lower()
        assert "example.com" not in shown
        assert shown.endswith("rejected")
    assert local not in redact(f"User {local} is unknown", [address]).split()


@given(st.text(max_size=500), st.lists(st.text(min_size=1, max_size=10).map(lambda local: f"{local}@b.cz"), max_size=2))
def test_a_servers_text_is_one_short_line(text: str, hide: list[str]) -> None:
    shown = redact(text, hide)
    assert len(shown) <= 200
    assert len(shown.splitlines()) <= 1
    assert "@" not in shown
    shown.encode()
