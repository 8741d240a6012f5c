"""A real Postfix on loopback, from a folder of its own: takes mail for a few mailboxes, and relays nothing.

It needs Debian's ``postfix`` installed (its service may be off) and root, whom Postfix's master insists on.
"""

import os
import pwd
import shutil
import socket
import subprocess
import time
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Self

import trustme

USERS = ("ada", "bob", "žofie")


def missing() -> str:
    """Return why no Postfix can be run here; an empty text if it can."""
    if shutil.which("postfix") is None or shutil.which("postconf") is None:
        return "postfix is not installed"
    return "" if os.geteuid() == 0 else "postfix runs as root only"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as held:
        return int(held.getsockname()[1])


class Postfix:
    """Runs while it is entered. ``port`` offers STARTTLS, ``tls_port`` speaks TLS from the first byte."""

    def __init__(self, folder: Path, authority: trustme.CA, **settings: str) -> None:
        self.folder = folder
        self.port, self.tls_port = free_port(), free_port()
        owner = pwd.getpwnam("postfix")
        for name in ("etc", "queue", "data", "mail"):
            (folder / name).mkdir(parents=True)
        for name in ("data", "mail"):
            os.chown(folder / name, owner.pw_uid, owner.pw_gid)
        for each in (folder, *folder.parents):
            if each.owner() == "root" and each != Path("/tmp"):
                each.chmod(each.stat().st_mode | 0o711)  # Postfix's daemons go through as another user
        key = folder / "etc" / "key.pem"
        authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(key))
        boxes = " ".join(f"{{{user}@example.com = {number}/}}" for number, user in enumerate(USERS))
        facts = {
            "compatibility_level": "3.6",
            "queue_directory": f"{folder}/queue",
            "data_directory": f"{folder}/data",
            "maillog_file": f"{folder}/log",
            "maillog_file_prefixes": str(folder),
            "inet_interfaces": "127.0.0.1",
            "inet_protocols": "ipv4",
            "myhostname": "mail.example",
            "mydestination": "",
            "mynetworks": "",
            "virtual_mailbox_domains": "example.com",
            "virtual_mailbox_base": f"{folder}/mail",
            "virtual_mailbox_maps": f"inline:{{ {boxes} }}",
            "virtual_uid_maps": f"static:{owner.pw_uid}",
            "virtual_gid_maps": f"static:{owner.pw_gid}",
            "default_transport": "error:nothing leaves this machine",
            "relay_transport": "error:nothing leaves this machine",
            "smtp_dns_support_level": "disabled",
            "smtpd_peername_lookup": "no",
            "smtpd_relay_restrictions": "reject_unauth_destination",
            "smtpd_tls_security_level": "may",
            "smtpd_tls_chain_files": str(key),
            "smtputf8_enable": "yes",
            "message_size_limit": "500000",
            "mailbox_size_limit": "0",
            "virtual_mailbox_limit": "0",
            **settings,
        }
        (folder / "etc" / "main.cf").write_text("".join(f"{name} = {value}\n" for name, value in facts.items()))
        services = [
            f"127.0.0.1:{self.port} inet n - n - - smtpd",
            f"127.0.0.1:{self.tls_port} inet n - n - - smtpd -o smtpd_tls_wrappermode=yes",
            "cleanup unix n - n - 0 cleanup",
            "qmgr unix n - n 300 1 qmgr",
            "tlsmgr unix - - n 1000? 1 tlsmgr",
            "rewrite unix - - n - - trivial-rewrite",
            *(f"{name} unix - - n - 0 bounce" for name in ("bounce", "defer", "trace")),
            "flush unix n - n 1000? 0 flush",
            "proxymap unix - - n - - proxymap",
            *(f"{name} unix - - n - - error" for name in ("error", "retry")),
            "virtual unix - n n - - virtual",
            "anvil unix - - n - 1 anvil",
            "postlog unix-dgram n - n - 1 postlogd",
        ]
        (folder / "etc" / "master.cf").write_text("\n".join(services) + "\n")

    @staticmethod
    def version() -> str:
        return subprocess.run(["postconf", "-d", "-h", "mail_version"], capture_output=True, text=True, check=True).stdout.strip()

    def _run(self, command: str) -> None:
        done = subprocess.run(["postfix", "-c", str(self.folder / "etc"), command], capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr + self.log

    def __enter__(self) -> Self:
        self._run("start")
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._run("stop")

    @property
    def log(self) -> str:
        path = self.folder / "log"
        return path.read_text(errors="replace") if path.exists() else ""

    def mails(self, user: str, count: int) -> list[EmailMessage]:
        """Return what is in a mailbox, once *count* mails are there: the delivery is the work of other processes, which tell nobody."""
        box = self.folder / "mail" / str(USERS.index(user)) / "new"
        for _ in range(600):
            files = sorted(box.iterdir()) if box.exists() else []
            if len(files) >= count:
                break
            time.sleep(0.05)
        else:
            raise AssertionError(f"only {len(files)} mails came: {self.log}")
        mails = [message_from_bytes(each.read_bytes(), policy=default) for each in files]
        assert all(isinstance(each, EmailMessage) for each in mails)
        return mails  # type: ignore[return-value]
