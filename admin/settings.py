"""The admin as a site of its own. Kompass may instead add `admin.quickbooks_online` to its own INSTALLED_APPS."""

from __future__ import annotations

import os
from datetime import timedelta
from urllib.parse import urlsplit

from admin.databases import django_database
from sync.settings import site_settings_from

_site = site_settings_from(os.environ)

DEBUG = _site.debug
SECRET_KEY = _site.secret_key
ALLOWED_HOSTS = list(_site.allowed_hosts)
_public = urlsplit(_site.public_url)
CSRF_TRUSTED_ORIGINS = [f"{_public.scheme}://{_public.netloc}"]

INSTALLED_APPS = [
    "admin.quickbooks_online",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.postgres",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "axes",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "admin.door.HeadersMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "admin.door.SessionAgeMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "admin.door.PlainTextMiddleware",
    "admin.door.KeptFormMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "admin.quickbooks_online.timezones.ViewerTimezoneMiddleware",
    # Last, as its documentation asks: it makes the answer of a login that was refused.
    "axes.middleware.AxesMiddleware",
]

CSRF_FAILURE_VIEW = "admin.door.csrf_failure"

AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
]

ROOT_URLCONF = "admin.urls"
WSGI_APPLICATION = "admin.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
            "builtins": ["admin.quickbooks_online.templatetags.counting"],
        },
    }
]

DATABASES = {"default": django_database(_site.database_url)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
]

LANGUAGE_CODE = "en-gb"
TIME_ZONE = _site.time_zone
USE_TZ = True
USE_I18N = True
FORMAT_MODULE_PATH = ["admin.formats"]

STATIC_URL = "static/"
# Static files are served from the installed packages, so that a site needs no collectstatic step.
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = False

_https = _public.scheme == "https"
SESSION_COOKIE_SECURE = _https
CSRF_COOKIE_SECURE = _https
SESSION_COOKIE_HTTPONLY = True
# Each request begins the idle time again; SESSION_MAX_AGE is not extended.
SESSION_COOKIE_AGE = int(_site.door.session_idle_minutes * 60)
SESSION_SAVE_EVERY_REQUEST = True
SESSION_MAX_AGE = _site.door.session_hours * 3600
# Lax, not Strict: Intuit's redirect back to us must bring the session along.
SESSION_COOKIE_SAMESITE = "Lax"
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if _https else None
SECURE_HSTS_SECONDS = 365 * 86_400 if _https else 0
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CONTENT_TYPE_NOSNIFF = True
X_FRAME_OPTIONS = "DENY"
# Scripts and styles come from our static files alone. A form may lead to Intuit's sign-in, by way of a redirect of ours.
_intuit = urlsplit(_site.intuit.authorize_url)
CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "font-src 'self'",
        "connect-src 'self'",
        f"form-action 'self' {_intuit.scheme}://{_intuit.netloc}",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
PERMISSIONS_POLICY = "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()"

TRUSTED_PROXIES = _site.trusted_proxies
AXES_LOCKOUT_PARAMETERS = ["username", "ip_address"]
AXES_FAILURE_LIMIT = _site.door.login_failures
AXES_COOLOFF_TIME = timedelta(minutes=_site.door.login_lockout_minutes)
AXES_RESET_ON_SUCCESS = True
AXES_CLIENT_IP_CALLABLE = "admin.door.client_address"
AXES_LOCKOUT_CALLABLE = "admin.door.locked_out"
# Attempts older than the lockout are deleted at the next one, while its log of logins would grow for ever. Ours is the log of the process.
AXES_DISABLE_ACCESS_LOG = True
AXES_VERBOSE = False

MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"
DATA_UPLOAD_MAX_NUMBER_FIELDS = 20_000

LOGGING_CONFIG = "admin.logs.configure"
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": "INFO"},
    "loggers": {
        "django.server": {"handlers": ["stderr"], "level": "WARNING", "propagate": False},
        # admin.door says the same, once, with account and address.
        "axes": {"level": "ERROR"},
    },
}

# What `admin.quickbooks_online` needs of any site that it is installed in.
QUICKBOOKS_ONLINE = {
    "PUBLIC_URL": _site.public_url,
    "INTUIT_ENVIRONMENT": _site.intuit.api_base_url if _site.intuit.name == "simulator" else _site.intuit.name,
    "INTUIT_CLIENT_ID": _site.intuit_client_id,
    "INTUIT_CLIENT_SECRET": _site.intuit_client_secret,
    "TOKEN_KEYS": ",".join(_site.token_keys),
    "METRICS_ORG_LABEL": "on" if _site.metrics_org_label else "off",
}
