"""The OpenAPI document, written from the Structs that judge the requests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

import edgeguard
from edgeguard.api.health import Health
from edgeguard.api.requests import Acknowledge, Pause, Resume, Shutdown

_REF: Final = "#/components/schemas/{name}"
_TEXTS: Final[Mapping[str, str]] = {
    "200": "done",
    "202": "halted, but not yet verified flat",
    "400": "no HTTP that is understood",
    "401": "no valid token",
    "403": "another right's token, a foreign Host, or any Origin",
    "404": "no such incident",
    "408": "the body did not come in time",
    "409": "refused by the guard: stale halt id, or not green",
    "413": "the body is too large",
    "422": "the body cannot be meant",
    "429": "too many requests of this address; never for a halt",
    "503": "no guard, or halted but not durable; for health: a part of the channel is not proven",
}


def openapi() -> dict[str, Any]:
    """Return the document."""
    kinds = [Shutdown, Pause, Resume, Acknowledge, Health]
    _, components = msgspec.json.schema_components(kinds, ref_template=_REF)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "EdgeGuard",
            "version": edgeguard.__version__,
            "description": "The emergency interface. Bodies are JSON, whatever content type they "
            "come with, so that the runbook's curl works as printed.",
        },
        "paths": {
            "/emergency/shutdown": _post(Shutdown, "halt", ("200", "202", "503")),
            "/emergency/pause": _post(Pause, "halt", ("200", "409", "503")),
            "/emergency/resume": _post(Resume, "resume", ("200", "409", "503")),
            "/incidents/{incident}/ack": _acknowledge(),
            "/health": _get("Is the whole kill channel proven?", ("200", "429", "503")),
            "/status": _get("What the guard sees", ("200", "401", "403", "429", "503"), "read"),
            "/halts": _get("Halts and resumes, newest first", ("200", "401", "403", "429"), "read"),
            "/openapi.json": _get("This document", ("200", "429")),
        },
        "components": {
            "schemas": {**components, "Error": _ERROR, "Answer": _ANSWER},
            "securitySchemes": {
                right: {"type": "http", "scheme": "bearer", "description": f"the {right} token"}
                for right in ("halt", "resume", "read")
            },
        },
    }


_ERROR: Final = {
    "type": "object",
    "properties": {"error": {"type": "string"}},
    "required": ["error"],
}
_ANSWER: Final = {
    "type": "object",
    "properties": {
        "result": {"type": "string"},
        "code": {"type": "integer"},
        "halt": {"type": ["object", "null"]},
        "stages": {"type": "array", "items": {"type": "object"}},
    },
    "required": ["stages"],
}


def _post(kind: type[msgspec.Struct], right: str, codes: tuple[str, ...]) -> dict[str, Any]:
    schema = {"$ref": _REF.format(name=kind.__name__)}
    refusals = ("400", "401", "403", "408", "413", "422", "429")
    return {
        "post": {
            "summary": (kind.__doc__ or "").partition(": ")[2].strip(),
            "security": [{right: []}],
            "requestBody": {"required": True, "content": {"application/json": {"schema": schema}}},
            "responses": {
                **{code: _response(code, "Answer") for code in codes},
                **{code: _response(code, "Error") for code in refusals},
            },
        }
    }


def _acknowledge() -> dict[str, Any]:
    path = _post(Acknowledge, "halt", ("200", "503"))
    path["post"]["requestBody"]["required"] = False
    path["post"]["responses"]["404"] = _response("404", "Error")
    name = {"type": "string", "pattern": "^INC-[0-9]{4}-[0-9]{3,6}$"}
    path["parameters"] = [{"name": "incident", "in": "path", "required": True, "schema": name}]
    return path


def _get(summary: str, codes: tuple[str, ...], right: str = "") -> dict[str, Any]:
    operation: dict[str, Any] = {
        "summary": summary,
        "responses": {code: _response(code) for code in ("400", *codes)},
    }
    if right:
        operation["security"] = [{right: []}]
    return {"get": operation}


def _response(code: str, schema: str = "") -> dict[str, Any]:
    content: dict[str, Any] = {"application/json": {}}
    if schema:
        content["application/json"] = {"schema": {"$ref": _REF.format(name=schema)}}
    return {"description": _TEXTS[code], "content": content}
