"""A stand-in for a desktop's portal: it takes `OpenURI` on a message bus and says how it went, as the real one does."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Any

from jeepney import DBusAddress, HeaderFields, MessageType, new_error, new_method_return, new_signal
from jeepney.bus_messages import message_bus
from jeepney.io.blocking import Proxy, open_dbus_connection

SERVICE = "org.freedesktop.portal.Desktop"
PATH = "/org/freedesktop/portal/desktop"


class Portal:
    """`outcome` is what its signal says (0: opened); None for one that says nothing, as while it asks the user.

    `refuses` is the name of an error to answer with instead. `on_open` is called with each URL, `opened` lists them.
    """

    def __init__(
        self, outcome: int | None = 0, *, refuses: str = "", on_open: Callable[[str], object] | None = None
    ) -> None:
        self.opened: list[str] = []
        self.options: list[dict[str, Any]] = []
        self._outcome = outcome
        self._refuses = refuses
        self._on_open = on_open

    @contextlib.contextmanager
    def on(self, address: str) -> Iterator[Portal]:
        """Serve on this bus."""
        bus = open_dbus_connection(address)
        Proxy(message_bus, bus).RequestName(SERVICE)
        ending = threading.Event()
        serving = threading.Thread(target=self._serve, args=(bus, ending), daemon=True)
        serving.start()
        try:
            yield self
        finally:
            ending.set()
            serving.join(10)
            bus.close()

    def _serve(self, bus: Any, ending: threading.Event) -> None:
        while not ending.is_set():
            with contextlib.suppress(TimeoutError):
                message = bus.receive(timeout=0.05)
                if message.header.message_type is MessageType.method_call:
                    self._answer(bus, message)

    def _answer(self, bus: Any, call: Any) -> None:
        _, url, options = call.body
        assert call.header.fields[HeaderFields.interface] == "org.freedesktop.portal.OpenURI"
        if self._refuses:
            bus.send(new_error(call, self._refuses))
            return
        self.opened.append(url)
        self.options.append(options)
        sender = call.header.fields[HeaderFields.sender].removeprefix(":").replace(".", "_")
        handle = f"{PATH}/request/{sender}/{options['handle_token'][1]}"
        bus.send(new_method_return(call, "o", (handle,)))
        if self._on_open is not None:
            self._on_open(url)
        if self._outcome is not None:
            request = DBusAddress(handle, interface="org.freedesktop.portal.Request")
            bus.send(new_signal(request, "Response", "ua{sv}", (self._outcome, {})))
