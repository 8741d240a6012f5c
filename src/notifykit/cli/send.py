"""``notifykit send``: the test send."""

import zoneinfo

import click

from notifykit._messages import Receipt, Recipient, Status
from notifykit._notifier.notifier import Notifier
from notifykit.cli.addresses import read_address
from notifykit.cli.application import app_option, find_notifier, with_notifier
from notifykit.cli.failures import BAD_ANSWER
from notifykit.cli.output import Output, json_option
from notifykit.cli.records import receipt_record
from notifykit.cli.variables import read_variables, variable_options

__all__ = ["send"]


@click.command()
@app_option
@click.argument("recipient")
@click.argument("channel")
@click.argument("template")
@click.option("--address", help="Where to, in place of what the application knows of RECIPIENT; JSON for a push subscription.")
@click.option("--locale", help="With --address: a language such as cs-CZ.")
@click.option("--timezone", help="With --address: a time zone such as Europe/Prague.")
@variable_options
@json_option
def send(
    app: str | None,
    recipient: str,
    channel: str,
    template: str,
    address: str | None,
    locale: str | None,
    timezone: str | None,
    var: tuple[str, ...],
    variables: str | None,
    out: Output,
) -> None:
    """Try one recipient, one channel and one template, now.

    Sends for real, past the queue, one attempt; the template's own examples stand in for variables that are not given. RECIPIENT is
    an id that the notifier's find_recipient knows, or any text together with --address.
    """
    if address is None and (locale or timezone):
        raise click.UsageError("--locale and --timezone belong to --address: what find_recipient finds has its own")
    if timezone and timezone not in zoneinfo.available_timezones():
        raise click.UsageError("--timezone is no time zone: write its name, such as Europe/Prague")
    whom: Recipient | str = recipient
    if address is not None:
        whom = Recipient(recipient, {channel: [read_address(address, "--address")]}, locale=locale, timezone=timezone)
    given = read_variables(var, variables)

    async def work(notifier: Notifier) -> Receipt:
        return await notifier.test_send(whom, channel, template, given)

    receipt = with_notifier(find_notifier(app), work)
    out.record(receipt_record(receipt))
    if receipt.status is Status.SENT:
        took = "" if receipt.delivery_time_ms is None else f" in {receipt.delivery_time_ms:,.0f} ms"
        provider = f"; the provider's id is {receipt.provider_id}" if receipt.provider_id else ""
        out.say(f"sent {template} to {recipient} on {channel}{took}{provider}", "green")
        return
    why = f": {type(receipt.error).__name__}: {receipt.error}" if receipt.error else f": {receipt.reason}" if receipt.reason else ""
    out.say(f"not sent ({receipt.status.value}){why}", "red")
    raise click.exceptions.Exit(BAD_ANSWER)
