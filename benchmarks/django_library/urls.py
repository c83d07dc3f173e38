"""One page of 30 statements."""

from django.http import HttpRequest, HttpResponse
from django.urls import path

from benchmarks.django_library.models import Author, Book


def index(_request: HttpRequest) -> HttpResponse:
    for number in range(10):
        list(Book.objects.filter(pk=number + 1))
        list(Author.objects.filter(name=f"Author {number}"))
        list(Book.objects.filter(author_id__gt=number).values_list("title")[:5])
    return HttpResponse("done")


urlpatterns = [path("", index)]
