"""Serializers and views of Django REST framework over the library."""

# mypy: disable-error-code="misc,type-arg,var-annotated,no-untyped-call"

from rest_framework import generics, serializers
from rest_framework.viewsets import ModelViewSet

from tests.scenarios.library.models import Author, Book


class AuthorSerializer(serializers.ModelSerializer):
    country = serializers.CharField(source="country.name")

    class Meta:
        model = Author
        fields = ("name", "country")


class BookSerializer(serializers.ModelSerializer):
    author = AuthorSerializer()
    tags = serializers.StringRelatedField(many=True)

    class Meta:
        model = Book
        fields = ("title", "author", "tags")


class MethodSerializer(serializers.ModelSerializer):
    writer = serializers.SerializerMethodField()

    class Meta:
        model = Book
        fields = ("title", "writer")

    def get_writer(self, book: Book) -> str:
        name: str = book.author.name  # the method
        return name


class Books(generics.ListAPIView):
    queryset = Book.objects.order_by("pk")  # the queryset
    serializer_class = BookSerializer


class PreparedBooks(ModelViewSet):
    queryset = Book.objects.select_related("author__country").prefetch_related("tags").order_by("pk")
    serializer_class = BookSerializer


class TitleSerializer(serializers.ModelSerializer):
    tags = serializers.StringRelatedField(many=True, read_only=True)

    class Meta:
        model = Book
        fields = ("title", "tags")


class PreparedTitles(ModelViewSet):
    queryset = Book.objects.prefetch_related("tags").order_by("pk")
    serializer_class = TitleSerializer
