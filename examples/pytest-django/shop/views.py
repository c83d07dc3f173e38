from django.http import HttpRequest, HttpResponse

from shop.models import Customer, Order


def order_list(request: HttpRequest) -> HttpResponse:
    orders = Order.objects.select_related("customer").order_by("-pk")
    return HttpResponse(f"{orders.count()}: " + ", ".join(f"{order.customer.name} {order.product}" for order in orders))


def checkout(request: HttpRequest) -> HttpResponse:
    customer = Customer.objects.first() or Customer(pk=0)
    order = Order.objects.create(customer=customer, product=request.POST["product"])
    return HttpResponse(str(order.pk))
