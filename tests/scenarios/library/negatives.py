"""Functions whose queries only look like a loop, or are as few as they can be."""

# ruff: noqa: B018

import copy
import pickle
import time
from typing import Any

from django.contrib.contenttypes.models import ContentType
from django.db import connection, transaction
from django.db.models import Count, Prefetch, prefetch_related_objects
from django.template import Context, Template

from tests.scenarios.library.models import Author, Book, Country, Node, Note, Place, Profile, Tag


def n01_joined() -> None:
    for book in Book.objects.select_related("author__country", "editor"):
        book.author.country.name


def n01_prefetched() -> None:
    for author in Author.objects.prefetch_related("books__tags", "profile"):
        for book in author.books.all():
            list(book.tags.all())
            len(book.tags.all())
            book.tags.count()
            book.tags.exists()


def n02_two_relations_to_one_table() -> None:
    for book in Book.objects.prefetch_related("author", "editor"):
        book.author.name


def n03_iterator_with_prefetch() -> None:
    for author in Author.objects.prefetch_related("books").iterator(chunk_size=2):
        list(author.books.all())


def n05_bulk() -> None:
    tags = [Tag(name=f"new {number}") for number in range(20)]
    Tag.objects.bulk_create(tags, batch_size=3)
    for tag in tags:
        tag.name += "!"
    Tag.objects.bulk_update(Tag.objects.all(), ["name"], batch_size=3)


def n05_bulk_in_chunks() -> None:
    for start in range(0, 40, 10):
        Tag.objects.bulk_create(Tag(name=f"new {number}") for number in range(start, start + 10))


def n07_keyset_pages() -> None:
    last = 0
    while rows := list(Book.objects.filter(pk__gt=last).order_by("pk")[:2]):
        last = rows[-1].pk


def n07_offset_pages() -> None:
    for start in range(0, 6, 2):
        list(Book.objects.order_by("pk")[start : start + 2])


def n08_chunks_of_keys() -> None:
    keys = list(Book.objects.order_by("pk").values_list("pk", flat=True))
    for start in range(0, len(keys), 2):
        list(Book.objects.filter(pk__in=keys[start : start + 2]))


def n09_savepoints() -> None:
    with transaction.atomic():
        for _ in range(5):
            with transaction.atomic():
                pass


def n10_three_lines() -> None:
    keys = list(Book.objects.values_list("pk", flat=True))
    Book.objects.get(pk=keys[0])
    Book.objects.get(pk=keys[1])
    Book.objects.get(pk=keys[2])


def n10_two_on_one_line() -> None:
    first, last = Book.objects.earliest("pk").pk, Book.objects.latest("pk").pk
    (Book.objects.get(pk=first), Book.objects.get(pk=last))


def n10_one_function_two_places() -> None:
    def load(key: int) -> object:
        return Book.objects.get(pk=key)

    keys = list(Book.objects.values_list("pk", flat=True))
    load(keys[0])
    load(keys[1])


def n11_relations_of_one_row() -> None:
    book = Book.objects.latest("pk")
    book.author.name
    book.editor
    list(book.tags.all())
    list(book.notes.all())


def n13_first_of_a_list() -> None:
    books = list(Book.objects.all())
    books[0].author.name


def n12_two_rows_one_relation_each() -> None:
    keys = list(Book.objects.values_list("pk", flat=True))
    one, other = Book.objects.get(pk=keys[0]), Book.objects.get(pk=keys[1])
    one.author.name
    other.author.name


def n24_refresh_after_each_of_a_few() -> None:
    book = Book.objects.latest("pk")
    book.price = 1
    book.save()
    book.refresh_from_db()
    book.price = 2
    book.save()
    book.refresh_from_db()


def n14_polling() -> None:
    for _ in range(4):
        if Tag.objects.filter(name="never").exists():
            break
        time.sleep(0.001)


def n14_retry() -> None:
    for _ in range(3):
        try:
            Book.objects.get(title="never")
        except Book.DoesNotExist:
            continue


def n15_content_types() -> None:
    ContentType.objects.clear_cache()
    for model in (Author, Book, Tag, Note):
        ContentType.objects.get_for_model(model)


def n16_cascade() -> None:
    Author.objects.all().delete()


def n16_cascade_of_one() -> None:
    Country.objects.latest("pk").delete()


def n17_known_objects() -> None:
    country = Country.objects.latest("pk")
    for author in country.authors.all():  # type: ignore[attr-defined]
        author.country.name


def n18_null_keys() -> None:
    Book.objects.update(editor=None)
    for book in Book.objects.all():
        book.editor


def n18_parent_link() -> None:
    for place in Place.objects.select_related("restaurant"):
        place.restaurant.place_ptr_id  # type: ignore[attr-defined]


def n19_count_and_page() -> None:
    books = Book.objects.order_by("pk")
    books.count()
    list(books[:3])


def n19_exists_then_another() -> None:
    if Book.objects.filter(price__lt=100).exists():
        list(Book.objects.filter(price__gte=0).values_list("title"))


def n20_to_attr() -> None:
    cheap = Prefetch("books", queryset=Book.objects.filter(price__lt=100), to_attr="cheap")
    for author in Author.objects.prefetch_related(cheap):
        len(author.cheap)  # type: ignore[attr-defined]


def n26_validators() -> None:
    Tag.objects.filter(name="a").exists()
    Tag.objects.filter(slug="a").exists()
    Tag.objects.filter(pk=1).exists()


def n28_locked_one_by_one() -> None:
    for key in list(Book.objects.values_list("pk", flat=True)):
        with transaction.atomic():
            book = Book.objects.select_for_update().get(pk=key)
            book.price += 1
            book.save()


def n31_two_joined_children_of_one_class() -> None:
    book = Book.objects.select_related("author", "editor").latest("pk")
    assert book.editor
    book.author.country.name
    book.editor.country.name


def n33_two_hops() -> None:
    node = Node.objects.latest("pk")
    assert node.parent
    node.parent.parent


def n34_two_tags() -> str:
    book = Book.objects.latest("pk")
    template = Template("{{ book.author.name }}\n{{ book.tags.all.0.name }}\n{{ book.author.country.name }}")
    return template.render(Context({"book": book}))


def n36_copied_and_pickled() -> None:
    books = list(Book.objects.select_related("author"))
    copy.deepcopy(books)
    for book in pickle.loads(pickle.dumps(books)):
        book.author.name


def n40_prefetch_by_hand() -> None:
    authors = list(Author.objects.all())
    prefetch_related_objects(authors, "books", "profile")
    for author in authors:
        list(author.books.all())


def n41_aggregated() -> None:
    for author in Author.objects.annotate(n=Count("books")):
        author.n  # type: ignore[attr-defined]


def n42_in_bulk() -> None:
    keys = list(Book.objects.values_list("pk", flat=True))
    books = Book.objects.in_bulk(keys)
    for key in keys:
        books[key].title


def n43_queue() -> None:
    Tag.objects.update(slug="new")
    while (tag := Tag.objects.filter(slug="new").order_by("pk").first()) is not None:
        tag.slug = "done"
        tag.save()


def n44_a_free_name() -> None:
    for number in range(1, 9):
        if not Tag.objects.filter(name=f"Tag {number}").exists():
            break


def n45_one_counter() -> None:
    profile = Profile.objects.latest("pk")
    for number in range(5):
        profile.motto = str(number)
        profile.save()


def n46_levels_of_a_tree() -> None:
    root = Node.objects.get(parent=None)
    for child in Node.objects.bulk_create([Node(name="left", parent=root), Node(name="right", parent=root)]):
        Node.objects.bulk_create(Node(name=f"below {child.name} {number}", parent=child) for number in range(2))
    level: list[Any] = list(Node.objects.filter(parent=None))
    while level:
        level = list(Node.objects.filter(parent__in=level))


def n47_many_rows_in_one_execution() -> None:
    with connection.cursor() as cursor:
        cursor.executemany("UPDATE library_tag SET slug = %s WHERE id = %s", [(str(n), n) for n in range(5)])


def n48_set_for_one_parent() -> None:
    book = Book.objects.latest("pk")
    book.tags.set(Tag.objects.all())
    book.tags.clear()
