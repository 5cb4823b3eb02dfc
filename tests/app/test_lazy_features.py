"""What looks at lists and calls is loaded after the start, and knows the host all the same."""

import pytest

from bridge.app.features import features_in_front
from bridge.app.lazy_features import LazyFeatures
from bridge.config import Settings
from tests.features.feature_playbook import PAIRS, FeaturePlaybook, names, pages
from tests.session.playbook import INITIALIZED, URL, request

TWO = pages(["a"], ["b"])


@pytest.mark.parametrize("eras", PAIRS)
@pytest.mark.parametrize("fires", [True, False], ids=["loaded after the start", "loaded by the list"])
def test_the_host_that_named_itself_before_is_known(eras: tuple[str, str], fires: bool) -> None:
    book = FeaturePlaybook(TWO, eras=eras, host_name="gemini-cli-mcp-client", front=features_in_front(Settings(URL)))
    if fires and ("features", 0) in book.timers:
        book.fires("features")
    assert names(book.ask(1, "tools/list")) == ["a", "b"]


def test_it_is_loaded_when_the_host_is_initialized_or_asks_for_features(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: list[object] = []
    monkeypatch.setattr(LazyFeatures, "_load", lambda features: loaded.append(features))
    book = FeaturePlaybook(TWO, eras=("modern", "legacy"), front=features_in_front(Settings(URL)))
    params = {"protocolVersion": "2025-06-18", "clientInfo": {"name": "host", "version": "1"}, "capabilities": {}}
    book.serve(book.host(request(0, "initialize", params)))
    book.serve(book.host(INITIALIZED))
    assert loaded == []
    book.fires("features")
    assert len(loaded) == 1
    book.serve(book.host(request(1, "tools/list")))
    assert len(loaded) == 2
