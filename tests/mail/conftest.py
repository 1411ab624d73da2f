from tests.mail.servers import script  # noqa: F401
