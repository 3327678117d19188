"""An example extra for jan-host: a small streaming API of its own, and a service that counts starts."""

from collections.abc import Iterable

from jan_host import Extra, hookimpl

from jan_host_example_extra.extra import GenerateExtra


@hookimpl
def jan_extras() -> Iterable[Extra]:
    """Hand the host the extra."""
    return [GenerateExtra()]
