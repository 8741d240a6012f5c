"""As small as settings can be; the shop's folder comes from SHOP_FOLDER, the notifier's settings from NOTIFYKIT_… variables."""

import os
from pathlib import Path

FOLDER = Path(os.environ["SHOP_FOLDER"])

SECRET_KEY = os.environ.get("DJANGO_SECRET_KEY", "for-trying-out-only")
ALLOWED_HOSTS = ["localhost", "testserver"]
INSTALLED_APPS = ["examples.django_app"]
ROOT_URLCONF = "examples.django_app.urls"
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": FOLDER / "shop.db"}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
