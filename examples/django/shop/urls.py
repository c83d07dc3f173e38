"""Where the pages are."""

from django.urls import path

from shop import views

urlpatterns = [
    path("", views.home),
    path("orders/", views.order_list),
    path("orders/cured/", views.cured_order_list),
    path("reports/sales/", views.sales),
]
