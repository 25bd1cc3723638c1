"""WeChat's platform as a test has it: it seals and signs what followers write, grants access tokens, takes messages and
pictures, all with status 200, as developers.weixin.qq.com tells."""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from starlette.applications import Starlette
from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from router.ports import Request

NOW = datetime(2026, 1, 1, tzinfo=UTC)
STAMP = "1767225600"
APP = "wx2c2769f8efd9abc2"
SECRETS = {
    "WX_TOKEN": "wxtoken",
    "WX_OLD": "wxtoken-of-2025",
    "WX_AES": "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG",
    "WX_SECRET": "app-secret-of-the-account",
}


def xml(**fields: str) -> bytes:
    """A message as the platform writes it."""
    whole = {"ToUserName": "gh_1", "FromUserName": "oUser1", "CreateTime": STAMP, **fields}
    inner = "".join(f"<{name}><![CDATA[{text}]]></{name}>" for name, text in whole.items() if text)
    return f"<xml>{inner}</xml>".encode()


TEXT = xml(MsgType="text", Content="账户被冻结", MsgId="6054768590064713728")


def signature(token: str, *parts: str) -> str:
    """The platform's SHA-1 of the sorted parts."""
    return hashlib.sha1("".join(sorted([token, *parts])).encode()).hexdigest()


def sealed(message: bytes, owner: str = APP) -> str:
    """The message in the container."""
    key = base64.b64decode(SECRETS["WX_AES"] + "=")
    plain = b"0123456789abcdef" + len(message).to_bytes(4, "big") + message + owner.encode()
    missing = 32 - len(plain) % 32
    encryptor = Cipher(algorithms.AES(key), modes.CBC(key[:16])).encryptor()
    return base64.b64encode(encryptor.update(plain + bytes([missing]) * missing) + encryptor.finalize()).decode()


def safe(message: bytes, token: str = SECRETS["WX_TOKEN"], owner: str = APP, stamp: str = STAMP) -> Request:
    """A request in safe mode."""
    encrypted = sealed(message, owner)
    query = {
        "signature": signature(token, stamp, "42"), "timestamp": stamp, "nonce": "42", "openid": "oUser1",
        "encrypt_type": "aes", "msg_signature": signature(token, stamp, "42", encrypted),
    }  # fmt: skip
    body = f"<xml><ToUserName><![CDATA[gh_1]]></ToUserName><Encrypt><![CDATA[{encrypted}]]></Encrypt></xml>"
    url = f"/channels/wechat?{urlencode(query)}"
    return Request(method="POST", url=url, headers={"content-type": "text/xml"}, query=query, body=body.encode())


class Platform:
    """The platform's interfaces: grants tokens, takes messages and pictures, all with status 200."""

    def __init__(self) -> None:
        self.script: list[Response | None] = []  # None: answer as usual
        self.granted: list[dict[str, Any]] = []
        self.valid = ""
        self.sent: list[bytes] = []
        self.pictures: list[tuple[str, bytes]] = []
        self.app = Starlette(
            routes=[
                Route("/cgi-bin/stable_token", self.token, methods=["POST"]),
                Route("/cgi-bin/message/custom/send", self.message, methods=["POST"]),
                Route("/cgi-bin/media/upload", self.picture, methods=["POST"]),
            ]
        )

    async def token(self, request: HttpRequest) -> Response:
        """Grant the present token, or a new one when it must be."""
        asked = await request.json()
        self.granted.append(asked)
        if (asked["appid"], asked["secret"]) != (APP, SECRETS["WX_SECRET"]):
            return JSONResponse({"errcode": 40125, "errmsg": "invalid appsecret"})
        if asked["force_refresh"] or not self.valid:
            self.valid = f"ACCESS-{len(self.granted)}"
        return JSONResponse({"access_token": self.valid, "expires_in": 7200})

    async def message(self, request: HttpRequest) -> Response:
        """Take a customer-service message."""
        body = await request.body()
        scripted = self.script.pop(0) if self.script else None
        if scripted is not None:
            return scripted
        if request.query_params["access_token"] != self.valid:
            return JSONResponse({"errcode": 40001, "errmsg": "invalid credential, access_token is invalid"})
        self.sent.append(body)
        return JSONResponse({"errcode": 0, "errmsg": "ok"})

    async def picture(self, request: HttpRequest) -> Response:
        """Take a picture for three days."""
        async with request.form() as form:
            media: Any = form["media"]
            self.pictures.append((request.query_params["type"], await media.read()))
        return JSONResponse({"type": "image", "media_id": "MEDIA-1", "created_at": 1767225600})
