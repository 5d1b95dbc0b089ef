"""ARNs of one environment's resources."""

from __future__ import annotations

from dataclasses import dataclass

from ndjctl.contracts import FUNCTION_ALIAS, Names


@dataclass(frozen=True)
class Arns:
    """region: such as us-east-1; regions outside the `aws` partition are not known here."""

    region: str
    names: Names

    def _regional(self, service: str, resource: str) -> str:
        return f"arn:aws:{service}:{self.region}:{self.names.account_id}:{resource}"

    def role(self, name: str) -> str:
        return f"arn:aws:iam::{self.names.account_id}:role/{name}"

    def queue(self, name: str) -> str:
        return self._regional("sqs", name)

    def table(self, name: str) -> str:
        return self._regional("dynamodb", f"table/{name}")

    def function(self) -> str:
        return self._regional("lambda", f"function:{self.names.function}")

    def alias(self) -> str:
        """The version of the function that is live."""
        return f"{self.function()}:{FUNCTION_ALIAS}"

    def job(self) -> str:
        return self._regional("glue", f"job/{self.names.job}")

    def connection(self, name: str) -> str:
        return self._regional("glue", f"connection/{name}")

    def catalog(self) -> str:
        return self._regional("glue", "catalog")

    def rule(self, name: str) -> str:
        return self._regional("events", f"rule/{name}")

    def topic(self, name: str) -> str:
        return self._regional("sns", name)

    def alarm(self, name: str) -> str:
        return self._regional("cloudwatch", f"alarm:{name}")

    def log_group(self, group: str) -> str:
        return self._regional("logs", f"log-group:{group}")

    def network_interfaces(self) -> str:
        return self._regional("ec2", "network-interface/*")

    def ec2(self, kind: str, id_: str) -> str:
        return self._regional("ec2", f"{kind}/{id_}")

    def bucket(self, name: str) -> str:
        return f"arn:aws:s3:::{name}"

    def objects(self, name: str) -> str:
        return f"arn:aws:s3:::{name}/*"
