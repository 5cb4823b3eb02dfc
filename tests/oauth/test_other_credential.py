"""What a server wants that wants no OAuth."""

import pytest

from bridge.oauth.challenge import parse_challenges
from bridge.oauth.other_credential import other_credential


@pytest.mark.parametrize(
    ("challenge", "said", "wants"),
    [
        ("", "", None),
        ("", "Unauthorized", None),
        ("", '{"error": "invalid-token"}', None),
        ("Bearer", "send your x-api-key", None),
        ('Basic realm="a", Bearer', "", None),
        ("DPoP algs=ES256", "", None),
        ('Basic realm="files"', "", ("Basic", "Authorization")),
        ("ApiKey", "", ("API key", "Authorization")),
        ('ApiKey realm="x", header="X-Team-Key"', "", ("API key", "X-Team-Key")),
        ('ApiKey header="X-Evil: 1"', "", ("API key", "Authorization")),
        ("", '{"error": "missing X-API-Key header"}', ("API key", "X-API-Key")),
        ("", "Provide the Ocp-Apim-Subscription-Key", ("API key", "Ocp-Apim-Subscription-Key")),
        ("", "No api-key given", ("API key", "api-key")),
    ],
)
def test_the_challenge_and_the_words_say_it(challenge: str, said: str, wants: tuple[str, str] | None) -> None:
    found = other_credential(parse_challenges([challenge] if challenge else []), said)
    assert (found is None) is (wants is None)
    if found is not None and wants is not None:
        assert wants[0] in found.what
        assert found.header == wants[1]
        assert f"--header '{found.header}: keyring:example-key'" in found.hint
