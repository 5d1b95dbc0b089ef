"""The lines of `ndjctl local env`, whatever the user's environment holds."""

from __future__ import annotations

import shlex

from hypothesis import given
from hypothesis import strategies as st

from ndjctl.embedded.shell import client_variables

text = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=20)
names = st.sampled_from(
    ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL_$(id)", "AWS_ENDPOINT_URL_", "HTTP_PROXY", "no_proxy", "NO_PROXY", "X"]
)


@given(environ=st.dictionaries(names, text), region=text)
def test_a_shell_reads_exactly_the_values(environ: dict[str, str], region: str) -> None:
    variables = client_variables("http://127.0.0.1:1", "111122223333", region, environ)
    words = shlex.split(variables.shell_lines())
    assert set(words[1 : 2 * len(variables.unset) : 2]) == set(variables.unset)
    assert words[2 * len(variables.unset) + 1 :: 2] == [f"{name}={value}" for name, value in variables.set.items()]
    assert set(words[: 2 * len(variables.unset) : 2]) == {"unset"}
    assert "AWS_ENDPOINT_URL_$(id)" not in variables.unset
    assert ("AWS_ENDPOINT_URL_S3" in variables.unset) == ("AWS_ENDPOINT_URL_S3" in environ)
    assert not set(variables.set) & set(variables.unset)


@given(given=st.lists(st.sampled_from(["a.test", ".b.test", "127.0.0.1", " c "]), max_size=4))
def test_a_proxy_does_not_come_between(given: list[str]) -> None:
    environ = {"HTTP_PROXY": "http://proxy.test", "NO_PROXY": ",".join(given)}
    values = client_variables("http://127.0.0.1:1", "1" * 12, "r", environ).set
    hosts = values["NO_PROXY"].split(",")
    assert values["no_proxy"] == values["NO_PROXY"]
    assert hosts.count("127.0.0.1") == max(1, given.count("127.0.0.1"))
    assert {host.strip() for host in given} <= set(hosts)
    assert "NO_PROXY" not in client_variables("http://127.0.0.1:1", "1" * 12, "r", {"NO_PROXY": "a"}).set
