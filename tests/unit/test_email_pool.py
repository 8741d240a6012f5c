"""Connections are kept, checked, replaced and shared; servers that are down are passed over and come back."""

import asyncio
import gc
import logging
import threading
from typing import Any

import anyio
import anyio.to_thread
import pytest
import trio
from blockbuster import blockbuster_ctx

from notifykit.channels.email import EmailChannel
from notifykit.channels.email.failover import FIRST_REST, LONGEST_REST, Failover
from notifykit.errors import ChannelUnavailableError, DeliveryError, PermanentError, TransientError
from tests._smtp import Answer, Cut, Hang, SMTPServer
from tests._smtp_client import ManualClock, channel_to, listening_port_of_nobody, send, until


def connections(server: SMTPServer) -> list[int]:
    return [mail.connection for mail in server.mails]


@pytest.mark.anyio
class TestConnections:
    async def test_nothing_connects_before_the_first_send(self, anyio_backend: str) -> None:
        with SMTPServer() as server:
            async with channel_to(server) as channel:
                await channel.open()
                assert server.connections == 0
                await send(channel)
                assert server.connections == 1

    async def test_one_connection_takes_fifty_mails_and_then_says_goodbye(self, anyio_backend: str) -> None:
        with SMTPServer() as server:
            async with channel_to(server) as channel:
                for _ in range(101):
                    await send(channel)
                await until(server.reached, "QUIT", 2)
            assert [connections(server).count(number) for number in (1, 2, 3)] == [50, 50, 1]
            assert server.most_connections <= 2

    async def test_refused_mails_count_too(self, anyio_backend: str) -> None:
        with SMTPServer() as server:
            server.script["RCPT"] = [Answer("550 5.7.1 no")] * 50
            async with channel_to(server) as channel:
                for _ in range(50):
                    with pytest.raises(PermanentError):
                        await send(channel)
                await send(channel)
            assert connections(server) == [2]
            assert server.seen("RSET") == 49

    async def test_an_idle_connection_is_asked_before_it_is_used_again(self, anyio_backend: str) -> None:
        clock = ManualClock()
        with SMTPServer() as server:
            async with channel_to(server, clock=clock) as channel:
                await send(channel)
                clock.passed += 7.9
                await send(channel)
                assert server.seen("NOOP") == 0
                clock.passed += 8
                await send(channel)
                assert server.seen("NOOP") == 1
                assert connections(server) == [1, 1, 1]

    @pytest.mark.parametrize(
        "step", [Cut(), Cut("421 4.4.2 idle too long"), Answer("421 4.4.2 idle too long"), Answer("500 what?"), Hang()]
    )
    async def test_an_idle_connection_that_is_not_well_is_replaced(self, anyio_backend: str, step: Any) -> None:
        clock = ManualClock()
        with SMTPServer() as server:
            async with channel_to(server, clock=clock, timeout=1) as channel:
                await send(channel)
                clock.passed += 8
                server.script["NOOP"] = [step]
                await send(channel)
            assert connections(server) == [1, 2]

    @pytest.mark.parametrize("step", [Cut(), Cut("421 4.4.2 idle too long"), Answer("421 4.3.2 going down")])
    async def test_a_kept_connection_that_the_server_closes_costs_nothing(self, anyio_backend: str, step: Any) -> None:
        with SMTPServer() as server:
            async with channel_to(server) as channel:
                await send(channel)
                server.script["MAIL"] = [step]
                await send(channel)
            assert connections(server) == [1, 2]

    async def test_a_reset_that_fails_costs_nothing_either(self, anyio_backend: str) -> None:
        with SMTPServer() as server:
            server.script["RCPT"] = [Answer("550 5.7.1 no")]
            server.script["RSET"] = [Answer("502 what?")]
            async with channel_to(server) as channel:
                with pytest.raises(PermanentError):
                    await send(channel)
                await send(channel)
            assert connections(server) == [2]

    async def test_a_kept_connection_that_hangs_is_not_tried_again_by_itself(self, anyio_backend: str) -> None:
        with SMTPServer() as server:
            async with channel_to(server, timeout=1) as channel:
                await send(channel)
                server.script["MAIL"] = [Hang()]
                with pytest.raises(TransientError):
                    await send(channel)
                assert server.connections == 1
                await send(channel)
            assert connections(server) == [1, 2]

    async def test_a_server_that_restarts_between_two_mails_is_not_noticed(self, anyio_backend: str) -> None:
        with SMTPServer() as server:
            async with channel_to(server) as channel:
                await send(channel)
                server.stop_listening()
                server.listen_again()
                await send(channel)
            assert connections(server) == [1, 2]

    async def test_many_sends_at_once_share_the_connections(self, anyio_backend: str) -> None:
        with SMTPServer(tls="starttls") as server:
            async with channel_to(server, pool_size=4) as channel, anyio.create_task_group() as tasks:
                for number in range(60):
                    tasks.start_soon(send, channel, f"user{number}@example.com")
            assert {mail.recipients[0] for mail in server.mails} == {f"user{number}@example.com" for number in range(60)}
            assert len(server.mails) == 60
            assert all(mail.message["To"] == mail.recipients[0] for mail in server.mails)
            assert server.most_connections <= 4

    async def test_a_send_that_waits_for_a_connection_can_be_cancelled(self, anyio_backend: str) -> None:
        with SMTPServer() as server:
            server.script["RCPT"] = [Hang()]
            async with channel_to(server, pool_size=1) as channel, anyio.create_task_group() as tasks:
                tasks.start_soon(send, channel, "first@example.com")
                await until(server.reached, "RCPT")
                with anyio.move_on_after(0.05) as scope:
                    await send(channel)
                assert scope.cancelled_caught
                tasks.cancel_scope.cancel()
            async with channel_to(server, pool_size=1) as channel:
                await send(channel)
            assert len(server.mails) == 1

    async def test_cancelled_sends_never_use_up_the_pool(self, anyio_backend: str) -> None:
        with SMTPServer() as server:
            server.script["RCPT"] = [Hang()] * 6
            async with channel_to(server, pool_size=2) as channel:
                for number in range(6):
                    async with anyio.create_task_group() as tasks:
                        tasks.start_soon(send, channel)
                        await until(server.reached, "RCPT", number + 1)
                        tasks.cancel_scope.cancel()
                await send(channel)
            assert len(server.mails) == 1

    async def test_a_closed_channel_opens_again(self, anyio_backend: str) -> None:
        with SMTPServer(tls="tls") as server:
            async with channel_to(server) as channel:
                for _ in range(2):
                    await send(channel)
                    await channel.close()
                    await channel.close()
                    await until(server.wait_for, lambda server: server.open_connections == 0)
                await channel.open()
                await send(channel)
            assert connections(server) == [1, 2, 3]
            assert server.seen("QUIT") == 3

    async def test_closing_waits_only_a_little_for_a_server_that_hangs(self, anyio_backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("notifykit.channels.email.connection.QUIT_TIMEOUT", 0.05)
        with SMTPServer() as server:
            server.script["QUIT"] = [Hang()]
            async with channel_to(server) as channel:
                await send(channel)
            await until(server.wait_for, lambda server: server.open_connections == 0)

    async def test_a_mail_under_way_when_the_channel_closes_is_sent_and_its_connection_closed(self, anyio_backend: str) -> None:
        with SMTPServer() as server:
            async with channel_to(server) as channel:
                server.script["RCPT"] = [Answer("250 slow")]
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(_ignoring, channel)
                    await until(server.reached, "MAIL")
                    await channel.close()
                await until(server.wait_for, lambda server: server.open_connections == 0)


async def _ignoring(channel: EmailChannel) -> None:
    try:
        await send(channel)
    except DeliveryError:
        return


@pytest.mark.anyio
class TestFailover:
    async def test_the_next_server_takes_over_and_the_first_comes_back(self, anyio_backend: str, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.WARNING, "notifykit")
        clock = ManualClock()
        with SMTPServer() as first, SMTPServer() as second:
            async with channel_to(first, second, clock=clock) as channel:
                first.stop_listening()
                await send(channel)
                await send(channel)
                assert (len(first.mails), len(second.mails)) == (0, 2)
                assert sum("cannot be used" in record.getMessage() for record in caplog.records) == 1
                first.listen_again()
                await send(channel)
                assert (len(first.mails), len(second.mails)) == (0, 3)
                clock.passed += FIRST_REST
                await send(channel)
                await send(channel)
                assert (len(first.mails), len(second.mails)) == (2, 3)

    async def test_a_server_that_greets_badly_is_passed_over(self, anyio_backend: str) -> None:
        with SMTPServer() as first, SMTPServer() as second:
            first.script["GREETING"] = [Answer("421 4.3.2 busy")]
            async with channel_to(first, second) as channel:
                await send(channel)
            assert len(second.mails) == 1

    async def test_when_all_are_down_the_error_says_so_of_each_and_all_are_tried_again(self, anyio_backend: str) -> None:
        with SMTPServer() as server, listening_port_of_nobody() as nobody:
            async with channel_to(nobody, server) as channel:
                server.stop_listening()
                for _ in range(2):
                    with pytest.raises(ChannelUnavailableError, match="none of the 2 mail servers") as caught:
                        await send(channel)
                    assert str(caught.value).count("refused") == 2
                server.listen_again()
                await send(channel)
            assert len(server.mails) == 1

    async def test_one_server_alone_is_tried_at_every_send(self, anyio_backend: str) -> None:
        with SMTPServer() as server:
            async with channel_to(server) as channel:
                server.stop_listening()
                with pytest.raises(ChannelUnavailableError):
                    await send(channel)
                server.listen_again()
                await send(channel)

    async def test_check_looks_at_every_server(self, anyio_backend: str) -> None:
        with SMTPServer() as server, listening_port_of_nobody() as nobody:
            async with channel_to(server, nobody) as channel:
                with pytest.raises(ChannelUnavailableError, match=str(nobody)):
                    await channel.check()


class TestOrder:
    def test_a_rested_server_is_tried_by_one_connection_at_a_time(self) -> None:
        failover = Failover(2)
        assert list(failover.order(0)) == [0, 1]
        failover.failed(0, 0)
        assert list(failover.order(FIRST_REST - 1)) == [1, 0]
        assert list(failover.order(FIRST_REST)) == [0, 1]
        failover.trying(0, FIRST_REST)
        assert list(failover.order(FIRST_REST)) == [1, 0]
        failover.worked(0)
        assert list(failover.order(FIRST_REST)) == [0, 1]

    def test_rests_grow_to_a_limit(self) -> None:
        failover = Failover(2)
        for failures in range(1, 40):
            failover.failed(0, 0)
            rest = min(FIRST_REST * 2 ** (failures - 1), LONGEST_REST)
            assert list(failover.order(rest - 0.1)) == [1, 0]
            assert list(failover.order(rest)) == [0, 1]

    def test_of_those_that_rest_the_one_that_is_ready_soonest_comes_first(self) -> None:
        failover = Failover(3)
        failover.failed(0, 10)
        failover.failed(1, 5)
        failover.failed(2, 7)
        assert list(failover.order(11)) == [1, 2, 0]


def _use_two_loops(channel: EmailChannel) -> None:
    """Python warns of what the first loop left open; that is right, and all of it."""

    async def finish() -> None:
        await send(channel)
        await channel.close()

    asyncio.run(_ignoring(channel))
    asyncio.run(finish())
    gc.collect()


class TestLoops:
    def test_sending_blocks_no_event_loop(self) -> None:
        with SMTPServer(tls="starttls", login=("ada", "s3cret")) as server, blockbuster_ctx("notifykit"):

            async def use() -> None:
                async with channel_to(server, username="ada", password="s3cret") as channel:
                    await channel.check()
                    await send(channel)

            asyncio.run(use())
            trio.run(use)
        assert len(server.mails) == 2

    def test_one_channel_serves_one_loop_after_another(self) -> None:
        with SMTPServer(tls="starttls") as server:
            channel: list[EmailChannel] = []

            async def use() -> None:
                if not channel:
                    async with channel_to(server) as made:
                        channel.append(made)
                await send(channel[0])
                await channel[0].close()

            asyncio.run(use())
            trio.run(use)
            asyncio.run(use())
            trio.run(use)
            assert connections(server) == [1, 2, 3, 4]

    def test_a_loop_that_ended_without_closing_leaves_nothing_in_the_way(self) -> None:
        with SMTPServer() as server:
            channel = EmailChannel("127.0.0.1", server.port, sender="a@acme.example", security="none")

            with pytest.warns(ResourceWarning, match="unclosed"):
                _use_two_loops(channel)
            assert connections(server) == [1, 2]

    def test_two_loops_in_two_threads_use_one_channel_at_once(self) -> None:
        with SMTPServer() as server:
            channel = EmailChannel("127.0.0.1", server.port, sender="a@acme.example", security="none")
            both = threading.Barrier(2)

            async def use() -> None:
                for _ in range(20):
                    await send(channel)
                await anyio.to_thread.run_sync(both.wait, 10)
                await channel.close()

            threads = [threading.Thread(target=run, args=(use,)) for run in (lambda main: asyncio.run(main()), trio.run)]
            for each in threads:
                each.start()
            for each in threads:
                each.join(15)
            assert len(server.mails) == 40
            assert server.open_connections == 0 or server.wait_for(lambda server: server.open_connections == 0) is None

    def test_under_trio_the_thread_ends_with_the_channel(self) -> None:
        with SMTPServer() as server:

            async def use() -> None:
                async with channel_to(server) as channel:
                    await send(channel)
                    assert any(thread.name == "notifykit-smtp" for thread in threading.enumerate())

            trio.run(use)
            assert not any(thread.name == "notifykit-smtp" for thread in threading.enumerate())

    def test_under_trio_a_mail_that_was_accepted_is_never_reported_as_cancelled(self) -> None:
        """The cancellation comes while the answer is on its way back from the other thread."""
        with SMTPServer() as server:

            async def use() -> None:
                async with channel_to(server) as channel:
                    await send(channel)
                    results: list[str | None] = []

                    async def sending() -> None:
                        results.append(await send(channel))

                    async with trio.open_nursery() as nursery:
                        nursery.start_soon(sending)
                        for _ in range(3):
                            await trio.lowlevel.checkpoint()
                        server.wait_for(lambda server: len(server.mails) == 2)  # blocks trio: the answer cannot be taken in
                        server.wait_for(lambda server: server.seen("DATA") == 2)
                        home = channel._home._away
                        assert home is not None
                        settled = threading.Event()
                        home._loop.call_soon_threadsafe(home._loop.call_later, 0.1, settled.set)
                        assert settled.wait(5)
                        nursery.cancel_scope.cancel()
                    assert results == ["4F5C12345"]

            trio.run(use)
