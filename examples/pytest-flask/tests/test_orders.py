def test_orders(app, db_session, assert_queries):
    with assert_queries(max=3, fresh=True):  # fresh: identity map emptied, lazy loads really run
        assert app.test_client().get("/orders").status_code == 200


def test_report(app, db_session, db_queries):
    app.test_client().get("/report")
    assert db_queries.count <= 5  # plain assert; the failure lists the queries
    assert db_queries.by_table["customer"] == 1
