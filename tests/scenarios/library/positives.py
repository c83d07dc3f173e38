"""Functions with an N+1 or a loop in them. Comments name the lines: where the rows come from, where each of them asks."""

# ruff: noqa: B018

from collections.abc import Iterator
from typing import Any

from asgiref.sync import async_to_sync, sync_to_async
from django.db import connection
from django.db.models import prefetch_related_objects
from django.template import Context, Template

from tests.scenarios.library.models import Author, Book, Node, Note, Place, Profile, Tag


def d01_forward_key() -> None:
    for book in Book.objects.all():  # origin
        book.author.name  # trigger


def d01_in_a_comprehension() -> list[str]:
    books = Book.objects.order_by("pk")  # origin
    return [book.author.name for book in books]  # trigger


def d01_through_a_service() -> None:
    def label(book: Book) -> str:
        return f"{book.title} by {book.author.name}"  # trigger

    books = list(Book.objects.cheap())  # origin
    for book in books:
        label(book)


def d02_reverse_key() -> None:
    for author in Author.objects.all():  # origin
        for book in author.books.all():  # trigger
            book.title


def d02_bool_of_the_rows() -> None:
    for author in Author.objects.all():  # origin
        if author.books.all():  # trigger
            author.name


def d03_reverse_one_to_one() -> None:
    for author in Author.objects.all():  # origin
        author.profile.motto  # trigger


def d04_forward_one_to_one() -> None:
    for profile in Profile.objects.all():  # origin
        profile.author.name  # trigger


def d05_many_to_many() -> None:
    for book in Book.objects.all():  # origin
        list(book.tags.all())  # trigger


def d06_many_to_many_backwards() -> None:
    for tag in Tag.objects.all():  # origin
        list(tag.books.all())  # trigger


def d07_generic_key() -> None:
    for note in Note.objects.all():  # origin
        note.target  # trigger


def d08_generic_relation() -> None:
    for book in Book.objects.all():  # origin
        list(book.notes.all())  # trigger


def d09_deferred_column() -> None:
    for book in Book.objects.defer("blurb"):  # origin
        book.blurb  # trigger


def d10_column_left_out() -> None:
    for book in Book.objects.only("title"):  # origin
        book.author_id  # trigger


def d11_count_of_each() -> None:
    for author in Author.objects.all():  # origin
        author.books.count()  # trigger


def d12_exists_of_each() -> None:
    for author in Author.objects.all():  # origin
        author.books.exists()  # trigger


def d13_first_of_each() -> None:
    for author in Author.objects.all():  # origin
        author.books.first()  # trigger


def d14_aggregate_of_each() -> None:
    from django.db.models import Sum  # noqa: PLC0415

    for author in Author.objects.all():  # origin
        author.books.aggregate(total=Sum("price"))  # trigger


def d16_values_of_each() -> None:
    for author in Author.objects.all():  # origin
        list(author.books.values_list("title", flat=True))  # trigger


def d15_filter_after_prefetch() -> None:
    for author in Author.objects.prefetch_related("books"):  # origin
        list(author.books.filter(price__lt=100))  # trigger


def d21_property() -> None:
    for author in Author.objects.all():  # origin
        author.country_name


def d23_chain_behind_a_join() -> None:
    for book in Book.objects.select_related("author"):  # origin
        book.author.country.name  # trigger


def d24_lazy_chain_of_collections() -> None:
    for author in Author.objects.all():  # origin
        for book in author.books.all():
            list(book.tags.all())


def d26_two_places() -> None:
    def one(book: Book) -> str:
        name: str = book.author.name
        return name

    def other(book: Book) -> str:
        name: str = book.author.name
        return name

    for number, book in enumerate(Book.objects.all()):  # origin
        one(book) if number % 2 else other(book)


def d28_iterator() -> None:
    for book in Book.objects.iterator():  # origin
        book.author.name  # trigger


def d31_prefetch_for_each() -> None:
    for author in Author.objects.all():  # origin
        prefetch_related_objects([author], "books")  # trigger


def d32_child_of_a_parent_table() -> None:
    for place in Place.objects.all():  # origin
        place.restaurant.stars  # type: ignore[attr-defined]  # trigger


def d33_tree() -> None:
    def walk(node: Node) -> None:
        for child in node.children.all():  # trigger
            walk(child)

    walk(Node.objects.get(parent=None))


def d35_refresh_of_each() -> None:
    for book in Book.objects.all():  # origin
        book.refresh_from_db()  # trigger


def d36_hidden_by_gets() -> None:
    first, last = Book.objects.order_by("pk").first(), Book.objects.order_by("pk").last()
    assert first, last
    for book in Book.objects.all():  # origin
        book.author.name  # trigger


def d39_missing_one_to_one() -> None:
    Profile.objects.all().delete()
    for author in Author.objects.all():  # origin
        hasattr(author, "profile")  # trigger


def d40_generator() -> None:
    def countries() -> Iterator[Any]:
        for author in Author.objects.all():  # origin
            yield author.country  # trigger

    list(countries())


def d41_collection_behind_a_join() -> None:
    for book in Book.objects.select_related("author"):  # origin
        list(book.author.books.all())  # trigger


def d42_raw() -> None:
    for book in Book.objects.raw("SELECT * FROM library_book"):  # origin
        book.author.name  # trigger


def d22_template() -> str:
    template = Template("{% for book in books %}{{ book.author.name }}{% endfor %}")
    return template.render(Context({"books": Book.objects.all()}))  # origin


def d17_get_loop() -> None:
    for number in list(Book.objects.values_list("pk", flat=True)):
        Book.objects.get(pk=number)  # trigger


def d17_map() -> None:
    numbers = list(Book.objects.values_list("pk", flat=True))
    list(map(lambda number: Book.objects.get(pk=number), numbers))  # noqa: C417  # trigger


def d17_function() -> None:
    def load(number: int) -> object:
        return Book.objects.get(pk=number)  # trigger

    for number in list(Book.objects.values_list("pk", flat=True)):
        load(number)


def d17_elements() -> None:
    books = Book.objects.order_by("pk")
    for number in range(4):
        books[number].title  # trigger


def d18_first_of_a_filter() -> None:
    for name in list(Author.objects.values_list("name", flat=True)):
        Author.objects.filter(name=name).first()  # trigger


def d19_count_of_a_filter() -> None:
    for author in list(Author.objects.all()):
        Book.objects.filter(author=author).count()  # trigger


def d20_exists_in_a_loop() -> None:
    for name in list(Author.objects.values_list("name", flat=True)):
        Author.objects.filter(name=name).exists()  # trigger


def d51_async_for() -> None:
    async def names() -> list[str]:
        return [await sync_to_async(lambda: book.author.name)() async for book in Book.objects.all()]  # noqa: B023  # trigger

    async_to_sync(names)()


def d53_async_counts() -> None:
    async def counts() -> list[int]:
        return [await author.books.acount() async for author in Author.objects.all()]  # trigger

    async_to_sync(counts)()


def d55_cursor() -> None:
    numbers = list(Book.objects.values_list("pk", flat=True))
    with connection.cursor() as cursor:
        for number in numbers:
            cursor.execute("SELECT title FROM library_book WHERE id = %s", [number])  # trigger
            cursor.fetchone()


def d57_top_of_each() -> None:
    for author in list(Author.objects.all()):
        list(Book.objects.filter(author=author).order_by("-pk")[:3])  # trigger


def d56_overlapping_lists() -> None:
    numbers = list(Book.objects.values_list("pk", flat=True))
    for size in range(len(numbers)):
        list(Book.objects.filter(pk__in=numbers[: size + 1]))  # trigger


def w01_create() -> None:
    for number in range(4):
        Tag.objects.create(name=f"new {number}")  # trigger


def w01_save() -> None:
    for book in Book.objects.all():  # origin
        book.price += 1
        book.save()  # trigger


def w01_save_of_one_field() -> None:
    for book in Book.objects.all():  # origin
        book.price += 1
        book.save(update_fields=["price"])  # trigger


def w01_new_objects() -> None:
    for number in range(4):
        tag = Tag(name=f"new {number}")
        tag.save()  # trigger


def w02_update() -> None:
    for number in list(Book.objects.values_list("pk", flat=True)):
        Book.objects.filter(pk=number).update(price=number)  # trigger


def w03_delete() -> None:
    for book in Book.objects.all():  # origin
        book.delete()  # trigger


def w04_get_or_create() -> None:
    for number in range(4):
        Tag.objects.get_or_create(slug=f"new-{number}", defaults={"name": "new"})  # trigger


def w04_update_or_create() -> None:
    for number in range(4):
        Tag.objects.update_or_create(slug=f"new-{number}", defaults={"name": "new"})  # trigger


def w05_add() -> None:
    tag = Tag.objects.create(name="all")
    for book in Book.objects.all():  # origin
        book.tags.add(tag)  # trigger
