"""Mail: the only place that knows SMTP and the provider's hook."""

from reclustering.mail.alert import alert_on_failure, alert_recipients
from reclustering.mail.smtp import SmtpMailer

__all__ = ["SmtpMailer", "alert_on_failure", "alert_recipients"]
