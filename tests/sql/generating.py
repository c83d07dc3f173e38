"""SQL out of thin air: random fragments, and random statements that are well formed and full of literals."""

import random
from collections.abc import Iterator

from hypothesis import strategies as st

DIALECTS = ("postgresql", "mysql", "sqlite", "generic")
PARAMSTYLES = (None, "qmark", "numeric", "named", "format", "pyformat", "numeric_dollar")

FRAGMENTS = (
    *"""
    ' '' " "" ` `` [ ] ( ) { } , ; . : :: := ? ?| ?& ?1 $ $$ $1 $a $a$ @ @x @@y # -- --x - + * / /* */ /*+ /*! /*!50001 /*M! \\ \\' %
    %% %s %b %(a)s %( :a :1 = == <> != < > <= >= <=> -> ->> || && ~ !~~ @> <@ #>> <-> 0 1 -1 1.5 .5 1e5 1e 1e-5 0x1F 0b1 0o7 1_000
    2fa a b1 t_2024 x_20240101_y users "users" "Order" `t` [t] é N'x' E'a\\'b' U&'x' U&"y" X'1F' _utf8'x' q'[x]' nq'!x!' 'a''b'
    'it' "dq" $$x$$ $t$x$t$ NULL TRUE false SELECT FROM WHERE AND OR NOT IN VALUES INSERT INTO UPDATE SET DELETE JOIN LEFT ON USING
    UNION ALL INTERSECT EXCEPT CASE WHEN THEN ELSE END GROUP BY ORDER HAVING LIMIT OFFSET FETCH FOR SHARE LOCK WITH RECURSIVE AS
    EXISTS ANY ARRAY ROW CAST BETWEEN LIKE ESCAPE IS DISTINCT RETURNING CONFLICT DO NOTHING DUPLICATE KEY SAVEPOINT RELEASE ROLLBACK
    TO DECLARE CURSOR CLOSE PREPARE EXECUTE DEALLOCATE COPY TABLE CREATE INDEX VIEW DROP ALTER TRUNCATE MERGE REPLACE EXPLAIN ANALYZE
    CALL now() count(*) ::int ::double\tprecision ::timestamp(3) ::text[] COLLATE INTERVAL DATE ONLY LATERAL UNIQUE IF
    """.split(),
    "\N{MATHEMATICAL FRAKTUR CAPITAL U}", "\n", "\t", "\u00a0", "\u2028", "\ufeff", "\x00", "\x7f", "\ud800", "\r", "-- x\n", "# x\n", "/* x */", "IN (1, 2)",
     "IN ((1, 2), (3, 4))", "VALUES (1, 'a'), (2, %s)", "IN (%s, %s)", "IN ($1::int, $2::int)", "(1, 2)", ", (3)",
)  # fmt: skip


def random_text(source: random.Random, longest: int = 40) -> str:
    """Fragments in a row, some of them glued."""
    pieces = []
    for _ in range(source.randint(1, longest)):
        pieces.append(source.choice(FRAGMENTS))
        pieces.append(source.choice(("", " ", " ", " ")))
    return "".join(pieces)


def random_texts(seed: int, count: int) -> Iterator[str]:
    """The same texts for the same seed, on every machine."""
    source = random.Random(seed)
    for _ in range(count):
        yield random_text(source)


_NAMES = st.sampled_from(["users", "t", "order_line", '"Order"', "a1", "x_2024", "public.users"])
_COLUMNS = st.sampled_from(["id", "name", "t.id", 'o."Total"', "b_2", "created"])
_CONTENTS = st.text(
    st.one_of(st.sampled_from("'\"`\\$%:?-/*#;()[]{} \n\t\x00@!"), st.characters(codec="utf-8")), max_size=12
)
SECRET = "zqxsecret"


def quoted(content: str, dialect: str, form: str) -> str:
    """A string of the dialect that holds exactly this content."""
    if form == "dollar" and dialect == "postgresql" and "$" not in content:
        return f"$s${content}$s$"
    if form == "escape" and dialect == "postgresql":
        return "E'" + content.replace("\\", "\\\\").replace("'", "\\'") + "'"
    if form == "double" and dialect == "mysql":
        return '"' + content.replace("\\", "\\\\").replace('"', '""') + '"'
    if dialect == "mysql":
        content = content.replace("\\", "\\\\")
    return "'" + content.replace("'", "''") + "'"


@st.composite
def literals(draw: st.DrawFn, dialect: str) -> str:
    """A literal that holds the secret, or a long number."""
    if draw(st.integers(0, 3)) == 0:
        return draw(st.sampled_from(["", "-", "- "])) + str(draw(st.integers(10**15, 10**16)))
    content = draw(_CONTENTS) + SECRET + draw(_CONTENTS)
    return quoted(content, dialect, draw(st.sampled_from(["plain", "dollar", "escape", "double"])))


@st.composite
def conditions(draw: st.DrawFn, dialect: str, depth: int = 2) -> str:
    column, literal = draw(_COLUMNS), literals(dialect)
    form = draw(st.integers(0, 8 if depth else 5))
    if form == 0:
        return f"{column} IN ({', '.join(draw(st.lists(literal, min_size=1, max_size=4)))})"
    if form == 1:
        return f"{column} BETWEEN {draw(literal)} AND {draw(literal)}"
    if form == 2:
        return f"{column} LIKE {draw(literal)} -- {SECRET}\n"
    if form == 3:
        return f"CASE WHEN {column} = {draw(literal)} THEN {draw(literal)} ELSE {column} END = {draw(literal)}"
    if form == 4:
        return f"lower({column}) = {draw(literal)} /* {SECRET} */"
    if form == 5:
        return f"{column}{draw(st.sampled_from([' = ', '=', '<', ' <> ', '>=']))}{draw(literal)}"
    if form == 6:
        inner = draw(conditions(dialect, depth - 1))
        return f"EXISTS (SELECT 1 FROM {draw(_NAMES)} WHERE {inner})"
    joiner = draw(st.sampled_from([" AND ", " OR ", "\nor\n"]))
    return "(" + joiner.join(draw(st.lists(conditions(dialect, depth - 1), min_size=1, max_size=3))) + ")"


@st.composite
def statements(draw: st.DrawFn, dialect: str) -> str:
    """A well-formed statement whose literals hold the secret or sixteen digits."""
    table, condition, literal = draw(_NAMES), conditions(dialect), literals(dialect)
    form = draw(st.integers(0, 4))
    if form == 0:
        row = st.lists(literal, min_size=2, max_size=2).map(lambda values: "(" + ", ".join(values) + ")")
        rows = ", ".join(draw(st.lists(row, min_size=1, max_size=3)))
        return f"INSERT INTO {table} (id, name) VALUES {rows}"
    if form == 1:
        return f"UPDATE {table} SET name = {draw(literal)}, id = {draw(literal)} WHERE {draw(condition)}"
    if form == 2:
        return f"DELETE FROM {table} WHERE {draw(condition)}"
    if form == 3:
        arms = [f"SELECT {draw(literal)} FROM {table} WHERE {draw(condition)}" for _ in range(2)]
        return " UNION ALL ".join(arms)
    return f"SELECT {draw(_COLUMNS)}, {draw(literal)} FROM {table} WHERE {draw(condition)} LIMIT {draw(literal)}"
