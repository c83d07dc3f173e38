"""Django's settings in the real workers."""

import os

SECRET_KEY = "tests"
USE_TZ = True
INSTALLED_APPS = ["dbprofile_django"]
DATABASES = {
    "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": os.environ["DBPROFILE_TEST_DATABASE"]},
}
