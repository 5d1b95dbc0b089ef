"""The failure of one file of a manifest, said in the ledger."""

from __future__ import annotations

from lambda_handler import metrics
from lambda_handler.dynamo import Item, file_key, try_write, update_request
from lambda_handler.manifests import manifest_id_of
from lambda_handler.services import Invocation
from ndjctl.contracts import COMPLETED, FAILED, MANIFESTED, PROCESSING, Attr

_RESULTS = (Attr.COMPLETED_AT, Attr.LINES, Attr.ROWS, Attr.BAD_LINES)


def fail_file(inv: Invocation, item: Item, key: str, size_bytes: int, error: str) -> None:
    """Marks a file of the manifest as failed, also one that was completed, unless it went elsewhere meanwhile."""
    change = {
        Attr.STATUS: FAILED,
        Attr.ERROR: error,
        Attr.ATTEMPT: item[Attr.ATTEMPT],
        Attr.UPDATED_AT: inv.now_iso(),
        Attr.TTL: inv.ttl(),
    }
    when = {Attr.BATCH_ID: manifest_id_of(item), Attr.STATUS: (MANIFESTED, PROCESSING, COMPLETED)}
    request = update_request(inv.settings.tracking_table, file_key(item[Attr.DATE], key), change, when, _RESULTS)
    if try_write(inv, inv.services.dynamodb.update_item, request):
        inv.counters.add(item[Attr.DATE], metrics.FILES_FAILED, size_bytes=size_bytes)
        inv.log.error("file_failed", error, file_key=key, manifest_id=manifest_id_of(item))
