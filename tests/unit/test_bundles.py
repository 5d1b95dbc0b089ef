"""The bundles: what is in them, and that the same sources make the same bytes."""

from __future__ import annotations

import io
import zipfile

from ndjctl.bundles import Bundle, glue_bundle, lambda_bundle

SHARED = {"ndjctl/__init__.py", "ndjctl/contracts/__init__.py"}


def _names(bundle: Bundle, file: str) -> list[str]:
    return zipfile.ZipFile(io.BytesIO(bundle.files[file])).namelist()


def test_bundles_are_the_same_bytes_every_time() -> None:
    assert lambda_bundle().files == lambda_bundle().files
    assert glue_bundle().files == glue_bundle().files
    assert glue_bundle().digest == glue_bundle().digest
    assert lambda_bundle().digest != glue_bundle().digest


def test_each_bundle_holds_its_own_code_and_the_contracts_only() -> None:
    function = _names(lambda_bundle(), "function.zip")
    assert "lambda_handler/handler.py" in function
    assert not {n for n in function if not n.startswith(("lambda_handler/", "ndjctl/contracts/"))} - SHARED
    assert set(glue_bundle().files) == {"glue_batch_job.py", "glue_job.zip"}
    library = _names(glue_bundle(), "glue_job.zip")
    assert "glue_job/main.py" in library
    assert not {n for n in library if not n.startswith(("glue_job/", "ndjctl/contracts/"))} - SHARED
    assert set(function) & set(library) >= SHARED
    assert not [n for n in function + library if not n.endswith(".py")]


def test_the_digest_tells_names_and_bytes_apart() -> None:
    assert Bundle({"ab": b"c"}).digest != Bundle({"a": b"bc"}).digest
    assert Bundle({"a": b"1", "b": b"2"}).digest == Bundle({"b": b"2", "a": b"1"}).digest
