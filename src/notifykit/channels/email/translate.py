"""What an exception below us means: every one of aiosmtplib, ssl, socket and asyncio becomes an error of ours."""

import os
import socket
import ssl

from notifykit.channels.email.replies import Answer, Stage, failure, refusal
from notifykit.errors import DeliveryError

__all__ = ["translate"]


def translate(stage: Stage, error: Exception) -> DeliveryError | None:
    """Return what *error*, raised by aiosmtplib or below it in *stage*, means; None for one that is nobody's but a bug's."""
    import aiosmtplib

    if isinstance(error, DeliveryError):
        return error
    if isinstance(error, aiosmtplib.SMTPResponseException) and 400 <= error.code <= 599:
        return refusal(stage, Answer(error.code, error.message))
    if isinstance(error, aiosmtplib.SMTPException | OSError | EOFError | UnicodeError):
        return failure(stage, _reason(error))
    return None


def _reason(error: BaseException) -> str:
    """Say what went wrong in words that come from the machine, never from the server."""
    causes = [error]
    while (below := causes[-1].__cause__ or causes[-1].__context__) is not None and below not in causes:
        causes.append(below)
    for each in causes:
        if isinstance(each, ssl.SSLCertVerificationError):
            return f"its certificate is not trusted ({getattr(each, 'verify_message', 'no reason given')})"
    for each in causes:
        if isinstance(each, ssl.SSLError):
            return f"TLS failed ({getattr(each, 'reason', None) or 'no reason given'})"
    if any(isinstance(each, TimeoutError) for each in causes):
        return "no answer in time"
    for each in causes:
        if isinstance(each, socket.gaierror):
            return f"its name cannot be resolved ({each.strerror})"
        if isinstance(each, OSError) and each.errno:
            return os.strerror(each.errno)  # asyncio's own text is “Connect call failed”, which says less
        if type(each) is OSError and str(each):
            return str(each)  # asyncio's, of several addresses that all failed
    return type(error).__name__
