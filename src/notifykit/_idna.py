"""Domain names outside ASCII, as DNS, SMTP and URLs take them."""

from notifykit.errors import MissingExtraError

__all__ = ["to_a_labels"]


def to_a_labels(domain: str, what: str) -> str:
    """Return the ASCII form by IDNA 2008 with the UTS 46 mapping, as browsers do; the stdlib's codec is IDNA 2003 (ß became ss).

    Raises:
        MissingExtraError: *what* needs ``idna``.
        UnicodeError: it is no domain name; the text shows it.
    """
    try:
        import idna
    except ModuleNotFoundError as error:
        raise MissingExtraError(f'{what} need an optional dependency: pip install "notifykit[email]"', extra="email") from error
    return idna.encode(domain, uts46=True, std3_rules=True).decode("ascii")
