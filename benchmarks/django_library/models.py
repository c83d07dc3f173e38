"""A library of 200 books, each of another author."""

from django.db import models


class Author(models.Model):
    name = models.CharField(max_length=100)

    class Meta:
        app_label = "django_library"
        db_table = "author"

    def __str__(self) -> str:
        return self.name


class Book(models.Model):
    title = models.CharField(max_length=100)
    author = models.ForeignKey(Author, on_delete=models.CASCADE, related_name="books")

    class Meta:
        app_label = "django_library"
        db_table = "book"

    def __str__(self) -> str:
        return self.title


class Row(models.Model):
    name = models.CharField(max_length=100)

    class Meta:
        app_label = "django_library"

    def __str__(self) -> str:
        return self.name


def fill() -> None:
    """Make the books."""
    authors = Author.objects.bulk_create(Author(name=f"Author {number}") for number in range(200))
    Book.objects.bulk_create(Book(title=f"Book {number}", author=author) for number, author in enumerate(authors))
