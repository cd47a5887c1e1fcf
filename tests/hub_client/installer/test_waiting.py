from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from plugin_spec.requirement import Requirement

if TYPE_CHECKING:
    from servers.operator_files import OperatorFolder

    from hub_client.installer import Event, Installer


def test_an_install_waits_for_the_one_before_and_touches_nothing_until_then(
    installer: Installer, operators: OperatorFolder
) -> None:
    operators.publish("acme/embed", "1.0.0")
    plan = installer.plan([Requirement.parse("acme/embed")])
    waiting = threading.Event()
    events: list[str] = []

    def tell(event: Event) -> None:
        events.append(event.kind)
        waiting.set()

    second = threading.Thread(
        target=installer.apply, args=(plan,), kwargs={"on_event": tell}
    )
    with installer.environment.lock():
        second.start()
        assert waiting.wait(60)
        second.join(0.3)
        assert second.is_alive()
        assert events == ["wait"]
        assert not installer.store.root.exists()
        assert installer.environment.receipts() == ()
    second.join()
    assert events == ["wait", "fetch", "receipt"]
    assert len(installer.environment.receipts()) == 1
