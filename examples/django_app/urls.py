"""Where what is."""

from django.urls import path

from examples.django_app.views import order

urlpatterns = [path("orders", order)]
