"""What programs may ask: as OpenAPI, and as a page for people that is made of it.

The page is ours: the usual ones load scripts from elsewhere, which the rules for our pages do not allow.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.openapi.utils import get_openapi
from fastapi.responses import HTMLResponse

from wayside import __version__
from wayside_airflow.web import zone_api
from wayside_airflow.web.choice import Chosen
from wayside_airflow.web.context import render

router = APIRouter()

_ABOUT: Final = (
    "Counts in zones. Every request needs a token of Airflow, as `Authorization: Bearer …`: `POST /auth/token` with "
    "user and password gives one."
)
#: Fields that the example of a call has: what narrows an answer would leave it empty.
_SHOWN: Final = frozenset({"proc_id", "start_ts", "stop_ts"})
_REF: Final = "#/components/schemas/"


@router.get("/api/openapi.json")
def openapi(request: Request) -> dict[str, Any]:
    """Describe the interface as OpenAPI 3.1."""
    return _document(request)


@router.get("/api")
def page(request: Request, choice: Chosen) -> HTMLResponse:
    """Describe the interface for people."""
    document = _document(request)
    values = {
        "tab": "api",
        "choice": choice,
        "root": f"{str(request.base_url).removesuffix('/').removesuffix(_base(request))}",
        "operations": list(_operations(document)),
    }
    return render(request, "api.html", values)


def _document(request: Request) -> dict[str, Any]:
    document = get_openapi(title="Wayside", version=__version__, description=_ABOUT, routes=zone_api.router.routes)
    document["servers"] = [{"url": _base(request) or "/"}]
    document["components"]["securitySchemes"] = {"airflow": {"type": "http", "scheme": "bearer"}}
    document["security"] = [{"airflow": []}]
    return document


def _base(request: Request) -> str:
    """Return the path below which the application lies."""
    path: str = request.scope.get("root_path", "").rstrip("/")
    return path


def _operations(document: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield each operation with its fields, an example and its answers."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
            fields = list(_fields(body))
            answers = operation["responses"]
            yield {
                "method": method.upper(),
                "path": path,
                "about": operation.get("description", ""),
                "fields": fields,
                "example": json.dumps({one["name"]: one["example"] for one in fields if one["name"] in _SHOWN}),
                "parameters": operation.get("parameters", []),
                "answer": list(_fields(_resolved(document, _schema_of(answers["200"])))),
                "refusals": [(status, told["description"]) for status, told in answers.items() if status != "200"],
            }


def _schema_of(answer: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = answer.get("content", {}).get("application/json", {}).get("schema", {})
    return found


def _resolved(document: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    name = schema.get("$ref", "").removeprefix(_REF)
    found: Mapping[str, Any] = document["components"]["schemas"][name] if name else schema
    return found


def _fields(schema: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    needed = set(schema.get("required", ()))
    for name, field in schema.get("properties", {}).items():
        kinds = [field, *field.get("anyOf", ())]
        yield {
            "name": name,
            "kind": " or ".join(dict.fromkeys(one["type"] for one in kinds if "type" in one)),
            "needed": name in needed,
            "about": field.get("description", ""),
            "example": next(iter(field.get("examples", ())), None),
        }
