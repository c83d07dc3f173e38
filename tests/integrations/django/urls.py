"""The addresses of the shop."""

from django.urls import path, re_path

from tests.integrations.django.shop import views

urlpatterns = [
    path("orders/", views.order_list),
    path("orders/joined/", views.order_list_joined),
    path("orders/<int:number>/", views.order_page),
    path("orders/template/", views.order_template),
    path("orders/lazy/", views.order_template_of_lazy_rows),
    path("orders/class/", views.OrderList.as_view()),
    path("orders/class/of/model/", views.ModelList.as_view()),
    path("async/orders/", views.async_order_list),
    path("numbered/<int:number>/", views.numbered),
    path("async/numbered/<int:number>/", views.async_numbered),
    path("stream/", views.stream),
    path("async/stream/", views.async_stream),
    path("file/", views.file),
    path("broken/", views.broken),
    path("async/broken/", views.async_broken),
    path("session/", views.session),
    re_path("^regular/(?P<number>[0-9]+)/$", views.order_page),
]
