"""Hands a message to the operator's mail server: over TLS or not at all, unless the operator says that none is needed."""

import ssl
from email.message import EmailMessage

import aiosmtplib

from record.settings import Settings
from workers.sending.failures import NotTaken, shown
from workers.sending.webhooks import Taken


async def hand_over(message: EmailMessage, *, settings: Settings, trust: ssl.SSLContext) -> Taken:
    """Sends to the one recipient in `To`. Raises `NotTaken`; for good when the server says that there is no such mailbox."""
    if settings.smtp_host is None or settings.mail_from is None:
        raise NotTaken("This server sends no e-mail: MUNIMENT_SMTP_HOST or MUNIMENT_MAIL_FROM is not set.")
    password = None if settings.smtp_password_file is None else settings.smtp_password_file.read_text().strip()
    try:
        _, said = await aiosmtplib.send(
            message,
            sender=settings.mail_from,
            hostname=settings.smtp_host,
            port=settings.smtp_port,
            username=settings.smtp_username,
            password=password,
            local_hostname=settings.mail_from.rpartition("@")[2],
            timeout=settings.notice_timeout_seconds,
            use_tls=settings.smtp_tls == "tls",
            start_tls=settings.smtp_tls == "starttls",
            tls_context=None if settings.smtp_tls == "none" else trust,
        )
    except aiosmtplib.SMTPRecipientsRefused as error:
        (refused,) = error.recipients
        raise NotTaken(
            f"The mail server refused the address: {refused.code} {shown(refused.message)}",
            status=refused.code,
            for_good=refused.code >= 500,
        ) from error
    except aiosmtplib.SMTPResponseException as error:
        raise NotTaken(f"The mail server said {error.code} {shown(error.message)}", status=error.code) from error
    except (aiosmtplib.SMTPException, OSError) as error:
        raise NotTaken(f"The mail server cannot be used: {shown(str(error)) or type(error).__name__}") from error
    return Taken(250, shown(said))
