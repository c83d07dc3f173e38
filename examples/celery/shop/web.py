"""The page that leaves the work to tasks."""

from flask import Flask

import dbprofile_flask
from shop.tasks import charge, send_cured_invoices, send_invoices

app = Flask(__name__)
dbprofile_flask.DBProfile(app)


@app.post("/invoices/")
def invoices() -> str:
    for task in (send_invoices, charge, send_cured_invoices):
        task.delay()
    return "They are on their way."
