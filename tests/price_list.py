"""The AWS Price List behind real HTTP: GetProducts in the wire format of its query API (JSON 1.1), with products in the
form that the service's documentation and its public offer files show."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

from tests.loopback import serving

PUBLISHED = "2026-09-28T23:04:16Z"


def product(
    service: str,
    usage_type: str,
    *bands: tuple[str, str],
    region: str = "us-east-1",
    published: str | None = PUBLISHED,
    effective: str = "2026-09-01T00:00:00Z",
    currency: str = "USD",
    **attributes: str,
) -> str:
    """bands: (price, where it begins), rising, the last without end."""
    sku = f"SKU{abs(hash((service, usage_type, bands, region))):X}"
    ends = [begin for _, begin in bands[1:]] + ["Inf"]
    dimensions = {
        f"{sku}.JRTCKXETXF.{number:010d}": {
            "unit": "Requests",
            "beginRange": begin,
            "endRange": end,
            "description": f"{price} per unit",
            "appliesTo": [],
            "rateCode": f"{sku}.JRTCKXETXF.{number:010d}",
            "pricePerUnit": {currency: price},
        }
        for number, ((price, begin), end) in enumerate(zip(bands, ends, strict=True))
    }
    # The Price List does not promise an order of the dimensions.
    dimensions = dict(reversed(dimensions.items()))
    document = {
        "product": {
            "productFamily": attributes.pop("productFamily", "API Request"),
            "attributes": {"regionCode": region, "servicecode": service, "usagetype": usage_type, **attributes},
            "sku": sku,
        },
        "serviceCode": service,
        "terms": {
            "OnDemand": {
                f"{sku}.JRTCKXETXF": {
                    "priceDimensions": dimensions,
                    "sku": sku,
                    "effectiveDate": effective,
                    "offerTermCode": "JRTCKXETXF",
                    "termAttributes": {},
                }
            }
        },
        "version": "20260928230416",
    }
    return json.dumps(document | ({"publicationDate": published} if published else {}))


@dataclass
class PriceList:
    """products: as `product` makes them. refusal: what every call is answered with: HTTP status, error code,
    text."""

    products: Sequence[str]
    refusal: tuple[int, str, str] | None = None
    page_size: int = 2
    requests: list[dict[str, Any]] = field(default_factory=list)

    def answer(self, request: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
        self.requests.append(dict(request))
        if self.refusal is not None:
            status, code, text = self.refusal
            return status, {"__type": code, "message": text} if code else {}
        found = [text for text in self.products if self._is_asked(json.loads(text), request)]
        start = int(request.get("NextToken", "0"))
        page = {"FormatVersion": "aws_v1", "PriceList": found[start : start + self.page_size]}
        end = start + self.page_size
        return 200, page | ({"NextToken": str(end)} if end < len(found) else {})

    @staticmethod
    def _is_asked(document: Mapping[str, Any], request: Mapping[str, Any]) -> bool:
        known = {"productFamily": document["product"]["productFamily"], **document["product"]["attributes"]}
        filters = request.get("Filters", [])
        assert all(each["Type"] == "TERM_MATCH" for each in filters)
        matches = all(known.get(each["Field"]) == each["Value"] for each in filters)
        return document["serviceCode"] == request["ServiceCode"] and matches


@contextmanager
def served(prices: PriceList) -> Iterator[str]:
    """The endpoint URL, by loopback."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            assert self.headers["X-Amz-Target"] == "AWSPriceListService.GetProducts"
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            status, document = prices.answer(request)
            body = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/x-amz-json-1.1")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    with serving(Handler) as url:
        yield url
