"""Mail: the only place that knows SMTP and the provider's hook."""

from reclustering.mail.smtp import SmtpMailer

__all__ = ["SmtpMailer"]
