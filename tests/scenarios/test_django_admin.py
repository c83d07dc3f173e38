"""A project with Django's administration, made as its own command makes one: what its pages are told."""

import subprocess
import sys
from pathlib import Path

import pytest

SETTINGS = """
INSTALLED_APPS += ["music", "dbprofile_django"]
MIDDLEWARE = ["dbprofile_django.ProfileMiddleware", *MIDDLEWARE]
ALLOWED_HOSTS = ["*"]
"""
URLS = """
from django.contrib import admin
from django.urls import path

urlpatterns = [path("admin/", admin.site.urls)]
"""
MODELS = """
from django.db import models


class Artist(models.Model):
    name = models.CharField(max_length=50)


class Album(models.Model):
    title = models.CharField(max_length=50)
    artist = models.ForeignKey(Artist, models.CASCADE)
"""
ADMIN = """
from django.contrib import admin
from music.models import Album


@admin.register(Album)
class AlbumAdmin(admin.ModelAdmin):
    list_display = ["title", "by"]
    {}

    def by(self, album):
        return album.artist.name
"""
VISIT = """
import os, django
os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
django.setup()
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client
from music.models import Album, Artist

call_command("makemigrations", "music", verbosity=0)
call_command("migrate", verbosity=0)
for number in range(8):
    Album.objects.create(title=f"title {number}", artist=Artist.objects.create(name=f"artist {number}"))
client = Client()
client.force_login(User.objects.create_superuser("root", "", "x"))
assert client.get("/admin/music/album/").status_code == 200
assert client.get("/admin/music/album/1/change/").status_code == 200
"""


def visited(folder: Path, option: str) -> str:
    """What standard error was told of the change list and the change form of albums."""

    def run(*command: str) -> str:
        ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=60)
        assert ran.returncode == 0, ran.stderr
        return ran.stderr

    run(sys.executable, "-m", "django", "startproject", "config", ".")
    run(sys.executable, "manage.py", "startapp", "music")
    with (folder / "config/settings.py").open("a") as settings:
        settings.write(SETTINGS)
    (folder / "config/urls.py").write_text(URLS)
    (folder / "music/models.py").write_text(MODELS)
    (folder / "music/admin.py").write_text(ADMIN.format(option))
    (folder / "visit.py").write_text(VISIT)
    return run(sys.executable, "visit.py")


@pytest.mark.parametrize(
    ("option", "told"),
    [
        ("ordering = ['title']", 'try  music/admin.py:7   list_select_related = ("artist",)'),
        ("list_select_related = ['artist']", ""),
    ],
)
def test_a_change_list_is_told_of_its_option_and_a_well_configured_one_of_nothing(
    tmp_path: Path, option: str, told: str
) -> None:
    shown = visited(tmp_path, option)

    assert "GET /admin/music/album/ 200" in shown
    assert "DUP" not in shown
    assert ("N+1" in shown) is bool(told)
    assert told in shown
