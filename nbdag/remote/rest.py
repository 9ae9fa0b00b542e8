"""The REST half of a Jupyter server: kernels, kernelspecs and files. Tokens go into headers and nowhere else."""

from __future__ import annotations

import base64
import re
import time
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

from nbdag.errors import AccessRefused, ConnectionLost, EnvironmentRefused, RemoteError, UsageError

_CONNECT_SECONDS = 10.0
_ANSWER_SECONDS = 60.0
_ATTEMPTS = 4  # of what may be sent twice without harm
_PAUSE = 0.4  # seconds before the second attempt, doubled for each further one
_TOKEN = re.compile(r"((?:token|access_token|auth|key|password)=)[^&\s'\"]+", re.IGNORECASE)
_USER = re.compile(r"//[^/@\s]+@")


def scrubbed(text: object) -> str:
    """``text`` without tokens in query strings, and without users and passwords in URLs."""
    return _USER.sub("//", _TOKEN.sub(r"\1...", str(text)))


def split_token(url: str) -> tuple[str, str]:
    """The URL of a server as it may be shown and kept, and the token that was in it ("" if none).

    Raises UsageError where it is no URL of a server.
    """
    parts = urlsplit(url if "://" in url else f"http://{url}")
    try:
        sound = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # what should be a port is none
        sound = False
    if not sound:
        raise UsageError(f"{scrubbed(url)} is not the URL of a Jupyter server", "http://HOST:PORT or https://HOST/PATH")
    token = ""
    for field in parts.query.split("&"):
        key, _, value = field.partition("=")
        if key == "token":
            token = value
    host = parts.netloc.rpartition("@")[2]
    path = re.sub(r"/(lab|tree|notebooks|nbclassic|doc)(/.*)?$", "", parts.path).rstrip("/")
    return urlunsplit((parts.scheme, host, path, "", "")), token


class _Token:
    """Puts the token into each request, and keeps ``requests`` from looking into ~/.netrc."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, prepared: Any) -> Any:
        if self._token:
            prepared.headers["Authorization"] = f"token {self._token}"
        return prepared


class JupyterServer:
    """A Jupyter server, or what speaks like one: JupyterHub's single-user servers, Kernel and Enterprise Gateway.

    Raises ConnectionLost where nobody answers, AccessRefused where the token is wrong, RemoteError for other answers.
    ``certificates`` is a file of certificates to trust, "" for those of the system or of REQUESTS_CA_BUNDLE.
    """

    def __init__(self, url: str, token: str = "", certificates: str = "") -> None:
        requests = _requests()
        self.url = url.rstrip("/")
        self._token = token
        self._session = requests.Session()
        self._session.auth = _Token(token)
        if certificates:
            self._session.verify = certificates
        self._faults = requests.exceptions

    def __repr__(self) -> str:
        return f"JupyterServer({self.url!r})"

    @property
    def headers(self) -> list[str]:
        """What a websocket has to say to be let in."""
        return [f"Authorization: token {self._token}"] if self._token else []

    def websocket_url(self, kernel: str, session: str) -> str:
        """Where the channels of a kernel are."""
        scheme, rest = self.url.split("://", 1)
        return f"{'wss' if scheme == 'https' else 'ws'}://{rest}/api/kernels/{kernel}/channels?session_id={session}"

    def version(self) -> str:
        """The version of the server."""
        return str(self._json("GET", "api").get("version", ""))

    def kernelspecs(self) -> dict[str, Any]:
        """``{"default": name, "kernelspecs": {name: ...}}``."""
        return self._json("GET", "api/kernelspecs")

    def start_kernel(self, name: str = "", path: str = "") -> str:
        """Start a kernel; its id."""
        body: dict[str, Any] = {**({"name": name} if name else {}), **({"path": path} if path else {})}
        return str(self._json("POST", "api/kernels", body=body, seconds=180.0, attempts=1)["id"])

    def kernels(self) -> list[dict[str, Any]]:
        """The kernels that run there."""
        found = self._answer("GET", "api/kernels").json()
        return list(found) if isinstance(found, list) else []

    def sessions(self) -> list[dict[str, Any]]:
        """The sessions there: which notebook has which kernel."""
        found = self._answer("GET", "api/sessions").json()
        return list(found) if isinstance(found, list) else []

    def kernel(self, identity: str) -> dict[str, Any] | None:
        """What the server says of a kernel, None where there is none of that id."""
        answer = self._answer("GET", f"api/kernels/{identity}", accept=(404,))
        return None if answer.status_code == 404 else dict(answer.json())

    def interrupt(self, identity: str) -> None:
        """As Ctrl-C there."""
        self._answer("POST", f"api/kernels/{identity}/interrupt", attempts=2)

    def end_kernel(self, identity: str) -> None:
        """End a kernel, if it is still there."""
        self._answer("DELETE", f"api/kernels/{identity}", accept=(404,), attempts=2)

    # -------------------------------------------------------------------------------------------- files

    def has_contents(self) -> bool:
        """Whether files can be put there: gateways serve kernels only."""
        answer = self._answer("GET", "api/contents?content=0", accept=(400, 404, 405))
        return bool(answer.ok)

    def make_directory(self, path: str) -> None:
        """Make a directory among the server's files."""
        self._answer("PUT", f"api/contents/{quote(path)}", body={"type": "directory"})

    def put(self, path: str, content: bytes) -> None:
        """Write a file whole; writing it twice does no harm, so a broken connection is tried again."""
        body = {"type": "file", "format": "base64", "content": base64.b64encode(content).decode("ascii")}
        self._answer("PUT", f"api/contents/{quote(path)}", body=body, seconds=600.0)

    def get(self, path: str) -> bytes:
        """The content of a file. Raises RemoteError where it is not there."""
        return bytes(self._answer("GET", f"files/{quote(path)}", seconds=600.0).content)

    def remove(self, path: str) -> None:
        """Remove a file or directory, if it is there."""
        self._answer("DELETE", f"api/contents/{quote(path)}", accept=(400, 404), attempts=2)

    # -------------------------------------------------------------------------------------------- inside

    def _json(
        self, method: str, path: str, *, body: Any = None, seconds: float = _ANSWER_SECONDS, attempts: int = _ATTEMPTS
    ) -> dict[str, Any]:
        answer = self._answer(method, path, body=body, seconds=seconds, attempts=attempts)
        try:
            return dict(answer.json())
        except ValueError:
            raise RemoteError(
                f"{self.url} does not answer as a Jupyter server does",
                "is the address right, and does it end in a path?",
            ) from None

    def _answer(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        seconds: float = _ANSWER_SECONDS,
        attempts: int = _ATTEMPTS,
        accept: tuple[int, ...] = (),
    ) -> Any:
        pause = _PAUSE
        for attempt in range(attempts):
            if attempt:
                time.sleep(pause)
                pause *= 2
            try:
                answer = self._session.request(
                    method,
                    f"{self.url}/{path}",
                    json=body,
                    timeout=(_CONNECT_SECONDS, seconds),
                    allow_redirects=False,
                )
            except self._faults.SSLError as fault:
                raise AccessRefused(
                    f"{self.url} cannot prove who it is: {_short(fault)}",
                    "REQUESTS_CA_BUNDLE names the file of certificates to trust; nbdag does not go on without",
                ) from None
            except (self._faults.ConnectionError, self._faults.Timeout, self._faults.ChunkedEncodingError) as fault:
                last = fault
                continue
            except self._faults.RequestException as fault:
                raise UsageError(f"{self.url}: {_short(fault)}") from None
            if answer.status_code in (502, 503, 504) and attempt + 1 < attempts:
                continue
            if answer.ok and answer.status_code < 300:
                return answer
            if answer.status_code in accept:
                return answer
            self._refuse(method, path, answer)
        raise ConnectionLost(
            f"{self.url} does not answer: {_short(last)}", "is the server up, and is this the right address?"
        )

    def _refuse(self, method: str, path: str, answer: Any) -> None:
        status = answer.status_code
        place = f"{self.url}/{path.partition('?')[0]}"
        if status in (301, 302, 303, 307, 308):
            raise AccessRefused(
                f"{self.url} sends to another page instead of answering ({status}): a login, most likely",
                "give a token: %nbdag remote add NAME URL --token-env VARIABLE",
            )
        if status in (401, 403):
            given = "does not accept the token" if self._token else "wants a token"
            raise AccessRefused(
                f"{self.url} {given} ({status})",
                "a new one into the environment variable of --token-env, or into the keyring: it may have expired",
            )
        try:
            said = answer.json()
            reason = str(said.get("message") or said.get("reason") or "")
        except (ValueError, AttributeError):
            reason = str(answer.reason or "")
        if status == 413:
            raise RemoteError(
                f"{place}: the server takes no file of that size", "ServerApp.max_body_size there says how much"
            )
        if status == 507 or "No space left" in reason:
            raise RemoteError(f"{self.url}: the disk there is full", "make room there")
        if status == 500 and method == "POST" and path == "api/kernels":
            raise EnvironmentRefused(
                f"{self.url}: no kernel starts there: {scrubbed(reason)[:300]}", "look into the server's log"
            )
        raise RemoteError(f"{method} {place}: {status} {scrubbed(reason)[:300]}".rstrip())


def _short(fault: object) -> str:
    """The last words of a fault of ``requests``, which are those of the system."""
    text = scrubbed(fault)
    found = re.search(r"\[(?:Errno -?\d+|SSL[^\]]*)\] ([^\"')]+)", text)
    if found:
        return found[1]
    if "timed out" in text.lower():
        return "it took too long"
    if "Remote end closed" in text or "Connection aborted" in text:
        return "the connection was cut"
    return text[:200]


def _requests() -> Any:
    try:
        import requests  # type: ignore[import-untyped,import-not-found,unused-ignore]
    except ImportError:
        raise EnvironmentRefused(
            "running cells elsewhere needs the packages requests and websocket-client", "pip install 'nbdag[remote]'"
        ) from None
    return requests
