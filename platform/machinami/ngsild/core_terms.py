"""The Core @context of ETSI GS CIM 009 V1.8.1 (Annex B) as a table, so that no network is ever needed for it.

The table groups the terms by what they have in common; `CORE_DOCUMENT` is the JSON-LD document made from it.
"""

from typing import Any

NGSI_LD = "https://uri.etsi.org/ngsi-ld/"
"""Namespace of the standard's own terms, written ``ngsi-ld:`` in the Core @context."""

DEFAULT_VOCABULARY = "https://uri.etsi.org/ngsi-ld/default-context/"
"""Where a term goes that no @context defines (clause 4.4)."""

CORE_URL = "https://uri.etsi.org/ngsi-ld/v1/ngsi-ld-core-context-v1.8.jsonld"

# Terms whose IRI is ngsi-ld: + the term.
_SAME_NAME = """
    Attribute AttributeList ContextSourceIdentity ContextSourceNotification ContextSourceRegistration
    Date DateTime EntityType EntityTypeInfo EntityTypeList GeoProperty JsonProperty LanguageProperty
    ListProperty ListRelationship Notification Property Relationship Subscription TemporalProperty Time
    VocabProperty accept attrs cacheDuration contextSourceAlias contextSourceInfo contextSourceUptime
    cooldown csf data detail endpoint entities entity entityCount error errors format geoQ geoproperty
    georel idPattern information isActive join lang linkedMaps localOnly location management
    managementInterval mode notUpdated notification notificationTrigger notifierInfo observationInterval
    observationSpace operationSpace operations q reason receiverInfo refreshRate registrationId
    registrationName scope scopeQ showChanges status subscriptionName sysAttrs temporalQ throttling
    timeInterval timeout timeproperty timerel timesFailed timesSent triggerReason unchanged unitCode
    updated uri
"""

_GEOJSON = """
    Feature FeatureCollection GeometryCollection LineString MultiLineString MultiPoint MultiPolygon Point
    Polygon geometry properties
"""

# Terms whose IRI has another local name; the second column is what follows ngsi-ld:.
_OTHER_NAME = {
    "containedBy": "isContainedBy",
    "entityMap": "hasEntityMap",
    "joinLevel": "hasJoinLevel",
    "key": "hasKey",
    "previousValue": "hasPreviousValue",
    "value": "hasValue",
}

# Terms with a fixed target, the last two defined by V1.8.1 without a namespace.
_FIXED = {
    "ngsi-ld": NGSI_LD,
    "geojson": "https://purl.org/geojson/vocab#",
    "id": "@id",
    "type": "@type",
    "description": "http://purl.org/dc/terms/description",
    "title": "http://purl.org/dc/terms/title",
    "attributeCount": "attributeCount",
    "attributeDetails": "attributeDetails",
}

# Terms whose values are coerced: keyword and its value → terms, each with its local name where that differs.
_COERCED = {
    ("@type", "DateTime"): """
        contextSourceTimeAt createdAt deletedAt endAt endTimeAt expiresAt lastFailure lastNotification
        lastSuccess modifiedAt notifiedAt observedAt startAt timeAt
    """,
    ("@type", "@id"): """
        datasetId entityId instanceId object=hasObject previousObject=hasPreviousObject subscriptionId
        success tenant
    """,
    ("@type", "@vocab"): """
        attributeList attributeName attributeNames attributeTypes attributes objectType=hasObjectType
        previousVocab=hasPreviousVocab propertyNames relationshipNames typeList typeName typeNames
        vocab=hasVocab watchedAttributes
    """,
    ("@type", "@json"): "contextSourceExtras json=hasJSON previousJson=hasPreviousJson",
    ("@container", "@list"): """
        avg distinctCount entityList jsons languageMaps=hasLanguageMaps max min objectList=hasObjectList
        objects=hasObjects objectsLists=hasObjectsLists previousObjectList=hasPreviousObjectList
        previousValueList=hasPreviousValueList stddev sum sumsq totalCount valueList=hasValueList
        valueLists=hasValueLists values=hasValues vocabs=hasVocabs
    """,
    ("@container", "@language"): "languageMap=hasLanguageMap previousLanguageMap=hasPreviousLanguageMap",
    ("@container", "@index"): "dataset=hasDataset",
}

_GEOJSON_COERCED = {
    "bbox": {"@container": "@list", "@id": "geojson:bbox"},
    "coordinates": {"@container": "@list", "@id": "geojson:coordinates"},
    "features": {"@container": "@set", "@id": "geojson:features"},
}


def _coerced_terms() -> dict[str, dict[str, str]]:
    """Terms with an expanded definition, as JSON-LD writes it."""
    terms: dict[str, dict[str, str]] = {}
    for (keyword, coercion), names in _COERCED.items():
        for name in names.split():
            term, _, local = name.partition("=")
            terms[term] = {"@id": f"ngsi-ld:{local or term}", keyword: coercion}
    return terms


def _core_document() -> dict[str, Any]:
    """The Core @context as JSON-LD, equal to what ETSI publishes."""
    terms: dict[str, Any] = {"@version": 1.1, "@protected": True}
    terms |= _FIXED
    terms |= {term: f"ngsi-ld:{term}" for term in _SAME_NAME.split()}
    terms |= {term: f"geojson:{term}" for term in _GEOJSON.split()}
    terms |= {term: f"ngsi-ld:{local}" for term, local in _OTHER_NAME.items()}
    terms |= _coerced_terms()
    terms |= _GEOJSON_COERCED
    return {"@context": terms | {"@vocab": DEFAULT_VOCABULARY}}


CORE_DOCUMENT: dict[str, Any] = _core_document()
"""The Core @context as a JSON-LD document: ``{"@context": {…}}``."""
