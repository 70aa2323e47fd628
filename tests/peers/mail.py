"""Peers that take notifications: a mail server that speaks SMTP, with STARTTLS and logins, and a webhook.

Both run in a thread of their own on 127.0.0.1. They are told how to behave badly: hang, refuse, answer with an error.
"""

import asyncio
import base64
import contextlib
import json
import ssl
import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Literal

Tls = Literal["none", "starttls", "implicit"]


@dataclass
class Mail:
    """One mail as it came in."""

    sender: str
    recipients: list[str]
    message: EmailMessage
    encrypted: bool
    login: str | None


@dataclass
class MailServer:
    """A server that keeps every mail; set `login` to want one, `refuses` to refuse recipients, `hangs` to be silent."""

    tls: Tls = "none"
    context: ssl.SSLContext | None = None
    login: tuple[str, str] | None = None
    refuses: set[str] = field(default_factory=set)
    data_code: int = 250
    hangs: bool = False
    port: int = 0
    mails: list[Mail] = field(default_factory=list)
    calls: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Speak with one client to the end."""
        self.calls += 1
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            if self.hangs:
                await reader.read()
                return
            await _Dialogue(self, reader, writer).run()
        writer.close()


@dataclass
class _Dialogue:
    server: MailServer
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    sender: str = ""
    recipients: list[str] = field(default_factory=list)
    user: str | None = None

    @property
    def encrypted(self) -> bool:
        return self.writer.get_extra_info("sslcontext") is not None

    async def say(self, *lines: str) -> None:
        self.writer.write("".join(f"{line}\r\n" for line in lines).encode())
        await self.writer.drain()

    async def hear(self) -> str:
        return (await self.reader.readuntil(b"\r\n")).decode().strip()

    async def run(self) -> None:
        await self.say("220 peer ready")
        while True:
            line = await self.hear()
            verb, _, rest = line.partition(" ")
            if verb.upper() == "QUIT":
                await self.say("221 bye")
                return
            await getattr(self, f"on_{verb.lower()}", self.unknown)(rest)

    async def unknown(self, rest: str) -> None:
        await self.say("502 not known")

    async def on_ehlo(self, rest: str) -> None:
        offers = ["STARTTLS"] if self.server.tls == "starttls" and not self.encrypted else []
        offers += ["AUTH PLAIN LOGIN"] if self.server.login else []
        await self.say(*(f"250-{offer}" for offer in ["peer", *offers]), "250 8BITMIME")

    async def on_starttls(self, rest: str) -> None:
        await self.say("220 go ahead")
        await self.writer.start_tls(self.server.context)

    async def on_auth(self, rest: str) -> None:
        method, _, first = rest.partition(" ")
        if method.upper() == "PLAIN":
            _, name, word = base64.b64decode(first).decode().split("\0")
        else:
            if not first:
                await self.say("334 " + base64.b64encode(b"Username:").decode())
                first = await self.hear()
            name = base64.b64decode(first).decode()
            await self.say("334 " + base64.b64encode(b"Password:").decode())
            word = base64.b64decode(await self.hear()).decode()
        if (name, word) != self.server.login:
            await self.say(f"535 5.7.8 {name} may not enter")
            return
        self.user = name
        await self.say("235 welcome")

    async def on_mail(self, rest: str) -> None:
        if self.server.login and not self.user:
            await self.say("530 log in first")
            return
        self.sender = rest.split("<")[1].split(">")[0]
        await self.say("250 ok")

    async def on_rcpt(self, rest: str) -> None:
        address = rest.split("<")[1].split(">")[0]
        if address in self.server.refuses:
            await self.say(f"550 nobody is called {address}")
            return
        self.recipients.append(address)
        await self.say("250 ok")

    async def on_rset(self, rest: str) -> None:
        self.recipients.clear()
        await self.say("250 ok")

    async def on_data(self, rest: str) -> None:
        await self.say("354 end with a dot")
        body = (await self.reader.readuntil(b"\r\n.\r\n"))[:-5].replace(b"\r\n..", b"\r\n.")
        if self.server.data_code == 250:
            message = message_from_bytes(body, policy=policy.default)
            assert isinstance(message, EmailMessage)
            self.server.mails.append(Mail(self.sender, [*self.recipients], message, self.encrypted, self.user))
        await self.say(f"{self.server.data_code} said about {self.recipients}")


@contextlib.contextmanager
def mail_server(**behaviour: Any) -> Iterator[MailServer]:
    """Serve for as long as the block lasts."""
    server = MailServer(**behaviour)
    ready, loop = threading.Event(), asyncio.new_event_loop()
    stop = asyncio.Event()

    async def serve() -> None:
        async with _listening(server):
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    assert ready.wait(10)
    try:
        yield server
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
        loop.close()


@contextlib.asynccontextmanager
async def _listening(server: MailServer) -> AsyncIterator[None]:
    clients: set[asyncio.Task[None]] = set()

    async def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        clients.add(task)
        with contextlib.suppress(asyncio.CancelledError):
            await server.serve(reader, writer)
        writer.close()

    context = server.context if server.tls == "implicit" else None
    listener = await asyncio.start_server(accepted, "127.0.0.1", 0, ssl=context)
    server.port = listener.sockets[0].getsockname()[1]
    try:
        yield
    finally:
        listener.close()
        for task in clients:
            task.cancel()
        await asyncio.gather(*clients, return_exceptions=True)


def certificate(folder: Path) -> Path:
    """Write a certificate of 127.0.0.1 with its key, which trusts itself, and return the file."""
    import ipaddress

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "peer.pem"
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return path


def tls_context(path: Path) -> ssl.SSLContext:
    """Return the context of a server with that certificate."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(path)
    return context


@dataclass
class Webhook:
    """A webhook that keeps every post; `status` is what it answers."""

    url: str = ""
    status: int = 200
    posts: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    hang: threading.Event | None = None


@contextlib.contextmanager
def webhook(status: int = 200, *, hangs: bool = False) -> Iterator[Webhook]:
    """Serve for as long as the block lasts."""
    hook = Webhook(status=status, hang=threading.Event() if hangs else None)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            if hook.hang is not None:
                hook.hang.wait(30)
                return
            hook.posts.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            hook.headers.append(dict(self.headers))
            hook.paths.append(self.path)
            self.send_response(hook.status)
            if 300 <= hook.status < 400:
                self.send_header("Location", f"{hook.url}/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hook.url = f"http://127.0.0.1:{server.server_port}/services/T0/B0"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield hook
    finally:
        if hook.hang is not None:
            hook.hang.set()
        server.shutdown()
        thread.join(10)
        server.server_close()
