"""Taking orders."""

import json

from django.db import connection, transaction
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from examples.django_app.models import Order
from examples.django_app.notify import notifier


class NothingToOrderError(Exception):
    """There is no such thing."""


@csrf_exempt
@require_POST
def order(request: HttpRequest) -> HttpResponse:
    wanted = json.loads(request.body)
    try:
        with transaction.atomic():  # the order and what tells of it, or neither
            Order.objects.create(number=wanted["number"], customer_id=wanted["customer"])
            notifier.enqueue(str(wanted["customer"]), "order_taken", {"order": wanted["number"]}, connection=connection.connection)
            if wanted["number"] < 0:
                raise NothingToOrderError
    except NothingToOrderError:
        return JsonResponse({"detail": "there is no such thing to order"}, status=409)
    return JsonResponse(wanted, status=201)
