"""Customers and their orders."""

from typing import ClassVar

from django.db import models


class Customer(models.Model):
    """Somebody who orders."""

    email = models.EmailField(blank=True)
    objects: ClassVar[models.Manager]


class Order(models.Model):
    """What somebody ordered."""

    number = models.IntegerField(unique=True)
    customer = models.ForeignKey(Customer, on_delete=models.CASCADE)
    objects: ClassVar[models.Manager]
