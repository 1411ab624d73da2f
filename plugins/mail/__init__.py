"""Mail: the only place that knows SMTP and the provider's hook."""

from mail.alert import alert_on_failure
from mail.smtp import SmtpMailer

__all__ = ["SmtpMailer", "alert_on_failure"]
