"""Asks for the page once, as a browser would: ``python visit.py``. A worker does the rest."""

from shop.web import app

if __name__ == "__main__":
    app.debug = True
    with app.test_client() as client:
        print(client.post("/invoices/").get_data(as_text=True))
