from __future__ import annotations

import pickle
import traceback

from plugin_spec import HubError


def test_a_traceback_ends_with_the_way_on() -> None:
    error = HubError("There is no `resnet51`", hint="Name another model")
    told = [
        "plugin_spec.errors.HubError: There is no `resnet51`\n",
        "hint: Name another model\n",
    ]
    assert traceback.format_exception_only(error) == told
    assert str(error) == "There is no `resnet51`"
    copied = pickle.loads(pickle.dumps(error))  # noqa: S301  (our own)
    assert traceback.format_exception_only(copied) == told


def test_an_error_without_a_hint_has_no_note() -> None:
    assert traceback.format_exception_only(HubError("No")) == [
        "plugin_spec.errors.HubError: No\n"
    ]
