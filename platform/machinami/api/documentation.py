"""OpenAPI out of the table of endpoints, and its page; both work without the network."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from machinami.api.call import ENTITY_MAP, SNAPSHOT
from machinami.api.endpoint import Endpoint
from machinami.api.parameters import PARAMETERS, Parameter
from machinami.api.problems import MEDIA_TYPE

STATIC = Path(__file__).parent / "static"
DESCRIPTION = """
The city's data over NGSI-LD (ETSI GS CIM 009 version 1.8.1). Each operation names its clause. A parameter
that nobody knows answers 400. Every error has one shape: problem details with the members *field*, *value*
and *cure*; only 411 and 415 have no body.
"""
_ALWAYS = ("NGSILD-Tenant", SNAPSHOT, "Link")
_HEADERS = {
    SNAPSHOT: "Snapshot that the operation is on (clause 6.3.22)",
    ENTITY_MAP: "EntityMap that an earlier request has made (clause 5.5.14)",
    "NGSILD-Tenant": "Name of the tenant (clause 6.3.14); Fiware-Service is taken too",
    "Link": 'Address of the @context (clause 6.3.5): <…>; rel="http://www.w3.org/ns/json-ld#context"',
}
_PROBLEM = {
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "field": {"type": "string", "description": "Which member, parameter or header"},
        "value": {"description": "The offending value"},
        "cure": {"type": "string", "description": "What to do instead"},
    },
}
SCHEMAS = {"ProblemDetails": _PROBLEM}
DOCS_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Machinami API</title>
<link rel="stylesheet" href="/docs/static/vendor/swagger-ui/swagger-ui.css">
<link rel="icon" href="/docs/static/vendor/swagger-ui/favicon-32x32.png">
</head>
<body>
<div id="swagger-ui"></div>
<script src="/docs/static/vendor/swagger-ui/swagger-ui-bundle.js"></script>
<script src="/docs/static/docs.js"></script>
</body>
</html>
"""


def describe(endpoint: Endpoint) -> dict[str, Any]:
    """What OpenAPI says of an endpoint, beside its path and method."""
    described: dict[str, Any] = {
        "description": _description(endpoint),
        "parameters": [*_path_variables(endpoint), *_parameters(endpoint), *_headers(endpoint)],
        "responses": _responses(endpoint),
    }
    if endpoint.media:
        content = {media: {"schema": endpoint.body} for media in endpoint.media}
        described["requestBody"] = {"required": True, "content": content}
    return described


def _description(endpoint: Endpoint) -> str:
    return f"Clause {endpoint.clause}." if endpoint.clause else ""


def _path_variables(endpoint: Endpoint) -> list[dict[str, Any]]:
    names = [part.partition(":")[0].rstrip("}") for part in endpoint.path.split("{")[1:]]
    return [
        {
            "name": name.partition("}")[0],
            "in": "path",
            "required": True,
            "schema": {"type": "string", "minLength": 1},
        }
        for name in names
    ]


def _parameters(endpoint: Endpoint) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "in": "query",
            "description": _meaning(PARAMETERS[name]),
            "schema": dict(PARAMETERS[name].schema),
        }
        for name in endpoint.parameters
    ]


def _meaning(parameter: Parameter) -> str:
    return f"{parameter.meaning} (clause {parameter.clause})" if parameter.clause else parameter.meaning


def _headers(endpoint: Endpoint) -> list[dict[str, Any]]:
    mapped = [ENTITY_MAP] if "entityMap" in endpoint.parameters else []
    names: Sequence[str] = (*_ALWAYS, *mapped) if endpoint.clause else ()
    return [
        {"name": name, "in": "header", "description": _HEADERS[name], "schema": {"type": "string"}}
        for name in names
    ]


def _responses(endpoint: Endpoint) -> Mapping[str, Any]:
    answers = {str(status): {"description": meaning} for status, meaning in endpoint.answers.items()}
    problem = {"schema": {"$ref": "#/components/schemas/ProblemDetails"}}
    default = {"description": "Problem details", "content": {MEDIA_TYPE: problem}}
    return {**answers, "default": default}
