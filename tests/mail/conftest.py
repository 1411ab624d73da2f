"""The fixtures that these tests share with those of other rooms."""

from tests.smtp_servers import script

__all__ = ["script"]
