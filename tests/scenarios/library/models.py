"""A library with every kind of relation that Django has."""

from typing import Any, ClassVar

from django.contrib.contenttypes.fields import GenericForeignKey, GenericRelation
from django.contrib.contenttypes.models import ContentType
from django.db import models, transaction


class Country(models.Model):
    name = models.CharField(max_length=50)


class Author(models.Model):
    name = models.CharField(max_length=50)
    country = models.ForeignKey(Country, models.CASCADE, related_name="authors")

    books: Any
    profile: Any

    @property
    def country_name(self) -> str:
        name: str = self.country.name
        return name


class Profile(models.Model):
    author = models.OneToOneField(Author, models.CASCADE, related_name="profile")
    motto = models.TextField(default="")


class Tag(models.Model):
    name = models.CharField(max_length=50)
    slug = models.SlugField(default="")

    books: Any


class Note(models.Model):
    kind = models.ForeignKey(ContentType, models.CASCADE)
    object_id = models.PositiveBigIntegerField()
    target = GenericForeignKey("kind", "object_id")
    text = models.TextField(default="")


class BookQuerySet(models.QuerySet["Book"]):
    def cheap(self) -> "BookQuerySet":
        return self.filter(price__lt=100)


class Book(models.Model):
    title = models.CharField(max_length=50)
    blurb = models.TextField(default="")
    price = models.IntegerField(default=10)
    author = models.ForeignKey(Author, models.CASCADE, related_name="books")
    editor = models.ForeignKey(Author, models.SET_NULL, related_name="edited", null=True)
    tags = models.ManyToManyField(Tag, related_name="books")
    notes = GenericRelation(Note, content_type_field="kind", object_id_field="object_id")

    objects: ClassVar[Any] = BookQuerySet.as_manager()


class Place(models.Model):
    name = models.CharField(max_length=50)


class Restaurant(Place):
    stars = models.IntegerField(default=1)


class Node(models.Model):
    name = models.CharField(max_length=50)
    parent = models.ForeignKey("self", models.CASCADE, related_name="children", null=True)

    children: Any


ALL = (Note, Book, Tag, Profile, Author, Country, Restaurant, Place, Node)


@transaction.atomic  # one commit to wait for, not one for each row
def fill(parents: int) -> None:
    """As many authors as ``parents``, each of another country, with a profile and one book, which has a tag and a note of its own."""
    for model in ALL:
        model._default_manager.all().delete()
    above = None
    for number in range(1, parents + 1):
        country = Country.objects.create(name=f"Country {number}")
        author = Author.objects.create(name=f"Author {number}", country=country)
        Profile.objects.create(author=author, motto=f"Motto {number}")
        book = Book.objects.create(title=f"Book {number}", author=author, editor=author, blurb=f"Blurb {number}")
        book.tags.add(Tag.objects.create(name=f"Tag {number}", slug=f"tag-{number}"))
        Note.objects.create(target=book, text=f"Note {number}")
        Restaurant.objects.create(name=f"Restaurant {number}", stars=number)
        above = Node.objects.create(name=f"Node {number}", parent=above)
