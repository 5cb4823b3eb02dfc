"""The tests that do not run under Wine (`scripts/wine.py`), each with the gap of Wine 8 that it meets.

A row names a test, or all cases of one, as pytest does. `tests/scripts/test_wine` holds that each of them exists. On
Windows itself each of them runs.
"""

from __future__ import annotations

import os

VARIABLE = "BRIDGE_TEST_WINE"
"""Set where the tests run under Wine."""

_NO_CHAIN_ENGINE = "Wine's CertCreateCertificateChainEngine refuses truststore's structure, of Windows 8's size"
_LONE_LEAF = "Wine's CertVerifyCertificateChainPolicy accepts a certificate whose issuer nobody knows"
_NO_MAXRT = "Wine's TCP has no TCP_MAXRT"
_NO_HOLDER = "Wine's GetExtendedTcpTable tells process 0 for each port"
_NO_NAME = "Wine has no SystemProcessIdInformation, by which psutil names a process"
_SENDS_WHOLE = "Wine tells that something was sent only once all of it was"
_NO_TEXT = "this Python's OpenSSL has no text for that alert, and Windows' own Pythons are to show what they have"

REASONS = {
    "tests/inventory/test_running_instances.py::test_a_real_copy_is_found": _NO_NAME,
    "tests/integration/test_start_path.py::test_what_a_start_over_https_imports": _NO_CHAIN_ENGINE,
    "tests/login/test_port_owner.py::test_this_program_is_named": _NO_HOLDER,
    "tests/login/test_listener.py::test_a_taken_exact_port_is_an_error": _NO_HOLDER,
    "tests/login/test_ports.py::test_an_exact_port_that_is_taken_says_who_holds_it": _NO_HOLDER,
    "tests/remote/test_keep_alive.py::test_they_can_be_set_on_this_system": _NO_MAXRT,
    "tests/remote/test_lasting_causes.py::test_http2_only_by_alpn": _NO_TEXT,
    "tests/remote/test_tls.py::test_the_client_certificate_is_shown": _NO_CHAIN_ENGINE,
    "tests/remote/test_tls.py::test_the_host_name_is_checked": _NO_CHAIN_ENGINE,
    "tests/remote/test_tls.py::test_the_system_store_does_not_trust_a_private_authority": _LONE_LEAF,
    "tests/remote/test_uploading.py::test_a_server_that_takes_a_little_at_a_time_is_waited_for": _SENDS_WHOLE,
}


def is_mode() -> bool:
    """Whether the tests run under Wine."""
    return bool(os.environ.get(VARIABLE))
