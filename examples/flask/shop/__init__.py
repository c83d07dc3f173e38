"""The shop: ``flask --app shop run --debug``. The two lines that turn dbprofile on are marked."""

from flask import Flask

import dbprofile_flask
import dbprofile_sqlalchemy
from shop.pages import pages

dbprofile_sqlalchemy.install()  # the first of the two lines


def create_app() -> Flask:
    """Make the application."""
    app = Flask(__name__)
    app.register_blueprint(pages)
    dbprofile_flask.DBProfile(app)  # the second
    return app
