"""The OpenAPI page: every route of every dialect, from the code; no script, nothing fetched."""

from __future__ import annotations

import json
from functools import lru_cache
from html import escape
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from starlette.responses import HTMLResponse, Response

from sfumato import __version__

router = APIRouter(include_in_schema=False)

_STYLE = """\
:root { color-scheme: light dark; --paper: #faf9f6; --card: #fff; --ink: #22201c; --quiet: #6b665d;
  --line: #e3dfd6; --accent: #a4451f; --code: #f3f0ea; }
@media (prefers-color-scheme: dark) { :root { --paper: #1b1a18; --card: #242320; --ink: #ece8e0;
  --quiet: #a8a297; --line: #3a3732; --accent: #f0936a; --code: #2c2a26; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.6 system-ui, sans-serif; }
main, header { max-width: 60rem; margin: 0 auto; padding: 0 1.25rem; }
header { padding-top: 3rem; }
h1 { margin: 0; font-weight: 650; line-height: 1.2; letter-spacing: -0.02em; }
header p { margin: 0.4rem 0 0; color: var(--quiet); max-width: 44rem; }
nav { display: flex; flex-wrap: wrap; gap: 0.4rem 1.1rem; margin: 1.5rem 0; }
a { color: var(--accent); }
h2 { margin: 2.5rem 0 0.75rem; font-size: 1.15rem; }
details { background: var(--card); border: 1px solid var(--line); border-radius: 0.6rem;
  margin: 0.5rem 0; }
summary { display: flex; flex-wrap: wrap; gap: 0.15rem 0.9rem; padding: 0.65rem 1rem;
  cursor: pointer; align-items: baseline; list-style: none; }
summary::-webkit-details-marker { display: none; }
summary:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px;
  border-radius: 0.6rem; }
.method { font: 600 0.78rem/1.6 ui-monospace, monospace; color: var(--accent); min-width: 3.6rem; }
.path { font: 0.92rem/1.6 ui-monospace, monospace; overflow-wrap: anywhere; }
.summary { color: var(--quiet); margin-left: auto; font-size: 0.92rem; }
.body { padding: 0 1rem 0.9rem; border-top: 1px solid var(--line); }
table { border-collapse: collapse; width: 100%; font-size: 0.9rem; }
th { text-align: left; font-weight: 500; color: var(--quiet); }
th, td { padding: 0.3rem 0.8rem 0.3rem 0; vertical-align: top; border-top: 1px solid var(--line); }
thead th { border-top: 0; }
code { font: 0.86rem/1.5 ui-monospace, monospace; background: var(--code); border-radius: 0.25rem;
  padding: 0.08rem 0.3rem; overflow-wrap: anywhere; }
@media (max-width: 40rem) { .summary { margin-left: 0; width: 100%; } }
footer { color: var(--quiet); font-size: 0.9rem; padding: 3rem 0; }
"""


@router.get("/api/docs")
def page(request: Request) -> HTMLResponse:
    """Read it in a browser."""
    return HTMLResponse(_page(request.app))


@router.get("/api/docs.css")
def style() -> Response:
    """Its looks; the content security policy allows no style inside the page."""
    return Response(_STYLE, media_type="text/css")


@lru_cache(maxsize=4)
def _page(app: FastAPI) -> str:
    schema = app.openapi()
    sections: dict[str, list[str]] = {}
    for path, methods in schema["paths"].items():
        for method, route in methods.items():
            tag = route.get("tags", ["more"])[0]
            sections.setdefault(tag, []).append(_route(method, path, route, schema))
    links = "".join(f'<a href="#{_slug(tag)}">{escape(tag)}</a>' for tag in sections)
    body = "".join(
        f'<section id="{_slug(tag)}"><h2>{escape(tag)}</h2>{"".join(routes)}</section>'
        for tag, routes in sections.items()
    )
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>The APIs of sfumato</title>
<link rel="stylesheet" href="/api/docs.css">
</head>
<body>
<header>
<h1>The APIs of sfumato</h1>
<p>Version {escape(__version__)}. The native API draws, follows and finds; the other two are spoken
so that programs made for them work unmodified. For programs:
<a href="/api/openapi.json">OpenAPI</a>.</p>
<nav>{links}</nav>
</header>
<main>{body}<footer>Made from the code of this server.</footer></main>
</body>
</html>
"""


def _route(method: str, path: str, route: dict[str, Any], schema: dict[str, Any]) -> str:
    rows = [
        (parameter["name"], parameter["in"], parameter["schema"], parameter.get("required", False))
        for parameter in route.get("parameters", ())
    ]
    for kind, content in route.get("requestBody", {}).get("content", {}).items():
        place = "JSON" if kind == "application/json" else "form"
        body = _resolved(content["schema"], schema)
        wanted = body.get("required", ())
        rows += [(n, place, s, n in wanted) for n, s in body.get("properties", {}).items()]
    fields = "".join(_field(*row, schema) for row in rows)
    table = ""
    if rows:
        heads = "".join(f"<th>{name}</th>" for name in ("name", "in", "what", "default"))
        table = f"<table><thead><tr>{heads}</tr></thead><tbody>{fields}</tbody></table>"
    return (
        f'<details><summary><span class="method">{method.upper()}</span>'
        f'<span class="path">{escape(path)}</span>'
        f'<span class="summary">{escape(route.get("summary", ""))}</span></summary>'
        f'<div class="body"><p>{escape(route.get("description", ""))}</p>{table}</div></details>'
    )


def _field(
    name: str, place: str, field: dict[str, Any], required: bool, schema: dict[str, Any]
) -> str:
    default = "required" if required else ""
    if field.get("default") is not None:
        default = f"<code>{escape(json.dumps(field['default']))}</code>"
    return (
        f"<tr><td><code>{escape(name)}</code></td><td>{place}</td>"
        f"<td>{escape(_kind(field, schema))}</td><td>{default}</td></tr>"
    )


def _kind(field: dict[str, Any], schema: dict[str, Any]) -> str:
    """What a value may be, in words."""
    if "anyOf" in field:
        kinds = [part for part in field["anyOf"] if part.get("type") != "null"]
        return " or ".join(dict.fromkeys(_kind(part, schema) for part in kinds))
    if "enum" in field:
        return ", ".join(map(str, field["enum"]))
    if "$ref" in field:
        inner = _resolved(field, schema).get("properties", {})
        return "{" + ", ".join(inner) + "}"
    if field.get("type") == "array":
        return f"list of {_kind(field.get('items', {}), schema)}"
    limits = [
        f"{words} {field[key]}"
        for key, words in (("minimum", "from"), ("maximum", "to"), ("maxLength", "up to"))
        if key in field
    ]
    name = {"string": "text", "integer": "whole number", "boolean": "yes or no"}
    kind = str(field.get("type", "anything"))
    return " ".join([name.get(kind, kind), *limits])


def _resolved(field: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """What a reference points at."""
    if "$ref" not in field:
        return field
    found: dict[str, Any] = schema["components"]["schemas"][field["$ref"].rpartition("/")[2]]
    return found


def _slug(tag: str) -> str:
    return "".join(c if c.isalnum() else "-" for c in tag.lower())
